/*
 * Quotas that are exceeded: a soft one, by whoever writes; the leader's log says which. Who comes
 * and goes about a limit crosses it many times, so each is said once a minute. Called by write.c
 * and replica.c.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/log.h"
#include "replica/lib/text.h"

#include <inttypes.h>

#define QUIET_NS UINT64_C(60000000000)
#define SAID_MAX 1024	  /* in a minute */
#define PATH_NAMES_MAX 32 /* of the path; one that is longer begins with a number */

/* From the root down. */
static void
put_path(const struct tree *tree, uint64_t id, uint32_t names, msgpack_sbuffer *out)
{
	const struct znode *node = tree_node(tree, id);
	struct blob name = znode_name(node);

	if (id == TREE_ROOT)
		return;
	if (names == PATH_NAMES_MAX) {
		text_format(out, "#%" PRIu64, id);
		return;
	}
	put_path(tree, znode_parent(node), names + 1, out);
	text_add(out, "/");
	text_name(out, name.data, name.len);
}

static void
say(const struct replica *replica, uint64_t id)
{
	const struct znode *node = tree_node(replica->tree, id);
	struct quota quota;
	struct usage used;
	msgpack_sbuffer path;

	tree_quota(replica->tree, id, &quota);
	znode_usage(node, &used);
	msgpack_sbuffer_init(&path);
	put_path(replica->tree, id, 0, &path);
	text_add(&path, id == TREE_ROOT ? "/" : "");
	log_warn("a quota is exceeded id=%" PRIu64 " nodes=%" PRId64 " nodes_max=%" PRId64
		 " bytes=%" PRId64 " bytes_max=%" PRId64 " path=%.*s",
	    id, used.nodes, quota.nodes, used.bytes, quota.bytes, (int)path.size, path.data);
	msgpack_sbuffer_destroy(&path);
}

void
quota_applied(struct replica *replica)
{
	PPvoid_t said;
	uint64_t id = 0;

	while (replica->leading && tree_next_exceeded(replica->tree, id, &id)) {
		if (tree_node(replica->tree, id) == NULL ||
		    JudyLCount(replica->quotas_said, 0, UINT64_MAX, PJE0) >= SAID_MAX)
			continue;
		said = JudyLIns(&replica->quotas_said, id, PJE0);
		CHECK(said != NULL && said != PPJERR);
		if (*said != NULL)
			continue;
		*(Word_t *)said = replica_now_ns();
		say(replica, id);
	}
}

void
quota_tick(struct replica *replica)
{
	uint64_t now_ns = replica_now_ns();
	Word_t id = 0;
	PPvoid_t said;

	for (said = JudyLFirst(replica->quotas_said, &id, PJE0); said != NULL;
	     said = JudyLNext(replica->quotas_said, &id, PJE0))
		if (now_ns - *(Word_t *)said >= QUIET_NS)
			JudyLDel(&replica->quotas_said, id, PJE0);
}

void
quota_drop(struct replica *replica)
{
	JudyLFreeArray(&replica->quotas_said, PJE0);
}
