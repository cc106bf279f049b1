/* Queues of locks. See lock.h, tree.h; called by tree.c, session.c and image.c. */
#include "replica/tree/lock.h"

#include "replica/lib/check.h"

#include <stdlib.h>

struct held_lock {
	struct lock lock;
	RB_ENTRY(held_lock) by_owner; /* of its session */
};

struct queue {
	Pvoid_t all;	   /* JudyL: zxid -> struct held_lock */
	Pvoid_t exclusive; /* Judy1: zxids */
};

static int
compare(const struct held_lock *a, const struct held_lock *b)
{
	if (a->lock.node != b->lock.node)
		return a->lock.node < b->lock.node ? -1 : 1;
	if (a->lock.owner != b->lock.owner)
		return a->lock.owner < b->lock.owner ? -1 : 1;
	return 0;
}

#define UNUSED_STATIC static __attribute__((unused))
RB_PROTOTYPE_INTERNAL(session_locks, held_lock, by_owner, compare, UNUSED_STATIC)
RB_GENERATE_INTERNAL(session_locks, held_lock, by_owner, compare, UNUSED_STATIC)

/* The library's searches take no const; nothing is changed by them. */
static struct session_locks *
all_of(const struct session *session)
{
	return (struct session_locks *)(uintptr_t)&session->locks;
}

uint64_t
lock_hash(const struct lock *lock)
{
	uint64_t numbers[] = { lock->session, lock->node, lock->owner, lock->exclusive,
		lock->zxid };

	return hash_numbers(numbers, sizeof numbers / sizeof numbers[0], 3);
}

uint64_t
lock_hashes(const struct session *session)
{
	struct held_lock *held;
	uint64_t hash = 0;

	RB_FOREACH (held, session_locks, all_of(session))
		hash += lock_hash(&held->lock);
	return hash;
}

static struct held_lock *
find(const struct session *session, uint64_t node, uint64_t owner)
{
	struct held_lock key = { .lock = { .node = node, .owner = owner } };

	return RB_FIND(session_locks, all_of(session), &key);
}

static struct queue *
queue_find(const struct tree *tree, uint64_t node)
{
	PPvoid_t slot = JudyLGet(tree->locks, node, PJE0);

	return slot == NULL ? NULL : *slot;
}

/* Locks up to this one are held. */
static uint64_t
held_upto(const struct queue *queue)
{
	Word_t first = 0, exclusive = 0;

	if (Judy1First(queue->exclusive, &exclusive, PJE0) != 1)
		return UINT64_MAX;
	CHECK(JudyLFirst(queue->all, &first, PJE0) != NULL);
	return first == exclusive ? first : exclusive - 1;
}

/* Somebody may wait to hear of it. In recovery nobody does. */
static void
settle(struct tree *tree, const struct lock *lock)
{
	PPvoid_t slot;

	if (tree->recovering)
		return;
	slot = JudyLIns(&tree->settled, lock->zxid, PJE0);
	CHECK(slot != NULL && slot != PPJERR);
	*(Word_t *)slot = lock->session;
}

/* Those that are held now and were not before. */
static void
grant(struct tree *tree, const struct queue *queue, uint64_t before)
{
	uint64_t now = held_upto(queue);
	Word_t zxid = before;
	PPvoid_t slot;

	if (now <= before)
		return;
	for (slot = JudyLNext(queue->all, &zxid, PJE0); slot != NULL && zxid <= now;
	     slot = JudyLNext(queue->all, &zxid, PJE0))
		settle(tree, &((const struct held_lock *)*slot)->lock);
}

static void
take_out(struct tree *tree, struct session *session, struct held_lock *held)
{
	struct queue *queue = queue_find(tree, held->lock.node);
	uint64_t before = held_upto(queue);

	tree->hash -= lock_hash(&held->lock);
	tree->nlocks--;
	settle(tree, &held->lock);
	RB_REMOVE(session_locks, &session->locks, held);
	session->nlocks--;
	JudyLDel(&queue->all, held->lock.zxid, PJE0);
	Judy1Unset(&queue->exclusive, held->lock.zxid, PJE0);
	if (queue->all != NULL) {
		grant(tree, queue, before);
	} else {
		JudyLDel(&tree->locks, held->lock.node, PJE0);
		free(queue);
	}
	free(held);
}

static struct queue *
queue_get(struct tree *tree, uint64_t node)
{
	PPvoid_t slot = JudyLIns(&tree->locks, node, PJE0);

	CHECK(slot != NULL && slot != PPJERR);
	if (*slot == NULL) {
		*slot = calloc(1, sizeof(struct queue));
		CHECK(*slot != NULL);
	}
	return *slot;
}

void
lock_put(struct tree *tree, struct session *session, uint64_t node, uint64_t owner, bool exclusive,
    uint64_t zxid)
{
	struct held_lock *held = find(session, node, owner), *other;
	struct queue *queue;
	PPvoid_t slot;

	session_mark(tree, session->id);
	if (held != NULL)
		take_out(tree, session, held);
	if (lock_is_there(tree, node, zxid)) {
		/* An image that no tree has written. */
		tree_misfit(tree);
		other = *JudyLGet(queue_find(tree, node)->all, zxid, PJE0);
		session_mark(tree, other->lock.session);
		take_out(tree, session_find(tree, other->lock.session), other);
	}
	queue = queue_get(tree, node);
	held = calloc(1, sizeof *held);
	CHECK(held != NULL);
	held->lock = (struct lock){ .session = session->id,
		.node = node,
		.owner = owner,
		.exclusive = exclusive,
		.zxid = zxid };
	slot = JudyLIns(&queue->all, zxid, PJE0);
	CHECK(slot != NULL && slot != PPJERR);
	*slot = held;
	if (exclusive)
		CHECK(Judy1Set(&queue->exclusive, zxid, PJE0) != JERR);
	CHECK(RB_INSERT(session_locks, &session->locks, held) == NULL);
	session->nlocks++;
	tree->nlocks++;
	tree->hash += lock_hash(&held->lock);
}

bool
lock_is_there(const struct tree *tree, uint64_t node, uint64_t zxid)
{
	const struct queue *queue = queue_find(tree, node);

	return queue != NULL && JudyLGet(queue->all, zxid, PJE0) != NULL;
}

bool
lock_remove(struct tree *tree, struct session *session, uint64_t node, uint64_t owner)
{
	struct held_lock *held = find(session, node, owner);

	if (held == NULL)
		return false;
	session_mark(tree, session->id);
	take_out(tree, session, held);
	return true;
}

void
lock_remove_all(struct tree *tree, struct session *session)
{
	struct held_lock *held;

	while ((held = RB_MIN(session_locks, &session->locks)) != NULL)
		take_out(tree, session, held);
}

void
lock_begin(struct tree *tree)
{
	JudyLFreeArray(&tree->settled, PJE0);
}

void
lock_free(struct tree *tree)
{
	/* The queues have gone with the sessions. */
	CHECK(tree->locks == NULL);
	JudyLFreeArray(&tree->settled, PJE0);
}

const struct lock *
tree_lock(const struct tree *tree, uint64_t session_id_, uint64_t node, uint64_t owner)
{
	const struct session *session = session_find(tree, session_id_);
	const struct held_lock *held = session == NULL ? NULL : find(session, node, owner);

	return held == NULL ? NULL : &held->lock;
}

bool
tree_lock_is_held(const struct tree *tree, const struct lock *lock)
{
	return lock->zxid <= held_upto(queue_find(tree, lock->node));
}

void
tree_lock_count(const struct tree *tree, uint64_t node, uint32_t *shared, uint32_t *exclusive)
{
	const struct queue *queue = queue_find(tree, node);

	*shared = *exclusive = 0;
	if (queue == NULL)
		return;
	*exclusive = (uint32_t)Judy1Count(queue->exclusive, 0, UINT64_MAX, PJE0);
	*shared = (uint32_t)JudyLCount(queue->all, 0, UINT64_MAX, PJE0) - *exclusive;
}

const struct lock *
tree_next_lock(const struct tree *tree, uint64_t node, uint64_t zxid, bool exclusive)
{
	const struct queue *queue = queue_find(tree, node);
	Word_t key = zxid;
	PPvoid_t slot = NULL;

	if (queue == NULL)
		return NULL;
	if (!exclusive)
		slot = JudyLNext(queue->all, &key, PJE0);
	else if (Judy1Next(queue->exclusive, &key, PJE0) == 1)
		slot = JudyLGet(queue->all, key, PJE0);
	return slot == NULL ? NULL : &((const struct held_lock *)*slot)->lock;
}

uint64_t
tree_locks(const struct tree *tree)
{
	return tree->nlocks;
}

bool
tree_next_settled(const struct tree *tree, uint64_t after, uint64_t *zxid, uint64_t *session)
{
	Word_t key = after;
	PPvoid_t slot = JudyLNext(tree->settled, &key, PJE0);

	if (slot == NULL)
		return false;
	*zxid = key;
	*session = *(Word_t *)slot;
	return true;
}

uint32_t
session_locks(const struct session *session)
{
	return session->nlocks;
}

const struct lock *
session_next_lock(const struct session *session, const struct lock *after)
{
	struct held_lock key, *next;

	if (after == NULL) {
		next = RB_MIN(session_locks, all_of(session));
	} else {
		key.lock = *after;
		next = RB_NFIND(session_locks, all_of(session), &key);
		if (next != NULL && compare(next, &key) == 0)
			next = RB_NEXT(session_locks, all_of(session), next);
	}
	return next == NULL ? NULL : &next->lock;
}
