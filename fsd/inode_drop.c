/*
 * Names that the kernel is to forget. That call waits for the directory's lock,
 * which a request may hold that waits for us: so a thread of its own makes it,
 * started with the first name. Up to DROPS_MAX names wait for it; beyond them
 * the kernel is made to doubt all its names at once, which takes no lock. See
 * inode.h; called by op_remove.c and qualified.c, and by life.c at the end.
 */
#include "fsd/inode_internal.h"

#include "fsd/kernel.h"
#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DROPS_MAX 1024

struct drop {
	STAILQ_ENTRY(drop) next;
	uint64_t parent;
	char name[WIRE_NAME_MAX + 1];
};

struct inode_drops {
	struct fsd *fsd;
	pthread_t thread;
	bool started; /* the loop's */

	/* Under the mutex. */
	pthread_mutex_t mutex;
	pthread_cond_t work;
	STAILQ_HEAD(, drop) queue;
	uint32_t queued;
	bool stopped;
	bool stopping; /* written by the loop */
};

/* NULL: none is left, and the thread is to stop. */
static struct drop *
take(struct inode_drops *drops)
{
	struct drop *drop;

	pthread_mutex_lock(&drops->mutex);
	while (STAILQ_EMPTY(&drops->queue) && !drops->stopping)
		pthread_cond_wait(&drops->work, &drops->mutex);
	drop = STAILQ_FIRST(&drops->queue);
	if (drop != NULL) {
		STAILQ_REMOVE_HEAD(&drops->queue, next);
		drops->queued--;
	} else {
		drops->stopped = true;
	}
	pthread_mutex_unlock(&drops->mutex);
	return drop;
}

static void *
thread_main(void *arg)
{
	struct inode_drops *drops = arg;
	struct drop *drop;

	kernel_apart(drops->fsd->kernel, -1);
	while ((drop = take(drops)) != NULL) {
		fuse_lowlevel_notify_inval_entry(
		    drops->fsd->se, drop->parent, drop->name, strlen(drop->name));
		free(drop);
	}
	return NULL;
}

void
inode_drops_init(struct inodes *inodes)
{
	struct inode_drops *drops = calloc(1, sizeof *drops);

	CHECK(drops != NULL);
	drops->fsd = inodes->fsd;
	STAILQ_INIT(&drops->queue);
	pthread_mutex_init(&drops->mutex, NULL);
	pthread_cond_init(&drops->work, NULL);
	inodes->drops = drops;
}

void
inode_drops_free(struct inodes *inodes)
{
	struct inode_drops *drops = inodes->drops;
	struct drop *drop;

	if (drops->started)
		pthread_join(drops->thread, NULL);
	while ((drop = STAILQ_FIRST(&drops->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&drops->queue, next);
		free(drop);
	}
	pthread_cond_destroy(&drops->work);
	pthread_mutex_destroy(&drops->mutex);
	free(drops);
}

void
inode_drops_stop(struct fsd *fsd)
{
	struct inode_drops *drops = fsd->inodes->drops;

	pthread_mutex_lock(&drops->mutex);
	drops->stopping = true;
	pthread_cond_signal(&drops->work);
	pthread_mutex_unlock(&drops->mutex);
}

bool
inode_drops_stopped(const struct fsd *fsd)
{
	struct inode_drops *drops = fsd->inodes->drops;
	bool stopped;

	pthread_mutex_lock(&drops->mutex);
	stopped = drops->stopped || !drops->started;
	pthread_mutex_unlock(&drops->mutex);
	return stopped;
}

static bool
started(struct inode_drops *drops)
{
	if (!drops->started)
		drops->started = pthread_create(&drops->thread, NULL, thread_main, drops) == 0;
	return drops->started;
}

/* False: there is no room. */
static bool
enqueue(struct inode_drops *drops, uint64_t parent, const char *name)
{
	struct drop *drop = calloc(1, sizeof *drop);
	bool room;

	CHECK(drop != NULL && strlen(name) <= WIRE_NAME_MAX);
	drop->parent = parent;
	memcpy(drop->name, name, strlen(name));
	pthread_mutex_lock(&drops->mutex);
	room = drops->queued < DROPS_MAX;
	if (room) {
		STAILQ_INSERT_TAIL(&drops->queue, drop, next);
		drops->queued++;
		pthread_cond_signal(&drops->work);
	}
	pthread_mutex_unlock(&drops->mutex);
	if (!room)
		free(drop);
	return room;
}

bool
inode_names_doubt(struct fsd *fsd)
{
	if (fsd->echo != NULL)
		echo_doubt(fsd->echo);
	return kernel_names_doubt(fsd->kernel);
}

bool
inode_entry_spare(struct fsd *fsd, uint64_t parent, const char *name)
{
	struct inode_drops *drops = fsd->inodes->drops;

	return !drops->stopping && started(drops) && enqueue(drops, parent, name);
}

void
inode_entry_drop(struct fsd *fsd, uint64_t parent, const char *name)
{
	if (!inode_entry_spare(fsd, parent, name) && !inode_names_doubt(fsd))
		log_warn("a name stays in the kernel's cache name=%s", name);
}
