/*
 * What modifiers ask for: sequences, nodes that go by themselves, changes of one version only.
 * Clients draw it here (client.c); each row is checked beside the tree that reads.c has: it was
 * done as it was asked for, and nothing goes by itself before its time.
 */
#include "tests/sim/sim.h"

#include "replica/lib/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#define TTL_MAX_MS 1500
#define PREFIX "s" /* nobody else's names begin so */

void
qualified_owner(struct world *world, struct wire_create *create)
{
	switch (random_below(world, 6)) {
	case 0:
	case 1:
		create->owner = S_ISDIR(create->mode) ? WIRE_CONTAINER : WIRE_EPHEMERAL;
		break;
	case 2:
		create->owner = WIRE_TTL;
		create->handle = 1 + random_below(world, TTL_MAX_MS);
		break;
	default:
		break;
	}
}

/* Small: most nodes are written a few times. */
int64_t
qualified_version(struct world *world)
{
	return random_one_in(world, 3) ? (int64_t)random_below(world, 4) : -1;
}

static void
next_of_sequence(struct world *world, struct client *client, uint32_t name)
{
	struct wire_msg msg = { .type = WIRE_T_CREATE,
		.create = { .flags = WIRE_SEQUENCE,
		    .parent = client_parent(client, name),
		    .name = { (const uint8_t *)PREFIX, sizeof PREFIX - 1 },
		    .mode = random_one_in(world, 4) ? S_IFDIR | 0755 : S_IFREG | 0644 } };

	qualified_owner(world, &msg.create);
	client_ask(world, client, &msg, NAMES, 0);
}

/* The next one, or one that was made is written or removed, by its number. */
void
qualified_request(struct world *world, struct client *client, uint32_t name)
{
	uint64_t id = client->made[random_below(world, MADE)];
	struct wire_msg write = { .type = WIRE_T_WRITE,
		.write = { .id = id,
		    .how = WIRE_APPEND,
		    .data = { (const uint8_t *)"+", 1 },
		    .version = qualified_version(world) } };
	struct wire_msg remove = { .type = WIRE_T_DELETE,
		.delete = { .id = id, .version = qualified_version(world) } };

	if (id == 0 || random_one_in(world, 2))
		next_of_sequence(world, client, name);
	else if (random_one_in(world, 2))
		client_ask(world, client, &write, id, 0);
	else
		client_ask(world, client, &remove, id, 0);
}

void
qualified_note(struct done *done, const struct wire_msg *msg)
{
	done->version = -1;
	switch (msg->type) {
	case WIRE_T_CREATE:
		done->sequence = (msg->create.flags & WIRE_SEQUENCE) != 0;
		break;
	case WIRE_T_DELETE:
		done->version = msg->delete.version;
		done->parent = msg->delete.parent;
		break;
	case WIRE_T_WRITE:
		done->version = msg->write.version;
		break;
	case WIRE_T_SETATTR:
		done->version = msg->setattr.version;
		break;
	default:
		break;
	}
}

void
qualified_answered(struct world *world, struct done *done, struct blob name)
{
	if (done->code == ERR_EXISTS)
		fail(world, "client %u is refused a name of a sequence", done->client);
	if (done->code != ERR_OK || done->node == 0)
		return; /* it is gone again */
	done->value = XXH3_64bits(name.data, name.len);
	if (name.len == 0)
		fail(world, "client %u is not told what it has created", done->client);
}

const struct done *
qualified_asked(const struct world *world, const struct txn *txn)
{
	uint32_t i;

	for (i = 0; i < world->ndones && txn->head.rid != 0; i++)
		if (wire_is_write(world->dones[i].type) && world->dones[i].rid == txn->head.rid &&
		    world->dones[i].session == txn->head.session)
			return &world->dones[i];
	return NULL;
}

/* The number is the directory's cversion, so nobody else gets it. */
static void
check_sequence(
    struct world *world, const struct tree *tree, const struct txn *txn, const struct done *done)
{
	const struct txn_create *op = &txn->ops[0].create;
	char name[sizeof PREFIX + 10];
	struct wire_stat stat;

	znode_stat(tree, tree_node(tree, op->parent), &stat);
	snprintf(name, sizeof name, PREFIX "%010" PRIu32, stat.cversion);
	if (op->name.len != strlen(name) || memcmp(op->name.data, name, op->name.len) != 0)
		fail(world, "%llx creates %.*s, and not %s", (unsigned long long)txn->zxid,
		    (int)op->name.len, (const char *)op->name.data, name);
	if (done->ended != 0 && done->node != 0 && done->value != XXH3_64bits(name, strlen(name)))
		fail(world, "client %u is told another name than %s", done->client, name);
	world->coverage[COVER_NUMBERED]++;
}

static const struct znode *
meant(const struct tree *tree, const struct done *done)
{
	const char *name;

	if (done->type != WIRE_T_DELETE || done->parent == 0)
		return tree_node(tree, done->key);
	name = client_name((uint32_t)done->key);
	return tree_child(
	    tree, done->parent, (struct blob){ (const uint8_t *)name, (uint32_t)strlen(name) });
}

static void
check_version(
    struct world *world, const struct tree *tree, const struct txn *txn, const struct done *done)
{
	const struct znode *node = meant(tree, done);
	struct wire_stat stat = { 0 };

	if (node != NULL)
		znode_stat(tree, node, &stat);
	if (txn->head.code == ERR_OK && (int64_t)stat.version != done->version)
		fail(world, "%llx changes version %u, and was for %lld only",
		    (unsigned long long)txn->zxid, stat.version, (long long)done->version);
	if (txn->head.code != ERR_BADVERSION)
		return;
	world->coverage[COVER_VERSION]++;
	if (node == NULL || (int64_t)stat.version == done->version)
		fail(
		    world, "%llx was for the version that is there", (unsigned long long)txn->zxid);
}

/* Of how long it has to be there unchanged, -1: it stays. */
static int64_t
life_ns(const struct wire_stat *stat)
{
	uint64_t ttl_ms = wire_owner_ttl_ms(stat->owner);

	if (stat->children != 0)
		return -1;
	if (stat->owner == WIRE_OWNER_CONTAINER)
		return stat->cversion == 0 ? -1 : 0;
	return ttl_ms == 0 ? -1 : (int64_t)(ttl_ms * MS);
}

/* Nobody has asked for it: what goes is one that does, empty, and its time has come. */
static void
check_reaped(struct world *world, const struct tree *tree, const struct txn *txn)
{
	const struct znode *node = tree_node(tree, txn->ops[0].delete.id);
	struct wire_stat stat = { 0 };

	if (node != NULL)
		znode_stat(tree, node, &stat);
	if (node == NULL || life_ns(&stat) < 0 ||
	    txn->head.time_ns < stat.mtime_ns + life_ns(&stat))
		fail(world, "%llx removes node %llu, whose time has not come",
		    (unsigned long long)txn->zxid, (unsigned long long)txn->ops[0].delete.id);
	world->coverage[COVER_REAPED]++;
}

void
qualified_row(
    struct world *world, const struct tree *tree, const struct txn *txn, const struct done *done)
{
	if (done != NULL && done->type == WIRE_T_MULTI)
		several_row(world, tree, txn, done);
	if (txn->nops == 1 && txn->ops[0].type == TXN_DELETE && txn->head.session == 0)
		check_reaped(world, tree, txn);
	if (done != NULL && done->sequence && txn->head.code == ERR_OK)
		check_sequence(world, tree, txn, done);
	if (done != NULL && done->version != -1)
		check_version(world, tree, txn, done);
}

bool
qualified_overdue(const struct tree *tree, uint64_t dir, int64_t now_ns)
{
	const struct znode *child;
	struct wire_stat stat;
	uint64_t id = 0;

	while ((child = tree_next_child(tree, dir, id)) != NULL) {
		id = znode_id(child);
		znode_stat(tree, child, &stat);
		if (life_ns(&stat) >= 0 && stat.mtime_ns + life_ns(&stat) <= now_ns)
			return true;
		if (stat.children != 0 && qualified_overdue(tree, id, now_ns))
			return true;
	}
	return false;
}
