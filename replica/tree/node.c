/* Znodes: the index, places, values, hashes. See node.h; called by tree.c and image.c. */
#include "replica/tree/node.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"
#include "replica/tree/expiry.h"
#include "replica/tree/quota.h"
#include "replica/tree/session.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

static int
name_compare(const struct znode *a, const struct znode *b)
{
	size_t len = a->name_len < b->name_len ? a->name_len : b->name_len;
	int order = memcmp(a->name, b->name, len);

	return order != 0 ? order : (int)a->name_len - (int)b->name_len;
}

#define UNUSED_STATIC static __attribute__((unused))
RB_PROTOTYPE_INTERNAL(znode_names, znode, by_name, name_compare, UNUSED_STATIC)
RB_GENERATE_INTERNAL(znode_names, znode, by_name, name_compare, UNUSED_STATIC)

int
node_check_name(struct blob name)
{
	if (name.len > WIRE_NAME_MAX)
		return ERR_NAMETOOLONG;
	if (name.len == 0 || memchr(name.data, '/', name.len) != NULL ||
	    memchr(name.data, '\0', name.len) != NULL)
		return ERR_INVAL;
	if ((name.len == 1 && memcmp(name.data, ".", 1) == 0) ||
	    (name.len == 2 && memcmp(name.data, "..", 2) == 0) ||
	    (name.len == 4 && memcmp(name.data, ".zab", 4) == 0))
		return ERR_INVAL;
	return ERR_OK;
}

bool
node_mode_valid(uint32_t mode)
{
	if (!S_ISDIR(mode) && !S_ISREG(mode) && !S_ISLNK(mode))
		return false;
	return (mode & ~(uint32_t)(S_IFMT | 07777)) == 0;
}

bool
node_owner_valid(uint32_t mode, uint64_t owner, uint64_t handle)
{
	if (wire_owner_is_session(owner))
		return !S_ISDIR(mode);
	if (handle != 0)
		return false;
	if (owner >= WIRE_OWNER_CONTAINER)
		return owner == WIRE_OWNER_CONTAINER && S_ISDIR(mode);
	return owner == 0 ||
	       (wire_owner_ttl_ms(owner) != 0 && wire_owner_ttl_ms(owner) <= WIRE_TTL_MAX);
}

struct znode *
node_find(const struct tree *tree, uint64_t id)
{
	PPvoid_t slot = JudyLGet(tree->nodes, id, PJE0);

	return slot == NULL ? NULL : *slot;
}

static void
index_set(struct tree *tree, struct znode *node)
{
	PPvoid_t slot = JudyLIns(&tree->nodes, node->id, PJE0);

	CHECK(slot != NULL && slot != PPJERR);
	*slot = node;
}

static struct znode *
allocate(struct blob name)
{
	struct znode *node;

	CHECK(name.len <= WIRE_NAME_MAX);
	node = calloc(1, sizeof *node + name.len);
	CHECK(node != NULL);
	node->name_len = (uint8_t)name.len;
	if (name.len != 0)
		memcpy(node->name, name.data, name.len);
	return node;
}

struct znode *
node_new(struct tree *tree, uint64_t id, struct blob name)
{
	struct znode *node = allocate(name);

	node->id = id;
	index_set(tree, node);
	tree->count++;
	tree->unplaced++;
	return node;
}

static void
children_drop(struct znode *dir)
{
	free(dir->children);
	dir->children = NULL;
}

void
node_unplace(struct tree *tree, struct znode *node)
{
	struct znode *dir;

	if (!node->placed)
		return;
	dir = node_find(tree, node->parent);
	CHECK(dir != NULL);
	usage_leave(tree, node);
	RB_REMOVE(znode_names, &dir->children->names, node);
	Judy1Unset(&dir->children->ids, node->id, PJE0);
	if (--dir->children->count == 0) {
		children_drop(dir);
		expiry_add(tree, dir);
	}
	node->placed = false;
	tree->unplaced++;
}

static void
children_unplace(struct tree *tree, struct znode *dir)
{
	struct znode *child;

	while (dir->children != NULL) {
		child = RB_MIN(znode_names, &dir->children->names);
		node_unplace(tree, child);
	}
}

void
node_free(struct tree *tree, struct znode *node)
{
	if (node->children != NULL)
		tree_misfit(tree);
	children_unplace(tree, node);
	expiry_remove(tree, node);
	quota_remove(tree, node->id);
	node_unplace(tree, node);
	tree->unplaced--;
	tree->count--;
	tree->bytes -= node->value_len;
	if (wire_owner_is_session(node->owner))
		tree->ephemerals--;
	JudyLDel(&tree->nodes, node->id, PJE0);
	free(node->value);
	free(node);
}

/* The same node under another name: the name is part of its memory. */
static struct znode *
rename_in_memory(struct tree *tree, struct znode *node, struct blob name)
{
	struct znode *moved;

	if (node->name_len == name.len && memcmp(node->name, name.data, name.len) == 0)
		return node;
	moved = allocate(name);
	memcpy(moved, node, offsetof(struct znode, name));
	moved->name_len = (uint8_t)name.len;
	index_set(tree, moved);
	free(node);
	return moved;
}

static void
children_add(struct tree *tree, struct znode *dir, struct znode *node)
{
	if (dir->children == NULL) {
		expiry_remove(tree, dir);
		dir->children = calloc(1, sizeof *dir->children);
		CHECK(dir->children != NULL);
		RB_INIT(&dir->children->names);
	}
	CHECK(RB_INSERT(znode_names, &dir->children->names, node) == NULL);
	CHECK(Judy1Set(&dir->children->ids, node->id, PJE0) == 1);
	dir->children->count++;
}

struct znode *
node_place(struct tree *tree, struct znode *node, uint64_t parent, struct blob name)
{
	struct znode *dir = node_find(tree, parent), *other;

	node_unplace(tree, node);
	node = rename_in_memory(tree, node, name);
	node->parent = parent;
	if (dir == NULL || !S_ISDIR(dir->mode) ||
	    (!tree->recovering && node->children != NULL && usage_is_below(tree, dir, node))) {
		tree_misfit(tree);
		return node;
	}
	other = node_child(dir, name);
	if (other != NULL) {
		tree_misfit(tree);
		node_unplace(tree, other);
	}
	node->placed = true;
	tree->unplaced--;
	children_add(tree, dir, node);
	usage_come(tree, node);
	return node;
}

struct znode *
node_child(const struct znode *dir, struct blob name)
{
	union {
		struct znode node;
		uint8_t space[sizeof(struct znode) + WIRE_NAME_MAX];
	} key;

	if (dir->children == NULL || name.len > WIRE_NAME_MAX)
		return NULL;
	key.node.name_len = (uint8_t)name.len;
	if (name.len != 0)
		memcpy(key.space + offsetof(struct znode, name), name.data, name.len);
	return RB_FIND(znode_names, &dir->children->names, &key.node);
}

void
node_write(struct tree *tree, struct znode *node, uint32_t size, uint32_t offset, struct blob data,
    bool whole)
{
	uint32_t was = node->value_len, kept = whole ? 0 : was;

	CHECK((uint64_t)offset + data.len <= size);
	tree->bytes += size;
	tree->bytes -= was;
	if (size == 0) {
		free(node->value);
		node->value = NULL;
	} else {
		node->value = realloc(node->value, size);
		CHECK(node->value != NULL);
		if (size > kept)
			memset(node->value + kept, 0, size - kept);
		if (data.len != 0)
			memcpy(node->value + offset, data.data, data.len);
	}
	node->value_len = size;
	usage_resized(tree, node, was);
}

uint64_t
hash_numbers(uint64_t *numbers, size_t n, uint64_t seed)
{
	size_t i;

	for (i = 0; i < n; i++)
		numbers[i] = htole64(numbers[i]);
	return XXH3_64bits_withSeed(numbers, n * sizeof *numbers, seed);
}

uint64_t
node_hash(const struct znode *node)
{
	uint64_t numbers[] = { node->id, node->parent, node->czxid, node->mzxid, node->pzxid,
		node->owner, node->version, node->cversion, node->aversion, node->mode, node->uid,
		node->gid, (uint64_t)node->birth_ns, (uint64_t)node->mtime_ns,
		(uint64_t)node->ctime_ns, node->name_len, node->value_len };
	uint64_t hash = hash_numbers(numbers, sizeof numbers / sizeof numbers[0], 0);

	hash = XXH3_64bits_withSeed(node->name, node->name_len, hash);
	return XXH3_64bits_withSeed(node->value, node->value_len, hash);
}

void
node_begin(struct tree *tree, const struct znode *node)
{
	tree->hash -= node_hash(node);
	expiry_remove(tree, node);
}

void
node_end(struct tree *tree, const struct znode *node)
{
	tree->hash += node_hash(node);
	expiry_add(tree, node);
	CHECK(Judy1Set(&tree->dirty_nodes, node->id, PJE0) != JERR);
}

void
znode_stat(const struct tree *tree, const struct znode *node, struct wire_stat *out)
{
	*out = (struct wire_stat){
		.id = node->id,
		.parent = node->parent,
		.mode = node->mode,
		.uid = node->uid,
		.gid = node->gid,
		.size = node->value_len,
		.children = node->children == NULL ? 0 : node->children->count,
		.version = node->version,
		.cversion = node->cversion,
		.aversion = node->aversion,
		.czxid = node->czxid,
		.mzxid = node->mzxid,
		.pzxid = node->pzxid,
		.owner = node->owner,
		.birth_ns = node->birth_ns,
		.mtime_ns = node->mtime_ns,
		.ctime_ns = node->ctime_ns,
	};
	if (!wire_owner_is_session(node->owner))
		return;
	out->handle = session_handle(tree, node->owner, node->id);
	if (S_ISREG(node->mode))
		out->mode |= S_ISVTX;
}

struct blob
znode_value(const struct znode *node)
{
	return (struct blob){ node->value, node->value_len };
}

struct blob
znode_name(const struct znode *node)
{
	return (struct blob){ node->name, node->name_len };
}

uint64_t
znode_id(const struct znode *node)
{
	return node->id;
}

uint64_t
znode_parent(const struct znode *node)
{
	return node->parent;
}

uint32_t
znode_mode(const struct znode *node)
{
	return node->mode;
}
