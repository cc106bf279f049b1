/*
 * What becomes of the changes that wait to be told of a node when a process of
 * this mount removes it or moves it on. See echo_own in echo.h.
 *
 * The kernel has raised the event at the name by which that process found the
 * node. What waits and is about that name (its creation, values and attributes
 * there) comes too late, and is withdrawn. But a change that has moved it there
 * has an old name, which the kernel may remember for ever and whose watchers
 * still have it: such a MOVE is told, into nowhere, and what comes before it as
 * it was.
 *
 * A directory has one name in the kernel, and that is the right one by now: to
 * be told of an old one it would be taken from there, and all below it along.
 * So a stand-in is moved in its place.
 */
#include "fsd/echo_internal.h"

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

static void
insert_after(struct echo *echo, struct echo_job *before, struct echo_job *job)
{
	struct echo_job *latest;

	STAILQ_INSERT_AFTER(&echo->queue, before, job, next);
	echo->queued++;
	HASH_FIND(hh, echo->waiting, &job->ino, sizeof job->ino, latest);
	if (latest == NULL)
		HASH_ADD(hh, echo->waiting, ino, sizeof job->ino, job);
}

/*
 * Two moves instead of an exchange: first the node's own, then that of the other one. Should this
 * process die in between, the next one tells both again.
 */
static void
part(struct echo *echo, struct echo_job *job, uint64_t ino)
{
	struct echo_job *other;

	echo_waits_not(echo, job);
	if (job->ino != ino)
		turn(job);
	job->kind = ECHO_MOVE;
	echo->swaps--;
	other = echo->queued < ECHO_QUEUE_MAX ? malloc(sizeof *other) : NULL;
	if (other == NULL) {
		echo->overflows++;
	} else {
		*other = *job;
		turn(other);
		other->ino2 = 0;
		insert_after(echo, job, other);
		job->mark.index--;
	}
	job->ino2 = 0;
}

void
echo_own(struct echo *echo, uint64_t ino)
{
	struct echo_job *latest, *job, *last;
	bool after;

	pthread_mutex_lock(&echo->mutex);
	HASH_FIND(hh, echo->waiting, &ino, sizeof ino, latest);
	if (latest == NULL && echo->swaps == 0)
		goto out;
	if (latest != NULL)
		HASH_DELETE(hh, echo->waiting, latest);
	last = last_move(echo, ino);
	if (last != NULL && last->kind == ECHO_SWAP)
		part(echo, last, ino);
	if (last != NULL)
		last->to_nowhere = true;
	after = last == NULL;
	STAILQ_FOREACH (job, &echo->queue, next) {
		if (job->ino == ino && after)
			job->cancelled = true;
		else if (job->ino == ino)
			job->moved_on = true;
		if (job == last)
			after = true;
	}
out:
	pthread_mutex_unlock(&echo->mutex);
}
