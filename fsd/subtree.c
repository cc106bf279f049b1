/* Finds the mount's root. See subtree.h. */
#include "fsd/subtree.h"

#include "fsd/call.h"
#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct search {
	struct fsd *fsd;
	const char *rest; /* of the path */
	void (*done)(void *arg, int code);
	void *arg;
};

static void
finish(struct search *search, int code)
{
	search->done(search->arg, code);
	free(search);
}

/* The next name of the path; false: it is longer than a name may be. Empty: there is none. */
static bool
next_name(struct search *search, char name[WIRE_NAME_MAX + 1])
{
	size_t len;

	search->rest += strspn(search->rest, "/");
	len = strcspn(search->rest, "/");
	if (len > WIRE_NAME_MAX)
		return false;
	memcpy(name, search->rest, len);
	name[len] = '\0';
	search->rest += len;
	return true;
}

static void enter(struct search *search, const struct wire_stat *dir);

static void
looked_up(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct search *search = call->arg;
	int code = call_code(reply, stat);

	call_free(call);
	if (code == ERR_OK && !S_ISDIR(stat->mode))
		code = ERR_NOTDIR;
	if (code == ERR_OK)
		enter(search, stat);
	else
		finish(search, code);
}

static void
enter(struct search *search, const struct wire_stat *dir)
{
	char name[WIRE_NAME_MAX + 1];
	struct call *call;

	if (!next_name(search, name)) {
		finish(search, ERR_NONODE);
		return;
	}
	if (name[0] == '\0') {
		/* This answer's interest stays: the kernel knows the root for ever. */
		search->fsd->root = *dir;
		finish(search, ERR_OK);
		return;
	}
	call = call_new(search->fsd, NULL);
	if (call == NULL) {
		finish(search, ERR_NOMEM);
		return;
	}
	call->arg = search;
	call_lookup(call, dir->id, name, looked_up);
}

void
subtree_find(struct fsd *fsd, const char *path, void (*done)(void *arg, int code), void *arg)
{
	static const struct wire_stat top = { .id = FUSE_ROOT_ID };
	struct search *search = malloc(sizeof *search);

	CHECK(search != NULL);
	*search = (struct search){ .fsd = fsd, .rest = path, .done = done, .arg = arg };
	enter(search, &top);
}
