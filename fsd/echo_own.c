/*
 * What becomes of the changes that wait to be told of a node when a process of
 * this mount removes it or moves it on. See echo_own in echo.h.
 *
 * The kernel has raised the event at the name by which that process found the
 * node. What waits and is about that name comes too late: its creation is
 * withdrawn, values and attributes are told where it is now. But a change that has moved it there
 * has an old name, which the kernel may remember for ever and whose watchers
 * still have it: such a MOVE is told, into nowhere, and what comes before it as
 * it was.
 *
 * A directory has one name in the kernel, and that is the right one by now: to
 * be told of an old one it would be taken from there, and all below it along.
 * So a stand-in is moved in its place.
 *
 * The job that runs may be waiting for the lock of the directory that the process
 * has just worked in: what is asked for it from now on is refused (echo_ops.c), and
 * a copy waits in its place.
 *
 * What a process makes at a name whose end still waits to be told is told after that
 * once more: otherwise the last that is heard of the name is that it went.
 *
 * Whoever goes on for a process that is dead, or on another connection, is told in the order of
 * changes which of them were this mount's own: there they are taken as the answer would have been
 * (echo_own_change). An answer that comes after that is old: what waits by then may be from behind it.
 */
#include "fsd/echo_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
moves(const struct echo_job *job, uint64_t ino)
{
	return (job->kind == ECHO_MOVE && job->ino == ino) ||
	       (job->kind == ECHO_SWAP && (job->ino == ino || job->ino2 == ino));
}

/* The last one that waits; NULL: none. */
static struct echo_job *
last_move(struct echo *echo, uint64_t ino)
{
	struct echo_job *job, *last = NULL;

	STAILQ_FOREACH (job, &echo->queue, next)
		if (moves(job, ino))
			last = job;
	return last;
}

/* An exchange, told from the other side. */
static void
turn(struct echo_job *job)
{
	struct echo_job other = *job;

	job->ino = other.ino2;
	job->mode = other.mode2;
	job->parent = other.parent2;
	memcpy(job->name, other.name2, sizeof job->name);
	job->ino2 = other.ino;
	job->mode2 = other.mode;
	job->parent2 = other.parent;
	memcpy(job->name2, other.name, sizeof job->name2);
	job->has_stat = false;
}

/* before: NULL: it is to be the first. */
static void
insert_after(struct echo *echo, struct echo_job *before, struct echo_job *job)
{
	struct echo_job *latest;

	if (before == NULL)
		STAILQ_INSERT_HEAD(&echo->queue, job, next);
	else
		STAILQ_INSERT_AFTER(&echo->queue, before, job, next);
	echo->queued++;
	echo->swaps += job->kind == ECHO_SWAP;
	HASH_FIND(hh, echo->waiting, &job->ino, sizeof job->ino, latest);
	if (latest == NULL)
		HASH_ADD(hh, echo->waiting, ino, sizeof job->ino, job);
}

/*
 * A second job right behind, about the other node of the two: its, from the other side. Should this
 * process die in between, the next one tells both again. NULL: no room, it is lost.
 */
static struct echo_job *
split(struct echo *echo, struct echo_job *job, enum echo_kind kind)
{
	struct echo_job *other = echo->queued < ECHO_QUEUE_MAX ? malloc(sizeof *other) : NULL;

	if (other == NULL) {
		echo->overflows++;
		return NULL;
	}
	*other = *job;
	turn(other);
	other->kind = kind;
	other->ino2 = 0;
	insert_after(echo, job, other);
	job->mark.index--;
	return other;
}

/* Two moves instead of an exchange: first the node's own, then that of the other one. */
static void
part(struct echo *echo, struct echo_job *job, uint64_t ino)
{
	echo_waits_not(echo, job);
	if (job->ino != ino)
		turn(job);
	job->kind = ECHO_MOVE;
	echo->swaps--;
	split(echo, job, ECHO_MOVE);
	job->ino2 = 0;
}

/* What it would have replaced has gone all the same, maybe after it was told that it had come. */
static void
replaces_not(struct echo *echo, struct echo_job *job)
{
	struct echo_job *other;

	if (job->ino2 == 0)
		return;
	other = split(echo, job, ECHO_REMOVE);
	if (other == NULL)
		return;
	other->to_nowhere = false;
	other->moved_on = false;
	job->ino2 = 0;
}

static bool
is_of_names(const struct echo_job *job)
{
	return job->kind == ECHO_ADD || job->kind == ECHO_REMOVE || job->kind == ECHO_MOVE ||
	       job->kind == ECHO_SWAP;
}

/* Whether it runs, and has raised nothing yet: who has a directory's lock is before it. */
static bool
still_runs(const struct echo *echo)
{
	return echo->current != NULL && !echo->answered && !echo->current->cancelled;
}

static void
begin_anew(struct echo *echo, uint64_t ino)
{
	struct echo_job *job = echo->current, *copy;

	if (!still_runs(echo) || !is_of_names(job) ||
	    (job->ino != ino && (job->kind != ECHO_SWAP || job->ino2 != ino)))
		return;
	copy = malloc(sizeof *copy);
	if (copy == NULL)
		return;
	*copy = *job;
	insert_after(echo, NULL, copy);
	job->cancelled = true;
	job->mark = (struct echo_mark){ 0 };
}

static bool
departs(const struct echo_job *job, uint64_t dir, const char *name)
{
	return (job->kind == ECHO_REMOVE || job->kind == ECHO_MOVE) && !job->cancelled &&
	       job->parent == dir && strcmp(job->name, name) == 0;
}

void
echo_made(struct echo *echo, uint64_t dir, const char *name, const struct wire_stat *stat)
{
	struct wire_change change = { .kind = WIRE_ADD,
		.id = stat->id,
		.mode = stat->mode,
		.parent = dir,
		.name = { (const uint8_t *)name, (uint32_t)strlen(name) } };
	const struct echo_job *job;
	bool again;

	pthread_mutex_lock(&echo->mutex);
	again = still_runs(echo) && departs(echo->current, dir, name);
	STAILQ_FOREACH (job, &echo->queue, next)
		again = again || departs(job, dir, name);
	pthread_mutex_unlock(&echo->mutex);
	if (again)
		echo_push(echo, &change);
}

/* The kernel has raised an event of the job's node, where the job would find it. */
static void
comes_late(struct echo_job *job, uint64_t dir, const char *name)
{
	if (name == NULL || (job->kind != ECHO_VALUE && job->kind != ECHO_ATTR)) {
		job->cancelled = true;
		return;
	}
	job->parent = dir;
	snprintf(job->name, sizeof job->name, "%s", name);
}

void
echo_own(struct echo *echo, uint64_t ino, uint64_t dir, const char *name)
{
	struct echo_job *latest, *job, *last;
	bool after;

	pthread_mutex_lock(&echo->mutex);
	begin_anew(echo, ino);
	HASH_FIND(hh, echo->waiting, &ino, sizeof ino, latest);
	if (latest == NULL && echo->swaps == 0)
		goto out;
	if (latest != NULL)
		HASH_DELETE(hh, echo->waiting, latest);
	last = last_move(echo, ino);
	if (last != NULL && last->kind == ECHO_SWAP)
		part(echo, last, ino);
	if (last != NULL) {
		last->to_nowhere = true;
		replaces_not(echo, last);
	}
	after = last == NULL;
	STAILQ_FOREACH (job, &echo->queue, next) {
		if (job->ino == ino && after)
			comes_late(job, dir, name);
		else if (job->ino == ino)
			job->moved_on = true;
		if (job == last)
			after = true;
	}
out:
	pthread_mutex_unlock(&echo->mutex);
}

static void
arrived(struct echo *echo, uint64_t id, uint32_t mode, uint64_t dir, const char *name)
{
	struct wire_stat stat = { .id = id, .mode = mode };

	if (id != 0)
		echo_made(echo, dir, name, &stat);
}

/* As where the answer comes (op_remove.c): what stood at the name comes first. */
static void
moved(struct echo *echo, const struct wire_change *change, const char *name, const char *name2)
{
	bool exchange = change->kind == WIRE_SWAP;

	if (change->id != 0)
		echo_own(echo, change->id, change->parent2, name2);
	if (change->id2 != 0)
		echo_own(echo, change->id2, exchange ? change->parent : 0, exchange ? name : NULL);
	arrived(echo, change->id, change->mode, change->parent2, name2);
	if (exchange)
		arrived(echo, change->id2, change->mode2, change->parent, name);
}

void
echo_own_change(struct echo *echo, const struct wire_change *change, uint32_t op)
{
	struct echo_mark mark = { change->zxid, op };
	char name[WIRE_NAME_MAX + 1], name2[WIRE_NAME_MAX + 1];

	if (!echo_mark_before(&echo->owned, &mark))
		return;
	echo->owned = mark;
	echo_name_copy(name, change->name);
	echo_name_copy(name2, change->name2);
	switch (change->kind) {
	case WIRE_ADD:
		echo_own(echo, change->id, change->parent, name);
		arrived(echo, change->id, change->mode, change->parent, name);
		break;
	case WIRE_REMOVE:
		echo_own(echo, change->id, 0, NULL);
		break;
	case WIRE_MOVE:
	case WIRE_SWAP:
		moved(echo, change, name, name2);
		break;
	default:
		break;
	}
}

bool
echo_owned(const struct echo *echo, uint64_t zxid)
{
	return zxid != 0 && zxid <= echo->owned.zxid;
}
