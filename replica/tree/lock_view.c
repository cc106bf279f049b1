/* The overlay of locks. See lock_view.h. */
#include "replica/tree/lock_view.h"

#include "replica/lib/check.h"

#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <uthash.h>

struct lock_entry {
	TAILQ_ENTRY(lock_entry) next; /* in order of zxid */
	UT_hash_handle hh;
	uint64_t zxid;
	struct lock_key key;
	struct lock_state state;
};
TAILQ_HEAD(lock_entries, lock_entry);

/* The number of locks in a node's queue. */
struct count_entry {
	TAILQ_ENTRY(count_entry) next;
	UT_hash_handle hh;
	uint64_t zxid;
	uint64_t node;
	uint32_t shared, exclusive;
};
TAILQ_HEAD(count_entries, count_entry);

struct lock_view {
	const struct tree *tree;
	struct lock_entry *locks;
	struct count_entry *counts;
	struct lock_entries lock_order;
	struct count_entries count_order;
	size_t size;
};

struct lock_view *
lock_view_new(const struct tree *tree)
{
	struct lock_view *view = calloc(1, sizeof *view);

	CHECK(view != NULL);
	view->tree = tree;
	TAILQ_INIT(&view->lock_order);
	TAILQ_INIT(&view->count_order);
	return view;
}

void
lock_view_free(struct lock_view *view)
{
	lock_view_applied(view, UINT64_MAX);
	free(view);
}

static struct lock_entry *
lock_entry(const struct lock_view *view, const struct lock_key *key)
{
	struct lock_entry *entry;

	HASH_FIND(hh, view->locks, key, sizeof *key, entry);
	return entry;
}

/* What is in the tree and not in flight goes on to be where it is. */
static bool
is_behind_tree(const struct lock_view *view, uint64_t node, uint64_t zxid, bool exclusive)
{
	const struct lock *before = NULL;
	uint64_t at = 0;

	while ((before = tree_next_lock(view->tree, node, at, !exclusive)) != NULL &&
	       before->zxid < zxid) {
		struct lock_key key = { before->session, node, before->owner };

		if (lock_entry(view, &key) == NULL)
			return true;
		at = before->zxid;
	}
	return false;
}

/* Rare: who asks again for what he waits for, or has waited for until a moment ago. */
static bool
is_behind_flight(const struct lock_view *view, uint64_t node, uint64_t zxid, bool exclusive)
{
	const struct lock_entry *before;

	TAILQ_FOREACH (before, &view->lock_order, next) {
		if (before->zxid >= zxid)
			break;
		if (before->key.node == node && before->state.there &&
		    (exclusive || before->state.exclusive))
			return true;
	}
	return false;
}

/* The place in the queue of what is there; whether it is held only if that is at hand. */
static uint64_t
look(const struct lock_view *view, const struct lock_key *key, struct lock_state *out)
{
	const struct lock_entry *entry = lock_entry(view, key);
	const struct lock *lock;

	*out = (struct lock_state){ 0 };
	if (entry != NULL) {
		*out = entry->state;
		return entry->zxid;
	}
	lock = tree_lock(view->tree, key->session, key->node, key->owner);
	if (lock == NULL)
		return 0;
	out->there = true;
	out->exclusive = lock->exclusive != 0;
	out->held = tree_lock_is_held(view->tree, lock);
	return lock->zxid;
}

void
lock_view_get(const struct lock_view *view, const struct lock_key *key, struct lock_state *out)
{
	uint64_t zxid = look(view, key, out);

	/* Once held it stays so. What was waited for may have gone meanwhile. */
	if (!out->there || out->held)
		return;
	out->held = !is_behind_tree(view, key->node, zxid, out->exclusive) &&
		    !is_behind_flight(view, key->node, zxid, out->exclusive);
}

static void
count(const struct lock_view *view, uint64_t node, uint32_t *shared, uint32_t *exclusive)
{
	const struct count_entry *entry;

	HASH_FIND(hh, view->counts, &node, sizeof node, entry);
	if (entry == NULL) {
		tree_lock_count(view->tree, node, shared, exclusive);
		return;
	}
	*shared = entry->shared;
	*exclusive = entry->exclusive;
}

bool
lock_view_is_free(const struct lock_view *view, const struct lock_key *key, bool exclusive)
{
	struct lock_state mine;
	uint32_t shared, exclusives;

	look(view, key, &mine);
	count(view, key->node, &shared, &exclusives);
	shared -= mine.there && !mine.exclusive;
	exclusives -= mine.there && mine.exclusive;
	return exclusives == 0 && (!exclusive || shared == 0);
}

/* The node's entry, at the end of the order. */
static struct count_entry *
touch_count(struct lock_view *view, uint64_t node, uint64_t zxid)
{
	struct count_entry *entry;

	HASH_FIND(hh, view->counts, &node, sizeof node, entry);
	if (entry == NULL) {
		entry = calloc(1, sizeof *entry);
		CHECK(entry != NULL);
		entry->node = node;
		tree_lock_count(view->tree, node, &entry->shared, &entry->exclusive);
		HASH_ADD(hh, view->counts, node, sizeof entry->node, entry);
		view->size++;
	} else {
		TAILQ_REMOVE(&view->count_order, entry, next);
	}
	entry->zxid = zxid;
	TAILQ_INSERT_TAIL(&view->count_order, entry, next);
	return entry;
}

static void
set(struct lock_view *view, const struct lock_key *key, struct lock_state state, uint64_t zxid)
{
	struct count_entry *counts = touch_count(view, key->node, zxid);
	struct lock_entry *entry = lock_entry(view, key);
	struct lock_state before;

	look(view, key, &before);
	counts->shared -= before.there && !before.exclusive;
	counts->exclusive -= before.there && before.exclusive;
	counts->shared += state.there && !state.exclusive;
	counts->exclusive += state.there && state.exclusive;
	if (entry == NULL) {
		entry = calloc(1, sizeof *entry);
		CHECK(entry != NULL);
		entry->key = *key;
		HASH_ADD(hh, view->locks, key, sizeof entry->key, entry);
		view->size++;
	} else {
		TAILQ_REMOVE(&view->lock_order, entry, next);
	}
	entry->state = state;
	entry->zxid = zxid;
	TAILQ_INSERT_TAIL(&view->lock_order, entry, next);
}

void
lock_view_put(
    struct lock_view *view, const struct lock_key *key, bool exclusive, bool held, uint64_t zxid)
{
	set(view, key, (struct lock_state){ .there = true, .exclusive = exclusive, .held = held },
	    zxid);
}

void
lock_view_remove(struct lock_view *view, const struct lock_key *key, uint64_t zxid)
{
	struct lock_state before;

	look(view, key, &before);
	if (before.there)
		set(view, key, (struct lock_state){ 0 }, zxid);
}

void
lock_view_applied(struct lock_view *view, uint64_t zxid)
{
	struct lock_entry *lock;
	struct count_entry *counts;

	while ((lock = TAILQ_FIRST(&view->lock_order)) != NULL && lock->zxid <= zxid) {
		TAILQ_REMOVE(&view->lock_order, lock, next);
		HASH_DELETE(hh, view->locks, lock);
		view->size--;
		free(lock);
	}
	while ((counts = TAILQ_FIRST(&view->count_order)) != NULL && counts->zxid <= zxid) {
		TAILQ_REMOVE(&view->count_order, counts, next);
		HASH_DELETE(hh, view->counts, counts);
		view->size--;
		free(counts);
	}
}

size_t
lock_view_size(const struct lock_view *view)
{
	return view->size;
}
