/* The overlay. See view.h. */
#include "replica/tree/view.h"

#include "replica/lib/check.h"

#include <Judy.h>
#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct node_entry {
	TAILQ_ENTRY(node_entry) next; /* in order of zxid */
	uint64_t zxid;
	bool gone;
	struct view_node node;
};
TAILQ_HEAD(node_entries, node_entry);

/* What is below a directory. */
struct usage_entry {
	TAILQ_ENTRY(usage_entry) next;
	uint64_t zxid, id;
	struct usage below;
};
TAILQ_HEAD(usage_entries, usage_entry);

struct name_key {
	uint64_t parent;
	uint8_t name[WIRE_NAME_MAX];
};

struct name_entry {
	TAILQ_ENTRY(name_entry) next;
	UT_hash_handle hh;
	uint64_t zxid;
	uint64_t id;
	uint32_t len; /* of the name */
	struct name_key key;
};
TAILQ_HEAD(name_entries, name_entry);

struct view {
	const struct tree *tree;
	struct view *below; /* NULL: over the tree */
	Pvoid_t nodes;	    /* JudyL: id -> node_entry */
	Pvoid_t usages;	    /* JudyL: id -> usage_entry */
	struct name_entry *names;
	struct node_entries node_order;
	struct name_entries name_order;
	struct usage_entries usage_order;
	size_t size;
	size_t quotas; /* nodes among them that have one */
	uint64_t next_id;
};

struct view *
view_new(const struct tree *tree)
{
	struct view *view = calloc(1, sizeof *view);

	CHECK(view != NULL);
	view->tree = tree;
	TAILQ_INIT(&view->node_order);
	TAILQ_INIT(&view->name_order);
	TAILQ_INIT(&view->usage_order);
	return view;
}

struct view *
view_layer(struct view *below)
{
	struct view *view = view_new(below->tree);

	view->below = below;
	view->next_id = below->next_id;
	return view;
}

void
view_free(struct view *view)
{
	view_reset(view);
	free(view);
}

struct blob
view_node_name(const struct view_node *node)
{
	return (struct blob){ node->name, node->name_len };
}

static void
below_in_tree(const struct view *view, uint64_t id, struct usage *out)
{
	const struct znode *znode = tree_node(view->tree, id);

	*out = (struct usage){ 0 };
	if (znode == NULL)
		return;
	znode_usage(znode, out);
	out->nodes--;
	out->bytes -= znode_value(znode).len;
}

static void
from_tree(const struct view *view, const struct znode *znode, struct view_node *out)
{
	struct blob name = znode_name(znode);
	struct wire_stat stat;

	znode_stat(view->tree, znode, &stat);
	out->id = stat.id;
	out->parent = stat.parent;
	out->owner = stat.owner;
	out->mode = znode_mode(znode);
	out->uid = stat.uid;
	out->gid = stat.gid;
	out->size = stat.size;
	out->version = stat.version;
	out->cversion = stat.cversion;
	out->aversion = stat.aversion;
	out->children = stat.children;
	tree_quota(view->tree, stat.id, &out->quota);
	out->name_len = (uint8_t)name.len;
	if (name.len != 0)
		memcpy(out->name, name.data, name.len);
}

static struct node_entry *
node_entry(const struct view *view, uint64_t id)
{
	PPvoid_t slot = JudyLGet(view->nodes, id, PJE0);

	return slot == NULL ? NULL : *slot;
}

bool
view_get(const struct view *view, uint64_t id, struct view_node *out)
{
	const struct node_entry *entry = node_entry(view, id);
	const struct znode *znode;

	if (entry != NULL) {
		*out = entry->node;
		return !entry->gone;
	}
	if (view->below != NULL)
		return view_get(view->below, id, out);
	znode = tree_node(view->tree, id);
	if (znode == NULL)
		return false;
	from_tree(view, znode, out);
	return true;
}

uint64_t
view_parent(const struct view *view, uint64_t id)
{
	const struct node_entry *entry = node_entry(view, id);
	const struct znode *znode;

	if (entry != NULL)
		return entry->gone ? 0 : entry->node.parent;
	if (view->below != NULL)
		return view_parent(view->below, id);
	znode = tree_node(view->tree, id);
	return znode == NULL ? 0 : znode_parent(znode);
}

static uint32_t
size_of(const struct view *view, uint64_t id)
{
	const struct node_entry *entry = node_entry(view, id);
	const struct znode *znode;

	if (entry != NULL)
		return entry->node.size;
	if (view->below != NULL)
		return size_of(view->below, id);
	znode = tree_node(view->tree, id);
	return znode == NULL ? 0 : znode_value(znode).len;
}

static struct usage_entry *
usage_entry(const struct view *view, uint64_t id)
{
	PPvoid_t slot = JudyLGet(view->usages, id, PJE0);

	return slot == NULL ? NULL : *slot;
}

static void
below_of(const struct view *view, uint64_t id, struct usage *out)
{
	const struct usage_entry *entry = usage_entry(view, id);

	if (entry != NULL)
		*out = entry->below;
	else if (view->below != NULL)
		below_of(view->below, id, out);
	else
		below_in_tree(view, id, out);
}

void
view_usage(const struct view *view, uint64_t id, struct usage *out)
{
	below_of(view, id, out);
	out->nodes++;
	out->bytes += size_of(view, id);
}

void
view_quota(const struct view *view, uint64_t id, struct quota *out)
{
	const struct node_entry *entry = node_entry(view, id);

	if (entry != NULL)
		*out = entry->node.quota;
	else if (view->below != NULL)
		view_quota(view->below, id, out);
	else
		tree_quota(view->tree, id, out);
}

bool
view_is_limited(const struct view *view)
{
	if (view->quotas != 0)
		return true;
	return view->below != NULL ? view_is_limited(view->below) : tree_has_quotas(view->tree);
}

bool
view_in_flight(const struct view *view, uint64_t id)
{
	return node_entry(view, id) != NULL ||
	       (view->below != NULL && view_in_flight(view->below, id));
}

static unsigned
key_make(struct name_key *key, uint64_t parent, struct blob name)
{
	CHECK(name.len <= WIRE_NAME_MAX);
	key->parent = parent;
	if (name.len != 0)
		memcpy(key->name, name.data, name.len);
	return (unsigned)(offsetof(struct name_key, name) + name.len);
}

uint64_t
view_child(const struct view *view, uint64_t parent, struct blob name)
{
	const struct znode *child;
	struct name_entry *entry;
	struct name_key key;
	unsigned len = key_make(&key, parent, name);

	HASH_FIND(hh, view->names, &key, len, entry);
	if (entry != NULL)
		return entry->id;
	if (view->below != NULL)
		return view_child(view->below, parent, name);
	child = tree_child(view->tree, parent, name);
	return child == NULL ? 0 : znode_id(child);
}

/* The node's entry, at the end of the order. */
static struct node_entry *
touch_node(struct view *view, uint64_t id, uint64_t zxid)
{
	PPvoid_t slot = JudyLIns(&view->nodes, id, PJE0);
	struct node_entry *entry;

	CHECK(slot != NULL && slot != PPJERR);
	entry = *slot;
	if (entry == NULL) {
		entry = calloc(1, sizeof *entry);
		CHECK(entry != NULL);
		*slot = entry;
		view->size++;
	} else {
		TAILQ_REMOVE(&view->node_order, entry, next);
	}
	entry->zxid = zxid;
	TAILQ_INSERT_TAIL(&view->node_order, entry, next);
	return entry;
}

void
view_put(struct view *view, const struct view_node *node, uint64_t zxid)
{
	struct node_entry *entry = touch_node(view, node->id, zxid);

	view->quotas += quota_limits(&node->quota);
	view->quotas -= quota_limits(&entry->node.quota);
	entry->node = *node;
	entry->gone = false;
}

void
view_remove(struct view *view, uint64_t id, uint64_t zxid)
{
	struct node_entry *entry = touch_node(view, id, zxid);

	entry->node.id = id;
	entry->gone = true;
}

/* Its entry, at the end of the order; a new one has what is there now. */
static struct usage_entry *
touch_usage(struct view *view, uint64_t id, uint64_t zxid)
{
	struct usage_entry *entry = usage_entry(view, id);
	PPvoid_t slot;

	if (entry == NULL) {
		entry = calloc(1, sizeof *entry);
		CHECK(entry != NULL);
		entry->id = id;
		below_of(view, id, &entry->below);
		slot = JudyLIns(&view->usages, id, PJE0);
		CHECK(slot != NULL && slot != PPJERR);
		*slot = entry;
		view->size++;
	} else {
		TAILQ_REMOVE(&view->usage_order, entry, next);
	}
	entry->zxid = zxid;
	TAILQ_INSERT_TAIL(&view->usage_order, entry, next);
	return entry;
}

void
view_charge(struct view *view, uint64_t dir, const struct usage *more, uint64_t zxid)
{
	struct usage_entry *entry;

	if (more->nodes == 0 && more->bytes == 0)
		return;
	for (; dir != 0; dir = view_parent(view, dir)) {
		entry = touch_usage(view, dir, zxid);
		entry->below.nodes += more->nodes;
		entry->below.bytes += more->bytes;
	}
}

void
view_name(struct view *view, uint64_t parent, struct blob name, uint64_t id, uint64_t zxid)
{
	struct name_entry *entry;
	struct name_key key;
	unsigned len = key_make(&key, parent, name);

	HASH_FIND(hh, view->names, &key, len, entry);
	if (entry == NULL) {
		entry = calloc(1, sizeof *entry);
		CHECK(entry != NULL);
		memcpy(&entry->key, &key, len);
		entry->len = name.len;
		HASH_ADD_KEYPTR(hh, view->names, &entry->key, len, entry);
		view->size++;
	} else {
		TAILQ_REMOVE(&view->name_order, entry, next);
	}
	entry->id = id;
	entry->zxid = zxid;
	TAILQ_INSERT_TAIL(&view->name_order, entry, next);
}

void
view_merge(struct view *layer, uint64_t zxid)
{
	const struct usage_entry *usage;
	const struct node_entry *node;
	const struct name_entry *name;

	TAILQ_FOREACH (usage, &layer->usage_order, next)
		touch_usage(layer->below, usage->id, zxid)->below = usage->below;
	TAILQ_FOREACH (node, &layer->node_order, next)
		if (node->gone)
			view_remove(layer->below, node->node.id, zxid);
		else
			view_put(layer->below, &node->node, zxid);
	TAILQ_FOREACH (name, &layer->name_order, next)
		view_name(layer->below, name->key.parent,
		    (struct blob){ name->key.name, name->len }, name->id, zxid);
	layer->below->next_id = layer->next_id;
	view_free(layer);
}

uint64_t
view_new_id(struct view *view)
{
	if (view->next_id < tree_next_id(view->tree))
		view->next_id = tree_next_id(view->tree);
	CHECK(view->next_id < TREE_ID_MAX);
	return view->next_id++;
}

bool
view_is_used(const struct view *view, uint64_t id)
{
	return id >= TREE_ROOT && (id < view->next_id || id < tree_next_id(view->tree));
}

void
view_applied(struct view *view, uint64_t zxid)
{
	struct usage_entry *usage;
	struct node_entry *node;
	struct name_entry *name;

	while ((usage = TAILQ_FIRST(&view->usage_order)) != NULL && usage->zxid <= zxid) {
		TAILQ_REMOVE(&view->usage_order, usage, next);
		JudyLDel(&view->usages, usage->id, PJE0);
		view->size--;
		free(usage);
	}
	while ((node = TAILQ_FIRST(&view->node_order)) != NULL && node->zxid <= zxid) {
		TAILQ_REMOVE(&view->node_order, node, next);
		JudyLDel(&view->nodes, node->node.id, PJE0);
		view->quotas -= quota_limits(&node->node.quota);
		view->size--;
		free(node);
	}
	while ((name = TAILQ_FIRST(&view->name_order)) != NULL && name->zxid <= zxid) {
		TAILQ_REMOVE(&view->name_order, name, next);
		HASH_DELETE(hh, view->names, name);
		view->size--;
		free(name);
	}
}

void
view_reset(struct view *view)
{
	view_applied(view, UINT64_MAX);
	view->next_id = 0; /* what was given out in flight was never used */
}

size_t
view_size(const struct view *view)
{
	return view->size;
}
