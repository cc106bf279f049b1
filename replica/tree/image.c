/*
 * The fuzzy image: rows from the tree, and the tree from rows. See image.h.
 * A pass keeps its sets of changed ids until the next one begins, so that what
 * failed to reach the disk can be made due again.
 */
#include "replica/tree/image.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/expiry.h"
#include "replica/tree/image_internal.h"
#include "replica/tree/lock.h"
#include "replica/tree/quota.h"

#include <stdlib.h>
#include <sys/stat.h>

#define RESULT_FIELDS 4

static const struct field result_fields[RESULT_FIELDS] = {
	{ FIELD_u64, offsetof(struct session_result, rid), 0, "rid" },
	{ FIELD_u64, offsetof(struct session_result, zxid), 0, "zxid" },
	{ FIELD_u64, offsetof(struct session_result, node), 0, "node" },
	{ FIELD_i32, offsetof(struct session_result, code), 0, "code" },
};
static const struct schema result_schema = { "RESULT", result_fields, RESULT_FIELDS,
	sizeof(struct session_result) };

/* Behind the results, in the same blob; told from them by the number of fields. */
#define LOCK_FIELDS 5

static const struct field lock_fields[LOCK_FIELDS] = {
	{ FIELD_u64, offsetof(struct lock, session), 0, "session" },
	{ FIELD_u64, offsetof(struct lock, node), 0, "node" },
	{ FIELD_u64, offsetof(struct lock, owner), 0, "owner" },
	{ FIELD_u64, offsetof(struct lock, zxid), 0, "zxid" },
	{ FIELD_u32, offsetof(struct lock, exclusive), 0, "exclusive" },
};
static const struct schema lock_schema = { "LOCK", lock_fields, LOCK_FIELDS, sizeof(struct lock) };

struct image_pass {
	Pvoid_t nodes, sessions; /* Judy1 */
	Word_t node, session;	 /* the last ones handed out */
	uint64_t applied;
};

void
image_pass_free(struct image_pass *pass)
{
	if (pass == NULL)
		return;
	Judy1FreeArray(&pass->nodes, PJE0);
	Judy1FreeArray(&pass->sessions, PJE0);
	free(pass);
}

uint64_t
image_dirty(const struct tree *tree)
{
	return Judy1Count(tree->dirty_nodes, 0, (Word_t)-1, PJE0) +
	       Judy1Count(tree->dirty_sessions, 0, (Word_t)-1, PJE0);
}

struct image_pass *
image_pass_begin(struct tree *tree)
{
	image_pass_free(tree->pass);
	tree->pass = calloc(1, sizeof *tree->pass);
	CHECK(tree->pass != NULL);
	tree->pass->applied = tree->applied;
	tree->pass->nodes = tree->dirty_nodes;
	tree->pass->sessions = tree->dirty_sessions;
	tree->dirty_nodes = NULL;
	tree->dirty_sessions = NULL;
	return tree->pass;
}

uint64_t
image_pass_applied(const struct image_pass *pass)
{
	return pass->applied;
}

static void
node_fill(const struct tree *tree, const struct znode *node, struct store_node *row)
{
	struct quota quota;

	tree_quota(tree, node->id, &quota);
	*row = (struct store_node){
		.id = node->id,
		.parent = node->parent,
		.czxid = node->czxid,
		.mzxid = node->mzxid,
		.pzxid = node->pzxid,
		.owner = node->owner,
		.handle = wire_owner_is_session(node->owner)
			      ? session_handle(tree, node->owner, node->id)
			      : 0,
		.mode = node->mode,
		.uid = node->uid,
		.gid = node->gid,
		.version = node->version,
		.cversion = node->cversion,
		.aversion = node->aversion,
		.birth_ns = node->birth_ns,
		.mtime_ns = node->mtime_ns,
		.ctime_ns = node->ctime_ns,
		.quota_nodes = quota.nodes,
		.quota_bytes = quota.bytes,
		.quota_hard = quota.hard,
		.name = znode_name(node),
		.value = znode_value(node),
	};
}

static void
results_pack(const struct session *session, msgpack_sbuffer *out)
{
	const struct lock *lock = NULL;
	msgpack_packer pk;
	Word_t rid = 0;
	PPvoid_t slot;

	msgpack_packer_init(&pk, out, msgpack_sbuffer_write);
	for (slot = JudyLFirst(session->results, &rid, PJE0); slot != NULL;
	     slot = JudyLNext(session->results, &rid, PJE0))
		codec_pack(&pk, &result_schema, *slot);
	while ((lock = session_next_lock(session, lock)) != NULL)
		codec_pack(&pk, &lock_schema, lock);
}

static void
session_fill(const struct session *session, msgpack_sbuffer *results, struct store_session *row)
{
	msgpack_sbuffer_clear(results);
	results_pack(session, results);
	*row = (struct store_session){
		.id = session->id,
		.acked = session->acked,
		.timeout_ms = session->timeout_ms,
		.secret = session_secret(session),
		.identity = session_identity(session),
		.results = { (const uint8_t *)results->data, (uint32_t)results->size },
	};
}

bool
image_next_node(const struct tree *tree, uint64_t after, struct store_node *row)
{
	Word_t id = after;
	PPvoid_t slot = JudyLNext(tree->nodes, &id, PJE0);

	if (slot == NULL)
		return false;
	node_fill(tree, *slot, row);
	return true;
}

bool
image_next_session(
    const struct tree *tree, uint64_t after, msgpack_sbuffer *results, struct store_session *row)
{
	Word_t id = after;
	PPvoid_t slot = JudyLNext(tree->sessions, &id, PJE0);

	if (slot == NULL)
		return false;
	session_fill(*slot, results, row);
	return true;
}

static void
node_row(const struct tree *tree, struct store_batch *batch, uint64_t id)
{
	const struct znode *node = node_find(tree, id);
	struct store_node row;

	if (node == NULL) {
		store_batch_node_gone(batch, id);
		return;
	}
	node_fill(tree, node, &row);
	store_batch_node(batch, &row);
}

static void
session_row(const struct tree *tree, struct store_batch *batch, uint64_t id)
{
	const struct session *session = session_find(tree, id);
	struct store_session row;
	msgpack_sbuffer results;

	if (session == NULL) {
		store_batch_session_gone(batch, id);
		return;
	}
	msgpack_sbuffer_init(&results);
	session_fill(session, &results, &row);
	store_batch_session(batch, &row);
	msgpack_sbuffer_destroy(&results);
}

bool
image_pass_next(
    struct tree *tree, struct image_pass *pass, struct store_batch *batch, size_t bytes_max)
{
	while (store_batch_bytes(batch) < bytes_max) {
		/* Ids start at 1, so the first one is after 0. */
		if (Judy1Next(pass->nodes, &pass->node, PJE0) == 1) {
			node_row(tree, batch, pass->node);
			continue;
		}
		pass->node = (Word_t)-1;
		if (Judy1Next(pass->sessions, &pass->session, PJE0) != 1)
			return false;
		session_row(tree, batch, pass->session);
	}
	return true;
}

static void
add_all(Pvoid_t *to, Pvoid_t from)
{
	Word_t id = 0;
	int found;

	for (found = Judy1First(from, &id, PJE0); found == 1; found = Judy1Next(from, &id, PJE0))
		CHECK(Judy1Set(to, id, PJE0) != JERR);
}

void
image_pass_abort(struct tree *tree, struct image_pass *pass)
{
	CHECK(pass == tree->pass);
	image_mark_all(tree);
}

void
image_mark_all(struct tree *tree)
{
	if (tree->pass == NULL)
		return;
	add_all(&tree->dirty_nodes, tree->pass->nodes);
	add_all(&tree->dirty_sessions, tree->pass->sessions);
	image_pass_free(tree->pass);
	tree->pass = NULL;
}

static bool
quota_valid(const struct store_node *row)
{
	if (row->quota_nodes == 0 && row->quota_bytes == 0)
		return row->quota_hard == 0;
	return row->quota_nodes >= 0 && row->quota_bytes >= 0 && row->quota_hard <= 1 &&
	       S_ISDIR(row->mode);
}

static bool
row_valid(const struct store_node *row)
{
	if (row->id < TREE_ROOT || row->id > TREE_ID_MAX || row->value.len > WIRE_VALUE_MAX)
		return false;
	if (!node_mode_valid(row->mode) || !node_owner_valid(row->mode, row->owner, row->handle))
		return false;
	if (!quota_valid(row))
		return false;
	if (row->id == TREE_ROOT)
		return row->parent == 0 && row->name.len == 0 && S_ISDIR(row->mode);
	return row->parent >= TREE_ROOT && row->parent <= TREE_ID_MAX && row->parent != row->id &&
	       node_check_name(row->name) == ERR_OK;
}

int
image_load_node(struct tree *tree, const struct store_node *row)
{
	struct quota quota = { row->quota_nodes, row->quota_bytes, row->quota_hard != 0 };
	struct znode *node = node_find(tree, row->id);

	if (!row_valid(row) || (node != NULL) != (row->id == TREE_ROOT))
		return ERR_PROTO;
	if (node == NULL) {
		node = node_new(tree, row->id, row->name);
		node->parent = row->parent;
	} else {
		tree->hash -= node_hash(node);
	}
	node->mode = row->mode;
	node->uid = row->uid;
	node->gid = row->gid;
	node->owner = row->owner;
	node->czxid = row->czxid;
	node->mzxid = row->mzxid;
	node->pzxid = row->pzxid;
	node->version = row->version;
	node->cversion = row->cversion;
	node->aversion = row->aversion;
	node->birth_ns = row->birth_ns;
	node->mtime_ns = row->mtime_ns;
	node->ctime_ns = row->ctime_ns;
	node_write(tree, node, row->value.len, 0, row->value, true);
	tree->hash += node_hash(node);
	quota_put(tree, row->id, &quota);
	expiry_add(tree, node);
	if (wire_owner_is_session(row->owner)) {
		tree->ephemerals++;
		session_ephemeral_add(tree, row->owner, row->id, row->handle);
	}
	return 0;
}

/* In the order of node and owner, each in a place of its own. */
static int
lock_load(struct tree *tree, struct session *session, const msgpack_object *fields,
    const struct lock **last)
{
	struct lock lock;

	if (codec_unpack(&lock_schema, fields, LOCK_FIELDS, &lock) != 0 ||
	    lock.session != session->id || lock.node < TREE_ROOT || lock.node > TREE_ID_MAX ||
	    lock.zxid <= session->id || lock.exclusive > 1 || session->nlocks >= TREE_LOCKS_MAX)
		return ERR_PROTO;
	if (*last != NULL && (lock.node < (*last)->node ||
				 (lock.node == (*last)->node && lock.owner <= (*last)->owner)))
		return ERR_PROTO;
	if (lock_is_there(tree, lock.node, lock.zxid))
		return ERR_PROTO;
	lock_put(tree, session, lock.node, lock.owner, lock.exclusive != 0, lock.zxid);
	*last = tree_lock(tree, session->id, lock.node, lock.owner);
	return 0;
}

static int
results_load(struct tree *tree, struct session *session, struct blob in)
{
	msgpack_object fields[LOCK_FIELDS];
	const struct lock *last_lock = NULL;
	struct session_result result;
	uint64_t last = session->acked;
	size_t off = 0;
	uint32_t n;

	while (off < in.len) {
		if (codec_flat(in.data, in.len, &off, fields, LOCK_FIELDS, &n) != 0)
			return ERR_PROTO;
		if (n == LOCK_FIELDS) {
			if (lock_load(tree, session, fields, &last_lock) != 0)
				return ERR_PROTO;
			continue;
		}
		if (last_lock != NULL || codec_unpack(&result_schema, fields, n, &result) != 0 ||
		    result.rid <= last)
			return ERR_PROTO;
		last = result.rid;
		session_record(tree, session, &result, 0);
	}
	return 0;
}

int
image_load_session(struct tree *tree, const struct store_session *row)
{
	struct session *session;

	if (row->id == 0 || session_find(tree, row->id) != NULL ||
	    row->secret.len != WIRE_SECRET_LEN || row->identity.len > WIRE_IDENTITY_MAX)
		return ERR_PROTO;
	session = session_put(tree, row->id, row->secret, row->timeout_ms, row->identity);
	session_acknowledge(tree, session, row->acked);
	return results_load(tree, session, row->results);
}

void
image_load_done(struct tree *tree, uint64_t applied, uint64_t next_id)
{
	struct znode *node;
	struct blob name;
	Word_t id = 0;
	PPvoid_t slot;

	for (slot = JudyLFirst(tree->nodes, &id, PJE0); slot != NULL;
	     slot = JudyLNext(tree->nodes, &id, PJE0)) {
		node = *slot;
		name = znode_name(node);
		if (!node->placed)
			node_place(tree, node, node->parent, name);
	}
	tree->applied = applied;
	if (next_id > tree->next_id)
		tree->next_id = next_id;
	/* What was loaded is on disk. */
	Judy1FreeArray(&tree->dirty_nodes, PJE0);
	Judy1FreeArray(&tree->dirty_sessions, PJE0);
}
