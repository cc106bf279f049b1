/*
 * Quotas: clients set them on their directories (client.c). Each row is looked at beside the tree
 * of the row before it: who was refused for want of room had none, and nobody has gone further
 * beyond a hard limit; and usages are counted again, node by node. Called by reads.c,
 * check_wiring.c.
 */
#include "tests/sim/sim.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <string.h>
#include <sys/stat.h>

#define DIRS 4 /* client.c's: the first name that may be a directory */
#define ROOT_NODES 24
#define RENAME_EXCHANGE_FLAG 2u

/* A quota around the others: what is there, and room for a few more or none. */
static void
limit_root(struct world *world, struct client *client)
{
	struct wire_msg msg = { .type = WIRE_T_QUOTA,
		.quota = { .id = TREE_ROOT,
		    .nodes = (int64_t)random_below(world, ROOT_NODES),
		    .hard = 1 } };

	if (random_one_in(world, 4))
		msg.quota.nodes = 0;
	client_ask(world, client, &msg, TREE_ROOT, 0);
}

/* On one of the two, or on what a sequence has made, often inside of those. False: it knows of none. */
bool
quotas_request(struct world *world, struct client *client)
{
	struct wire_msg msg = { .type = WIRE_T_QUOTA,
		.quota = { .id = client->ids[DIRS + random_below(world, 2)],
		    .hard = !random_one_in(world, 4) } };

	if (random_one_in(world, 4)) {
		limit_root(world, client);
		return true;
	}
	if (random_one_in(world, 4))
		msg.quota.id = client->made[random_below(world, MADE)];
	if (msg.quota.id == 0)
		return false;
	if (!random_one_in(world, 4))
		msg.quota.nodes = (int64_t)random_below(world, 4);
	if (!random_one_in(world, 3))
		msg.quota.bytes = (int64_t)random_below(world, 16);
	client_ask(world, client, &msg, msg.quota.id, 0);
	return true;
}

struct usage
quotas_count(const struct tree *tree, const struct znode *node)
{
	struct usage sum = { 1, znode_value(node).len }, part;
	const struct znode *child;
	uint64_t id = 0;

	while ((child = tree_next_child(tree, znode_id(node), id)) != NULL) {
		id = znode_id(child);
		part = quotas_count(tree, child);
		sum.nodes += part.nodes;
		sum.bytes += part.bytes;
	}
	return sum;
}

bool
quotas_right(const struct tree *tree, uint64_t dir)
{
	const struct znode *node = tree_node(tree, dir), *child;
	struct usage count = quotas_count(tree, node), usage;
	uint64_t id = 0;

	znode_usage(node, &usage);
	if (usage.nodes != count.nodes || usage.bytes != count.bytes)
		return false;
	while ((child = tree_next_child(tree, dir, id)) != NULL) {
		id = znode_id(child);
		if (S_ISDIR(znode_mode(child)) && !quotas_right(tree, id))
			return false;
	}
	return true;
}

bool
quotas_beyond(const struct quota *quota, const struct usage *used, const struct usage *more)
{
	if (!quota->hard)
		return false;
	if (quota->nodes != 0 && more->nodes > 0 && used->nodes + more->nodes > quota->nodes)
		return true;
	return quota->bytes != 0 && more->bytes > 0 && used->bytes + more->bytes > quota->bytes;
}

/* Whether the directory is `id` or lies below it. */
static bool
is_in(const struct tree *tree, uint64_t dir, uint64_t id)
{
	while (dir != 0 && dir != id)
		dir = znode_parent(tree_node(tree, dir));
	return dir != 0;
}

/* Whether so much more lacks room, where `elsewhere` is not, too. */
static bool
lacks(const struct tree *tree, uint64_t id, uint64_t elsewhere, struct usage more)
{
	const struct znode *node;
	struct quota quota;
	struct usage used;

	for (; (node = tree_node(tree, id)) != NULL; id = znode_parent(node)) {
		if (elsewhere != 0 && is_in(tree, elsewhere, id))
			return false;
		tree_quota(tree, id, &quota);
		used = quotas_count(tree, node);
		if (quotas_beyond(&quota, &used, &more))
			return true;
	}
	return false;
}

static bool
write_lacks(const struct tree *tree, const struct wire_write *msg)
{
	const struct znode *node = tree_node(tree, msg->id);
	int64_t size = node == NULL ? 0 : znode_value(node).len, offset = 0, end;

	if (msg->how == WIRE_AT && msg->data.len != 0)
		offset = (int64_t)msg->offset;
	if (msg->how == WIRE_APPEND)
		offset = size;
	end = offset + msg->data.len;
	if (msg->how != WIRE_REPLACE && end < size)
		end = size;
	return lacks(tree, msg->id, 0, (struct usage){ 0, end - size });
}

static bool
setattr_lacks(const struct tree *tree, const struct wire_setattr *msg)
{
	const struct znode *node = tree_node(tree, msg->id);
	int64_t size = node == NULL ? 0 : znode_value(node).len;

	return (msg->valid & WIRE_SET_SIZE) != 0 &&
	       lacks(tree, msg->id, 0, (struct usage){ 0, (int64_t)msg->size - size });
}

static bool
rename_lacks(const struct tree *tree, const struct wire_rename *msg)
{
	const struct znode *node = tree_child(tree, msg->parent, msg->name);
	const struct znode *other = tree_child(tree, msg->newparent, msg->newname);
	struct usage more, back = { 0 };

	if (node == NULL)
		return false;
	more = quotas_count(tree, node);
	if (other != NULL)
		back = quotas_count(tree, other);
	more.nodes -= back.nodes;
	more.bytes -= back.bytes;
	back = (struct usage){ -more.nodes, -more.bytes };
	return lacks(tree, msg->newparent, msg->parent, more) ||
	       (msg->how == RENAME_EXCHANGE_FLAG && lacks(tree, msg->parent, msg->newparent, back));
}

static bool
request_lacks(const struct tree *tree, const struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_T_CREATE:
		return lacks(tree, msg->create.parent, 0,
		    (struct usage){ 1, (int64_t)msg->create.value.len });
	case WIRE_T_WRITE:
		return write_lacks(tree, &msg->write);
	case WIRE_T_SETATTR:
		return setattr_lacks(tree, &msg->setattr);
	case WIRE_T_RENAME:
		return rename_lacks(tree, &msg->rename);
	default:
		return false;
	}
}

/* Of several operations several.c says it. */
static void
check_refused(
    struct world *world, const struct tree *tree, const struct txn *txn, const struct done *done)
{
	msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	struct wire_msg msg;

	CHECK(
	    zone != NULL && wire_unpack(done->request->data, done->request->len, zone, &msg) == 0);
	world->coverage[COVER_NO_ROOM]++;
	if (!request_lacks(tree, &msg))
		fail(world, "%llx is refused for want of room, which there is",
		    (unsigned long long)txn->zxid);
	msgpack_zone_free(zone);
}

/* The directories with a quota. */
static void
collect(const struct tree *tree, uint64_t dir, struct quotas *out)
{
	const struct znode *node = tree_node(tree, dir), *child;
	struct quota quota;
	uint64_t id = 0;

	tree_quota(tree, dir, &quota);
	if (quota_limits(&quota) && out->count < QUOTAS_MAX) {
		out->at[out->count].id = dir;
		out->at[out->count].quota = quota;
		out->at[out->count++].used = quotas_count(tree, node);
	}
	while ((child = tree_next_child(tree, dir, id)) != NULL) {
		id = znode_id(child);
		if (S_ISDIR(znode_mode(child)))
			collect(tree, id, out);
	}
}

void
quotas_row(struct world *world, const struct tree *tree, const struct txn *txn,
    const struct done *done, struct quotas *out)
{
	out->count = 0;
	collect(tree, TREE_ROOT, out);
	if (txn->head.code == ERR_QUOTA && done != NULL && done->type != WIRE_T_MULTI)
		check_refused(world, tree, txn, done);
}

void
quotas_applied(struct world *world, const struct tree *tree, const struct txn *txn,
    const struct quotas *before)
{
	struct quotas now = { 0 };
	struct usage more;
	uint32_t i, j;

	collect(tree, TREE_ROOT, &now);
	for (i = 0; i < now.count; i++) {
		for (j = 0; j < before->count && before->at[j].id != now.at[i].id; j++)
			;
		if (j == before->count || (txn->nops != 0 && txn->ops[0].type == TXN_QUOTA &&
					      txn->ops[0].quota.id == now.at[i].id))
			continue;
		more.nodes = now.at[i].used.nodes - before->at[j].used.nodes;
		more.bytes = now.at[i].used.bytes - before->at[j].used.bytes;
		if (quotas_beyond(&now.at[i].quota, &before->at[j].used, &more))
			fail(world, "%llx goes beyond the quota of node %llu",
			    (unsigned long long)txn->zxid, (unsigned long long)now.at[i].id);
	}
	if (!quotas_right(tree, TREE_ROOT))
		fail(world, "the usage after %llx is not what is there",
		    (unsigned long long)txn->zxid);
}
