/*
 * One function per request: what it needs is checked against the view, in the
 * order in which Linux checks, and what results goes into the transaction and
 * the view. See prep_internal.h.
 */
#include "replica/tree/prep_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define OPS_FIRST 4	/* room made at first; a session's end needs more */
#define TARGET_MAX 4095 /* bytes of a symbolic link's target, PATH_MAX - 1 */
#define MODE_BITS 07777u
#define SEQUENCE_DIGITS 10

struct txn_op *
prep_op(struct prep_job *job, enum txn_op_type type)
{
	struct txn *txn = job->out;
	struct txn_op *more, *op;
	uint32_t room = txn->nops < OPS_FIRST ? OPS_FIRST : txn->nops;

	/* Full when the number is a power of two times OPS_FIRST: twice the room. */
	if (txn->nops == 0 || (txn->nops >= OPS_FIRST && (txn->nops & (txn->nops - 1)) == 0)) {
		more = msgpack_zone_malloc(job->zone, 2 * room * sizeof *more);
		CHECK(more != NULL);
		if (txn->nops != 0)
			memcpy(more, txn->ops, txn->nops * sizeof *more);
		txn->ops = more;
	}
	op = &txn->ops[txn->nops++];
	memset(op, 0, sizeof *op);
	op->type = type;
	return op;
}

/* A name's bytes have to live as long as the transaction. */
static struct blob
keep(struct prep_job *job, struct blob name)
{
	uint8_t *copy;

	if (name.len == 0)
		return name;
	copy = msgpack_zone_malloc(job->zone, name.len);
	CHECK(copy != NULL);
	memcpy(copy, name.data, name.len);
	return (struct blob){ copy, name.len };
}

int
prep_get_dir(const struct prep_job *job, uint64_t id, struct view_node *dir)
{
	if (!view_get(job->view, id, dir))
		return ERR_NONODE;
	return S_ISDIR(dir->mode) ? 0 : ERR_NOTDIR;
}

void
prep_set_name(struct view_node *node, uint64_t parent, struct blob name)
{
	node->parent = parent;
	node->name_len = (uint8_t)name.len;
	memcpy(node->name, name.data, name.len);
}

void
prep_dir_change(struct prep_job *job, struct view_node *dir, int children)
{
	dir->cversion++;
	dir->children += (uint32_t)children;
	view_put(job->view, dir, job->zxid);
}

/* The new node's owner; the handle is only a held one's. False: such a node can't be. */
static bool
owner_of(const struct prep_job *job, const struct wire_create *msg, uint64_t *owner)
{
	uint64_t handle = msg->owner == WIRE_HELD ? msg->handle : 0;

	switch (msg->owner) {
	case WIRE_PERSISTENT:
		*owner = 0;
		return true;
	case WIRE_HELD:
		if (handle == 0)
			return false;
		*owner = job->session;
		break;
	case WIRE_EPHEMERAL:
		*owner = job->session;
		break;
	case WIRE_CONTAINER:
		*owner = WIRE_OWNER_CONTAINER;
		break;
	case WIRE_TTL:
		if (msg->handle > WIRE_TTL_MAX)
			return false;
		*owner = WIRE_OWNER_TTL | msg->handle;
		break;
	default:
		return false;
	}
	return node_owner_valid(msg->mode, *owner, handle);
}

/*
 * A sequence's number is the directory's cversion, which grows by each creation. (Where somebody
 * has taken that very name: ERR_EXISTS, as in ZooKeeper.)
 */
static struct blob
name_of(const struct prep_job *job, const struct wire_create *msg, const struct view_node *dir)
{
	char *name;

	if ((msg->flags & WIRE_SEQUENCE) == 0)
		return msg->name;
	name = msgpack_zone_malloc(job->zone, msg->name.len + SEQUENCE_DIGITS + 1);
	CHECK(name != NULL);
	if (msg->name.len != 0)
		memcpy(name, msg->name.data, msg->name.len);
	snprintf(name + msg->name.len, SEQUENCE_DIGITS + 1, "%010" PRIu32, dir->cversion);
	return (struct blob){ (uint8_t *)name, msg->name.len + SEQUENCE_DIGITS };
}

static int
check_create(const struct prep_job *job, const struct wire_create *msg, struct blob name)
{
	uint32_t kind = msg->mode & S_IFMT;
	int code = node_check_name(name);

	if (code != 0)
		return code;
	if (kind != S_IFDIR && kind != S_IFREG && kind != S_IFLNK)
		return ERR_PERM;
	if (view_child(job->view, msg->parent, name) != 0)
		return ERR_EXISTS;
	if (kind == S_IFLNK && (msg->value.len == 0 || msg->value.len > TARGET_MAX))
		return msg->value.len == 0 ? ERR_NONODE : ERR_NAMETOOLONG;
	if (kind == S_IFLNK && memchr(msg->value.data, '\0', msg->value.len) != NULL)
		return ERR_INVAL;
	return msg->value.len > job->value_max ? ERR_FBIG : 0;
}

int
prep_create(struct prep_job *job, const struct wire_create *msg)
{
	struct usage more = { 1, msg->value.len };
	struct view_node dir, node = { 0 };
	struct txn_create *op;
	struct blob name;
	int code = prep_get_dir(job, msg->parent, &dir);

	if (code != 0)
		return code;
	name = name_of(job, msg, &dir);
	code = check_create(job, msg, name);
	if (code == 0 && !owner_of(job, msg, &node.owner))
		code = ERR_INVAL;
	/* All ephemerals of a session go in one transaction, so their number is bounded. */
	if (code == 0 && wire_owner_is_session(node.owner) && job->ephemerals_left-- == 0)
		code = ERR_QUOTA;
	if (code == 0)
		code = prep_room(job, msg->parent, 0, &more);
	if (code != 0)
		return code;
	node.id = view_new_id(job->view);
	node.mode = msg->mode & (S_IFMT | MODE_BITS);
	node.uid = msg->uid;
	node.gid = msg->gid;
	node.size = msg->value.len;
	if (dir.mode & S_ISGID) {
		node.gid = dir.gid;
		node.mode |= S_ISDIR(node.mode) ? S_ISGID : 0;
	}
	if (S_ISREG(node.mode))
		node.mode &= ~(uint32_t)S_ISVTX; /* shows what is ephemeral */
	prep_set_name(&node, msg->parent, name);
	prep_dir_change(job, &dir, 1);
	view_put(job->view, &node, job->zxid);
	view_charge(job->view, msg->parent, &more, job->zxid);
	view_name(job->view, msg->parent, name, node.id, job->zxid);

	op = &prep_op(job, TXN_CREATE)->create;
	op->id = node.id;
	op->parent = msg->parent;
	op->name = name;
	op->mode = node.mode;
	op->uid = node.uid;
	op->gid = node.gid;
	op->owner = node.owner;
	op->handle = msg->owner == WIRE_HELD ? msg->handle : 0;
	op->parent_cversion = dir.cversion;
	op->value = msg->value;
	job->out->head.result_id = node.id;
	return 0;
}

void
prep_remove(struct prep_job *job, const struct view_node *node)
{
	struct usage less = { -1, -(int64_t)node->size };
	struct txn_delete *op;
	struct view_node dir;
	struct blob name = keep(job, view_node_name(node));

	CHECK(view_get(job->view, node->parent, &dir));
	prep_dir_change(job, &dir, -1);
	view_charge(job->view, node->parent, &less, job->zxid);
	view_remove(job->view, node->id, job->zxid);
	view_name(job->view, node->parent, name, 0, job->zxid);
	op = &prep_op(job, TXN_DELETE)->delete;
	op->id = node->id;
	op->parent = node->parent;
	op->name = name;
	op->mode = node->mode;
	op->parent_cversion = dir.cversion;
}

/* What a DELETE means: by name, or by id. */
static int
find_doomed(const struct prep_job *job, const struct wire_delete *msg, struct view_node *node)
{
	struct view_node dir;
	uint64_t id = msg->id;
	int code;

	if (msg->parent != 0) {
		code = prep_get_dir(job, msg->parent, &dir);
		if (code != 0)
			return code;
		id = view_child(job->view, msg->parent, msg->name);
		if (msg->id != 0 && id != msg->id)
			return ERR_NONODE;
	}
	if (id == 0 || !view_get(job->view, id, node))
		return ERR_NONODE;
	if (msg->parent == 0)
		return 0;
	if (msg->dir && !S_ISDIR(node->mode))
		return ERR_NOTDIR;
	return !msg->dir && S_ISDIR(node->mode) ? ERR_ISDIR : 0;
}

bool
prep_is_guarded(const struct view_node *dir, const struct view_node *node, uint32_t uid)
{
	return (dir->mode & S_ISVTX) != 0 && uid != 0 && uid != dir->uid && uid != node->uid;
}

int
prep_delete(struct prep_job *job, const struct wire_delete *msg)
{
	struct view_node node, dir;
	int code = find_doomed(job, msg, &node);

	if (code != 0)
		return code;
	if (node.id == TREE_ROOT)
		return ERR_PERM;
	CHECK(view_get(job->view, node.parent, &dir));
	if (prep_is_guarded(&dir, &node, msg->uid))
		return ERR_PERM;
	if (node.children != 0)
		return ERR_NOTEMPTY;
	if (msg->version != -1 && msg->version != (int64_t)node.version)
		return ERR_BADVERSION;
	prep_remove(job, &node);
	return 0;
}

/* Whether there is room for a value of this size. */
static int
check_size(const struct prep_job *job, const struct view_node *node, uint64_t size)
{
	struct usage more = { 0, (int64_t)size - node->size };

	return prep_room(job, node->id, 0, &more);
}

/* The operation of a new value: `size` bytes with data at offset. */
static void
write_op(struct prep_job *job, struct view_node *node, uint32_t size, uint32_t offset,
    struct blob data, bool whole)
{
	struct txn_write *op = &prep_op(job, TXN_WRITE)->write;
	struct usage more = { 0, (int64_t)size - node->size };

	view_charge(job->view, node->parent, &more, job->zxid);
	node->version++;
	node->size = size;
	op->id = node->id;
	op->parent = node->parent;
	op->name = keep(job, view_node_name(node));
	op->version = node->version;
	op->size = size;
	op->offset = offset;
	op->whole = whole;
	op->mode = node->mode;
	op->data = data;
}

int
prep_write_value(struct prep_job *job, const struct wire_write *msg)
{
	struct view_node node;
	uint64_t offset, end;
	int code;

	if (!view_get(job->view, msg->id, &node))
		return ERR_NONODE;
	if (S_ISLNK(node.mode) || msg->how > WIRE_REPLACE)
		return ERR_INVAL;
	if (msg->version != -1 && msg->version != (int64_t)node.version)
		return ERR_BADVERSION;
	offset = msg->how == WIRE_AT ? msg->offset : msg->how == WIRE_APPEND ? node.size : 0;
	if (msg->data.len == 0)
		offset = 0; /* nothing to put anywhere: no hole either, as write(2) */
	if (offset > job->value_max || offset + msg->data.len > job->value_max)
		return ERR_FBIG;
	end = offset + msg->data.len;
	if (msg->how != WIRE_REPLACE && end < node.size)
		end = node.size;
	code = check_size(job, &node, end);
	if (code != 0)
		return code;
	write_op(job, &node, (uint32_t)end, (uint32_t)offset, msg->data, msg->how == WIRE_REPLACE);
	view_put(job->view, &node, job->zxid);
	job->out->head.result_id = node.id;
	return 0;
}

static void
attr_op(struct prep_job *job, struct view_node *node, const struct wire_setattr *msg)
{
	struct txn_attr *op = &prep_op(job, TXN_ATTR)->attr;

	if (msg->valid & WIRE_SET_MODE)
		node->mode = (node->mode & S_IFMT) | (msg->mode & MODE_BITS);
	if (S_ISREG(node->mode))
		node->mode &= ~(uint32_t)S_ISVTX;
	if (msg->valid & WIRE_SET_UID)
		node->uid = msg->uid;
	if (msg->valid & WIRE_SET_GID)
		node->gid = msg->gid;
	node->aversion++;
	op->id = node->id;
	op->parent = node->parent;
	op->name = keep(job, view_node_name(node));
	op->aversion = node->aversion;
	op->mode = node->mode;
	op->uid = node->uid;
	op->gid = node->gid;
	op->mtime = (msg->valid & WIRE_SET_MTIME) != 0;
}

int
prep_setattr(struct prep_job *job, const struct wire_setattr *msg)
{
	const uint32_t attrs = WIRE_SET_MODE | WIRE_SET_UID | WIRE_SET_GID | WIRE_SET_MTIME;
	struct view_node node;
	int code;

	if (!view_get(job->view, msg->id, &node))
		return ERR_NONODE;
	if (msg->valid == 0 || (msg->valid & ~(attrs | WIRE_SET_SIZE)) != 0)
		return ERR_INVAL;
	if (msg->version != -1 && msg->version != (int64_t)node.version)
		return ERR_BADVERSION;
	if (S_ISLNK(node.mode) && (msg->valid & WIRE_SET_MODE))
		return ERR_NOTSUP;
	if (msg->valid & WIRE_SET_SIZE) {
		if (S_ISLNK(node.mode))
			return ERR_INVAL;
		if (msg->size > job->value_max)
			return ERR_FBIG;
		code = check_size(job, &node, msg->size);
		if (code != 0)
			return code;
		write_op(job, &node, (uint32_t)msg->size, 0, (struct blob){ 0 }, false);
	}
	if (msg->valid & attrs)
		attr_op(job, &node, msg);
	view_put(job->view, &node, job->zxid);
	job->out->head.result_id = node.id;
	return 0;
}
