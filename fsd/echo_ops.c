/*
 * The answers to the echo thread's own requests, from the state before the
 * change that it is raising: the loop's thread, called by the handlers once
 * echo_caller() has said yes. Nothing that is answered here is kept by the
 * kernel (time limits 0), so everybody else asks again.
 */
#include "fsd/echo_internal.h"

#include <errno.h>
#include <string.h>

#define NS_PER_S 1000000000

/* Attributes of a node; what isn't known of one that is gone stays 0. */
static void
attr_fill(struct stat *attr, uint64_t ino, uint32_t mode, const struct wire_stat *known)
{
	memset(attr, 0, sizeof *attr);
	attr->st_ino = ino;
	attr->st_mode = mode;
	attr->st_nlink = 1;
	if (known == NULL)
		return;
	attr->st_mode = known->mode;
	attr->st_uid = known->uid;
	attr->st_gid = known->gid;
	attr->st_size = known->size;
	attr->st_mtim.tv_sec = known->mtime_ns / NS_PER_S;
	attr->st_mtim.tv_nsec = known->mtime_ns % NS_PER_S;
	attr->st_atim = attr->st_mtim;
	attr->st_ctim.tv_sec = known->ctime_ns / NS_PER_S;
	attr->st_ctim.tv_nsec = known->ctime_ns % NS_PER_S;
}

static bool
is_dir(const struct echo *echo, uint64_t ino)
{
	return ino_kind(ino) == INO_ZAB || ino == ECHO_HALL_INO || ino == ECHO_STAND_IN_INO ||
	       ino == echo->guest;
}

/* What the job's node is called. */
static uint64_t
own_number(const struct echo_job *job)
{
	return job->moved_on && S_ISDIR(job->mode) ? ECHO_STAND_IN_INO : job->ino;
}

/*
 * ino with what is known of it: who has a file open that was removed sees in it what was there
 * last.
 */
static void
attr_of(const struct echo *echo, uint64_t ino, struct stat *attr)
{
	const struct echo_job *job = echo->current;
	struct wire_stat last;

	if (ino == job->ino && job->has_stat)
		attr_fill(attr, ino, job->mode, &job->stat);
	else if (ino_kind(ino) == INO_ZNODE && echo->handler->last(echo->arg, ino, &last))
		attr_fill(attr, ino, last.mode, &last);
	else if (ino == job->ino)
		attr_fill(attr, ino, job->mode, NULL);
	else if (ino == job->ino2 && ino != 0)
		attr_fill(attr, ino, job->mode2, NULL);
	else
		attr_fill(attr, ino, is_dir(echo, ino) ? S_IFDIR | 0755 : S_IFREG | 0644, NULL);
}

static void
reply_entry(struct echo *echo, fuse_req_t req, uint64_t ino)
{
	struct fuse_entry_param entry;

	memset(&entry, 0, sizeof entry);
	entry.ino = ino;
	attr_of(echo, ino, &entry.attr);
	/* The kernel has the reference as soon as the reply is written. */
	echo->handler->ref(echo->arg, ino);
	fuse_reply_entry(req, &entry);
}

static bool
is_nowhere(const struct echo *echo, uint64_t parent, const char *name, const char *nowhere)
{
	return parent == ino_make(INO_ZAB, echo->root) && strcmp(name, nowhere) == 0;
}

/* Whether the request names what the job calls (parent, name), be it nowhere. */
static bool
names(const struct echo *echo, uint64_t parent, const char *name)
{
	const struct echo_job *job = echo->current;

	return (parent == job->parent && strcmp(name, job->name) == 0) ||
	       is_nowhere(echo, parent, name, ECHO_NOWHERE);
}

/* Likewise (parent2, name2). */
static bool
names2(const struct echo *echo, uint64_t parent, const char *name)
{
	const struct echo_job *job = echo->current;

	return (parent == job->parent2 && strcmp(name, job->name2) == 0) ||
	       is_nowhere(echo, parent, name, ECHO_NOWHERE2);
}

/* What stood at the name before the change; 0: nothing. */
static uint64_t
before(const struct echo *echo, uint64_t parent, const char *name)
{
	const struct echo_job *job = echo->current;

	if (names(echo, parent, name))
		return job->kind == ECHO_ADD ? 0 : own_number(job);
	if ((job->kind == ECHO_MOVE || job->kind == ECHO_SWAP) && names2(echo, parent, name))
		return job->ino2;
	return 0;
}

/* Since it began a process of this mount has done something with the node (echo_own.c). */
static bool
is_overtaken(struct echo *echo, fuse_req_t req)
{
	if (!echo->current->cancelled)
		return false;
	echo->answered = true;
	fuse_reply_err(req, EAGAIN);
	return true;
}

void
echo_op_lookup(struct echo *echo, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	uint64_t ino = before(echo, parent, name);

	if ((names(echo, parent, name) || names2(echo, parent, name)) && is_overtaken(echo, req))
		return;
	if (names(echo, parent, name))
		echo->asked = true;
	else if (names2(echo, parent, name))
		echo->asked2 = true;
	if (ino == 0)
		ino = echo_hall_lookup(echo, parent, name);
	if (ino == 0 && ino_kind(parent) == INO_ZNODE && strcmp(name, ".zab") == 0)
		ino = ino_make(INO_ZAB, parent);
	if (ino == 0 && parent == ino_make(INO_ZAB, echo->root) && strcmp(name, ECHO_DOOR) == 0)
		ino = ECHO_DOOR_INO;
	if (ino == 0)
		fuse_reply_err(req, ENOENT);
	else
		reply_entry(echo, req, ino);
}

bool
echo_op_getattr(struct echo *echo, fuse_req_t req, fuse_ino_t ino)
{
	struct stat attr;

	if (ino != echo->current->ino && ino != echo->current->ino2 && ino != ECHO_DOOR_INO &&
	    ino != ECHO_HALL_INO && ino != ECHO_STAND_IN_INO && ino != echo->guest)
		return false;
	attr_of(echo, ino, &attr);
	fuse_reply_attr(req, &attr, 0);
	return true;
}

void
echo_op_setattr(struct echo *echo, fuse_req_t req, fuse_ino_t ino)
{
	struct stat attr;

	if (ino != own_number(echo->current)) {
		echo->wrong = true;
		fuse_reply_err(req, ENOENT);
		return;
	}
	echo_grant(echo);
	attr_of(echo, ino, &attr);
	fuse_reply_attr(req, &attr, 0);
}

void
echo_op_create(struct echo *echo, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct echo_job *job = echo->current;

	if (is_overtaken(echo, req))
		return;
	if (job->kind != ECHO_ADD || !names(echo, parent, name)) {
		fuse_reply_err(req, EIO);
		return;
	}
	echo_grant(echo);
	reply_entry(echo, req, own_number(job));
}

void
echo_op_remove(struct echo *echo, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct echo_job *job = echo->current;

	if (is_overtaken(echo, req))
		return;
	if (job->kind != ECHO_REMOVE || !names(echo, parent, name)) {
		fuse_reply_err(req, EIO);
		return;
	}
	/* A name that it didn't ask us for is somebody else's, from after the change. */
	if (!echo->asked) {
		echo->wrong = true;
		fuse_reply_err(req, EAGAIN);
		return;
	}
	echo_grant(echo);
	fuse_reply_err(req, 0);
}

void
echo_op_rename(struct echo *echo, fuse_req_t req)
{
	struct echo_job *job = echo->current;

	if (is_overtaken(echo, req))
		return;
	if (job->kind != ECHO_MOVE && job->kind != ECHO_SWAP) {
		fuse_reply_err(req, EIO);
		return;
	}
	if (!echo->asked || !echo->asked2) {
		echo->wrong = true;
		fuse_reply_err(req, EAGAIN);
		return;
	}
	echo_grant(echo);
	fuse_reply_err(req, 0);
}

void
echo_op_open(struct echo *echo, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (ino == ECHO_DOOR_INO) {
		echo->ours = true;
	} else if (ino != echo->current->ino && ino != ECHO_HALL_INO) {
		echo->wrong = true;
		fuse_reply_err(req, ENOENT);
		return;
	}
	fi->direct_io = 1;
	fi->noflush = 1;
	fi->fh = ECHO_FH;
	fuse_reply_open(req, fi);
}

void
echo_op_write(struct echo *echo, fuse_req_t req, size_t size)
{
	echo_grant(echo);
	fuse_reply_write(req, size);
}
