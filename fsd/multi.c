/* See multi.h. */
#include "fsd/multi.h"

#include <endian.h>
#include <stdio.h>

#define UMASK_DEFAULT 022 /* of a process that is gone */

/* A WRITE doesn't carry it. */
static mode_t
umask_of(const struct call *call)
{
	char path[64], line[128];
	unsigned umask = UMASK_DEFAULT;
	FILE *status;

	snprintf(path, sizeof path, "/proc/%d/status", (int)call->tid);
	status = fopen(path, "re");
	if (status == NULL)
		return UMASK_DEFAULT;
	while (fgets(line, sizeof line, status) != NULL)
		if (sscanf(line, "Umask: %o", &umask) == 1)
			break;
	fclose(status);
	return (mode_t)umask;
}

void
who_of(const struct call *call, struct who *who)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(call->req);
	gid_t groups[WIRE_GROUPS_MAX];
	int i, n;

	*who = (struct who){ .uid = ctx->uid, .gid = ctx->gid, .umask = umask_of(call) };
	n = ctx->uid == 0 ? 0 : fuse_req_getgroups(call->req, WIRE_GROUPS_MAX, groups);
	for (i = 0; i < n && i < WIRE_GROUPS_MAX; i++)
		who->groups[who->ngroups++] = htole32(groups[i]);
}

struct wire_msg
multi_msg(const struct call *call, const struct who *who, const struct steps *steps)
{
	return (struct wire_msg){ .type = WIRE_T_MULTI,
		.multi = { .flags = WIRE_ECHO,
		    .root = call->fsd->root.id,
		    .uid = who->uid,
		    .gid = who->gid,
		    .groups = { (const uint8_t *)who->groups, who->ngroups * 4 },
		    .steps = steps_packed(steps) } };
}
