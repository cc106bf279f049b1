/*
 * Reads, answered at once from the tree in memory (but for AWAIT: await.c). Called by replica.c.
 */
#include "replica/replica.h"

#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#define NODE_ON_DISK 256 /* bytes that a small one takes: for how many there is room */

static void
found(struct replica *replica, struct front *front, uint64_t rid, const struct znode *node,
    bool count, const struct blob *data)
{
	struct wire_stat stat;

	znode_stat(replica->tree, node, &stat);
	if (count)
		front_interest_add(front, stat.id, 1);
	front_reply(front, rid, ERR_OK, tree_applied(replica->tree), &stat, data, false);
}

static void
lookup(struct replica *replica, struct front *front, const struct wire_lookup *msg)
{
	const struct znode *node = tree_child(replica->tree, msg->parent, msg->name);

	if (node == NULL)
		replica_answer(replica, front, msg->rid, ERR_NONODE);
	else
		found(replica, front, msg->rid, node, true, NULL);
}

static void
getattr(struct replica *replica, struct front *front, const struct wire_getattr *msg)
{
	const struct znode *node = tree_node(replica->tree, msg->id);

	if (node == NULL)
		replica_answer(replica, front, msg->rid, ERR_NONODE);
	else
		found(replica, front, msg->rid, node, msg->count != 0, NULL);
}

static void
read_value(struct replica *replica, struct front *front, const struct wire_read *msg)
{
	const struct znode *node = tree_node(replica->tree, msg->id);
	struct blob value;

	if (node == NULL) {
		replica_answer(replica, front, msg->rid, ERR_NONODE);
		return;
	}
	value = znode_value(node);
	found(replica, front, msg->rid, node, false, &value);
}

static void
entry_pack(struct replica *replica, struct front *front, const struct znode *child, bool plus)
{
	struct wire_entry entry = {
		.id = znode_id(child), .mode = znode_mode(child), .name = znode_name(child)
	};
	struct wire_stat stat;
	msgpack_sbuffer packed;

	if (!plus) {
		wire_entry_pack(&replica->scratch, &entry);
		return;
	}
	msgpack_sbuffer_init(&packed);
	znode_stat(replica->tree, child, &stat);
	wire_stat_pack(&packed, &stat);
	entry.stat.data = (const uint8_t *)packed.data;
	entry.stat.len = (uint32_t)packed.size;
	wire_entry_pack(&replica->scratch, &entry);
	msgpack_sbuffer_destroy(&packed);
	front_interest_add(front, entry.id, 1);
}

static void
list(struct replica *replica, struct front *front, const struct wire_list *msg)
{
	const struct znode *dir = tree_node(replica->tree, msg->id), *child;
	size_t bytes_max = msg->bytes < WIRE_LIST_MAX ? msg->bytes : WIRE_LIST_MAX;
	uint64_t after = msg->after;
	struct wire_stat stat;
	struct blob data;

	if (dir == NULL || !S_ISDIR(znode_mode(dir))) {
		replica_answer(replica, front, msg->rid, dir == NULL ? ERR_NONODE : ERR_NOTDIR);
		return;
	}
	msgpack_sbuffer_clear(&replica->scratch);
	for (;;) {
		child = tree_next_child(replica->tree, msg->id, after);
		/* The first one always fits: a page never comes out empty before the end. */
		if (child == NULL || (replica->scratch.size != 0 &&
					 replica->scratch.size + WIRE_NAME_MAX + 320 > bytes_max))
			break;
		entry_pack(replica, front, child, msg->plus != 0);
		after = znode_id(child);
	}
	data.data = (const uint8_t *)replica->scratch.data;
	data.len = (uint32_t)replica->scratch.size;
	znode_stat(replica->tree, dir, &stat);
	front_reply(
	    front, msg->rid, ERR_OK, tree_applied(replica->tree), &stat, &data, child != NULL);
}

/* The session's ephemerals are few, and this is rare. */
static void
find(struct replica *replica, struct front *front, const struct wire_find *msg)
{
	const struct session *session = tree_session(replica->tree, front_session(front));
	uint64_t id = 0, handle;

	while (session != NULL && session_next_ephemeral(session, id, &id, &handle)) {
		if (handle != msg->handle || msg->handle == 0)
			continue;
		found(replica, front, msg->rid, tree_node(replica->tree, id), false, NULL);
		return;
	}
	replica_answer(replica, front, msg->rid, ERR_NONODE);
}

/* The limit, if it leaves less than what was looked at before. */
static void
tighten(int64_t limit, int64_t used, uint64_t *there, uint64_t *left)
{
	uint64_t more = used < limit ? (uint64_t)(limit - used) : 0;

	if (limit == 0 || more >= *left)
		return;
	*there = (uint64_t)used;
	*left = more;
}

static void
space_of(const struct replica *replica, uint64_t id, struct wire_space *space)
{
	const struct znode *node;
	struct statvfs disk;
	struct quota quota;
	struct usage used;

	*space = (struct wire_space){ .nodes = tree_nodes(replica->tree),
		.bytes = tree_bytes(replica->tree) };
	if (statvfs(replica->dir, &disk) == 0)
		space->bytes_left = (uint64_t)disk.f_bavail * disk.f_frsize;
	space->nodes_left = space->bytes_left / NODE_ON_DISK;
	for (; (node = tree_node(replica->tree, id)) != NULL; id = znode_parent(node)) {
		tree_quota(replica->tree, id, &quota);
		znode_usage(node, &used);
		tighten(quota.nodes, used.nodes, &space->nodes, &space->nodes_left);
		tighten(quota.bytes, used.bytes, &space->bytes, &space->bytes_left);
	}
}

static void
stat_fs(struct replica *replica, struct front *front, const struct wire_statfs *msg)
{
	struct wire_space space;
	struct blob data;

	space_of(replica, msg->id, &space);
	msgpack_sbuffer_clear(&replica->scratch);
	wire_space_pack(&replica->scratch, &space);
	data = (struct blob){ (const uint8_t *)replica->scratch.data,
		(uint32_t)replica->scratch.size };
	front_reply(front, msg->rid, ERR_OK, tree_applied(replica->tree), NULL, &data, false);
}

static void
usage(struct replica *replica, struct front *front, const struct wire_usage *msg)
{
	const struct znode *node = tree_node(replica->tree, msg->id);
	struct quota quota;
	struct usage is;
	struct wire_used used;
	struct blob data;

	if (node == NULL) {
		replica_answer(replica, front, msg->rid, ERR_NONODE);
		return;
	}
	tree_quota(replica->tree, msg->id, &quota);
	znode_usage(node, &is);
	used = (struct wire_used){ quota.nodes, quota.bytes, quota.hard, is.nodes, is.bytes };
	msgpack_sbuffer_clear(&replica->scratch);
	wire_used_pack(&replica->scratch, &used);
	data = (struct blob){ (const uint8_t *)replica->scratch.data,
		(uint32_t)replica->scratch.size };
	found(replica, front, msg->rid, node, false, &data);
}

void
read_request(struct replica *replica, struct front *front, const struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_T_LOOKUP:
		lookup(replica, front, &msg->lookup);
		break;
	case WIRE_T_GETATTR:
		getattr(replica, front, &msg->getattr);
		break;
	case WIRE_T_READ:
		read_value(replica, front, &msg->read);
		break;
	case WIRE_T_LIST:
		list(replica, front, &msg->list);
		break;
	case WIRE_T_FIND:
		find(replica, front, &msg->find);
		break;
	case WIRE_T_AWAIT:
		await_take(replica, front, &msg->await);
		break;
	case WIRE_T_STATFS:
		stat_fs(replica, front, &msg->statfs);
		break;
	case WIRE_T_USAGE:
		usage(replica, front, &msg->usage);
		break;
	default:
		front_kick(front, "not a request");
	}
}
