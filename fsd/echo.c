/*
 * The echo's queue and thread. change.c pushes on the loop's thread, the echo
 * thread takes one job after another and makes its system calls
 * (echo_run.c), which the loop's thread answers (echo_ops.c).
 */
#include "fsd/echo_internal.h"

#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
echo_waits_not(struct echo *echo, struct echo_job *job)
{
	struct echo_job *latest;

	HASH_FIND(hh, echo->waiting, &job->ino, sizeof job->ino, latest);
	if (latest == job)
		HASH_DELETE(hh, echo->waiting, job);
}

void
echo_keep(struct echo *echo, struct echo_kept *kept)
{
	pthread_mutex_lock(&echo->mutex);
	kept->pid = getpid();
	kept->tid = echo->tid;
	kept->pending = false;
	echo->come = kept->done;
	echo->kept = kept;
	pthread_mutex_unlock(&echo->mutex);
}

bool
echo_change(struct echo *echo, uint64_t zxid, uint32_t op)
{
	echo->at = (struct echo_mark){ zxid, op };
	if (!echo_mark_before(&echo->come, &echo->at))
		return false;
	echo->come = echo->at;
	return true;
}

void
echo_grant(struct echo *echo)
{
	echo->answered = true;
	echo_mark_set(&echo->kept->granted, echo->current->mark.zxid, echo->current->mark.index);
}

/* Under the mutex. */
static void
finished(struct echo *echo, const struct echo_job *job)
{
	if (echo_mark_before(&echo->kept->done, &job->mark))
		echo_mark_set(&echo->kept->done, job->mark.zxid, job->mark.index);
	if (STAILQ_EMPTY(&echo->queue))
		echo->kept->pending = false;
}

/* Under the mutex: the first one that waits. */
static void
begin(struct echo *echo, const struct echo_job *job)
{
	struct echo_kept *kept = echo->kept;

	/* Before the first change there is the session's state alone: the next process has its own. */
	if (kept->pending || job->mark.zxid == 0)
		return;
	if (echo_mark_before(&kept->done, &job->mark))
		echo_mark_set(&kept->done, job->mark.zxid, job->mark.index - 1);
	kept->pending = true;
}

/* The next job; NULL: it is to stop. Without any the thread sleeps, and off a mount that is gone. */
static struct echo_job *
take(struct echo *echo)
{
	struct echo_job *job;

	pthread_mutex_lock(&echo->mutex);
	if (echo->current != NULL)
		finished(echo, echo->current);
	free(echo->current);
	echo->current = NULL;
	while (!echo->stopping && STAILQ_EMPTY(&echo->queue)) {
		if (echo->left)
			echo_off(echo);
		pthread_cond_wait(&echo->work, &echo->mutex);
	}
	job = echo->stopping ? NULL : STAILQ_FIRST(&echo->queue);
	if (job != NULL) {
		STAILQ_REMOVE_HEAD(&echo->queue, next);
		echo->queued--;
		echo->swaps -= job->kind == ECHO_SWAP;
		echo_waits_not(echo, job);
		echo->current = job;
		echo->answered = false;
	}
	pthread_mutex_unlock(&echo->mutex);
	return job;
}

static void *
thread_main(void *arg)
{
	struct echo *echo = arg;
	struct echo_job *job;

	if (echo->handler != NULL && echo->handler->begins != NULL)
		echo->handler->begins(echo->arg);
	pthread_mutex_lock(&echo->mutex);
	echo->tid = gettid();
	echo->started = true;
	pthread_cond_broadcast(&echo->work);
	pthread_mutex_unlock(&echo->mutex);

	while ((job = take(echo)) != NULL) {
		if (!job->cancelled && !echo->left)
			echo_run(echo, job);
	}
	echo_off(echo);
	pthread_mutex_lock(&echo->mutex);
	echo->stopped = true;
	pthread_mutex_unlock(&echo->mutex);
	return NULL;
}

struct echo *
echo_new(
    struct fuse_session *se, const char *mountpoint, const struct echo_handler *handler, void *arg)
{
	struct echo *echo;
	int error;

	echo = calloc(1, sizeof *echo);
	if (echo == NULL)
		return NULL;
	echo->se = se;
	echo->mountpoint = mountpoint;
	echo->handler = handler;
	echo->arg = arg;
	echo->root = FUSE_ROOT_ID;
	echo->kept = &echo->own;
	echo->tree = -1;
	echo->door = -1;
	echo->hall = -1;
	STAILQ_INIT(&echo->queue);
	pthread_mutex_init(&echo->mutex, NULL);
	pthread_cond_init(&echo->work, NULL);
	error = pthread_create(&echo->thread, NULL, thread_main, echo);
	if (error != 0) {
		free(echo);
		errno = error;
		return NULL;
	}
	pthread_mutex_lock(&echo->mutex);
	while (!echo->started)
		pthread_cond_wait(&echo->work, &echo->mutex);
	pthread_mutex_unlock(&echo->mutex);
	return echo;
}

void
echo_root(struct echo *echo, uint64_t root)
{
	echo->root = root;
}

void
echo_stop(struct echo *echo)
{
	pthread_mutex_lock(&echo->mutex);
	echo->stopping = true;
	pthread_cond_broadcast(&echo->work);
	pthread_mutex_unlock(&echo->mutex);
}

void
echo_leave(struct echo *echo)
{
	pthread_mutex_lock(&echo->mutex);
	echo->left = true;
	pthread_cond_broadcast(&echo->work);
	pthread_mutex_unlock(&echo->mutex);
}

bool
echo_stopped(struct echo *echo)
{
	bool stopped;

	pthread_mutex_lock(&echo->mutex);
	stopped = echo->stopped;
	pthread_mutex_unlock(&echo->mutex);
	return stopped;
}

void
echo_free(struct echo *echo)
{
	struct echo_job *job;

	pthread_join(echo->thread, NULL);
	HASH_CLEAR(hh, echo->waiting);
	while ((job = STAILQ_FIRST(&echo->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&echo->queue, next);
		free(job);
	}
	pthread_cond_destroy(&echo->work);
	pthread_mutex_destroy(&echo->mutex);
	free(echo);
}

/* Takes the job over. A VALUE or ATTR that already waits for the node says it all. */
static void
enqueue(struct echo *echo, struct echo_job *job)
{
	struct echo_job *latest;

	echo->pushed++;
	pthread_mutex_lock(&echo->mutex);
	HASH_FIND(hh, echo->waiting, &job->ino, sizeof job->ino, latest);
	if (latest != NULL && latest->kind == job->kind &&
	    (job->kind == ECHO_VALUE || job->kind == ECHO_ATTR || job->kind == ECHO_ZAB)) {
		latest->has_stat = job->has_stat;
		latest->stat = job->stat;
		latest->mode = job->mode;
		echo->coalesced++;
		pthread_mutex_unlock(&echo->mutex);
		free(job);
		return;
	}
	if (echo->queued >= ECHO_QUEUE_MAX) {
		if (echo->overflows++ == 0)
			log_warn("echo queue overflows, inotify events are lost queue_max=%d",
			    ECHO_QUEUE_MAX);
		pthread_mutex_unlock(&echo->mutex);
		free(job);
		return;
	}
	if (latest != NULL)
		HASH_DELETE(hh, echo->waiting, latest);
	HASH_ADD(hh, echo->waiting, ino, sizeof job->ino, job);
	begin(echo, job);
	STAILQ_INSERT_TAIL(&echo->queue, job, next);
	echo->queued++;
	echo->swaps += job->kind == ECHO_SWAP;
	pthread_mutex_unlock(&echo->mutex);
	/* Woken under the mutex, the thread would only go to sleep on it again. */
	pthread_cond_signal(&echo->work);
}

static struct echo_job *
job_new(struct echo *echo)
{
	struct echo_job *job = calloc(1, sizeof *job);

	if (job == NULL) {
		echo->overflows++;
		log_warn("no memory for an echo, an inotify event is lost");
		return NULL;
	}
	job->mark = echo->at;
	return job;
}

void
echo_name_copy(char to[WIRE_NAME_MAX + 1], struct blob name)
{
	CHECK(name.len <= WIRE_NAME_MAX);
	if (name.len != 0)
		memcpy(to, name.data, name.len);
	to[name.len] = '\0';
}

void
echo_push(struct echo *echo, const struct wire_change *change)
{
	struct echo_job *job = job_new(echo);

	if (job == NULL)
		return;
	job->kind = (enum echo_kind)change->kind;
	job->ino = change->id;
	job->ino2 = change->id2;
	job->mode = change->mode;
	job->mode2 = change->mode2;
	job->parent = change->parent;
	job->parent2 = change->parent2;
	echo_name_copy(job->name, change->name);
	echo_name_copy(job->name2, change->name2);
	job->has_stat = change->stat.len != 0 && wire_stat_unpack(change->stat, &job->stat) == 0;
	enqueue(echo, job);
}

void
echo_push_zab(struct echo *echo, uint64_t dir, const char *name, uint64_t ino)
{
	struct echo_job *job = job_new(echo);

	if (job == NULL)
		return;
	job->kind = ECHO_ZAB;
	job->ino = ino;
	job->mode = S_IFREG | 0644;
	job->parent = ino_make(INO_ZAB, dir);
	snprintf(job->name, sizeof job->name, "%s", name);
	enqueue(echo, job);
}

void
echo_complaint(struct echo *echo)
{
	char text[sizeof echo->complaint];
	uint64_t more;

	pthread_mutex_lock(&echo->mutex);
	memcpy(text, echo->complaint, sizeof text);
	more = echo->complaints;
	echo->complaint[0] = '\0';
	echo->complaints = 0;
	pthread_mutex_unlock(&echo->mutex);
	if (text[0] != '\0')
		log_warn(
		    "an inotify event was not raised %s more=%llu", text, (unsigned long long)more);
}

void
echo_doubt(struct echo *echo)
{
	echo->doubts++;
}

uint64_t
echo_pushed(const struct echo *echo)
{
	return echo->pushed;
}

uint64_t
echo_coalesced(const struct echo *echo)
{
	return echo->coalesced;
}

uint64_t
echo_overflows(const struct echo *echo)
{
	return echo->overflows;
}

uint32_t
echo_queued(struct echo *echo)
{
	uint32_t queued;

	pthread_mutex_lock(&echo->mutex);
	queued = echo->queued;
	pthread_mutex_unlock(&echo->mutex);
	return queued;
}

bool
echo_caller(const struct echo *echo, fuse_req_t req)
{
	return echo != NULL && fuse_req_ctx(req)->pid == echo->tid;
}
