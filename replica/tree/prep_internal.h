/* Shared by prep.c (sessions, retry table) and prep_*.c (one function per request). */
#ifndef ZABFS_TREE_PREP_INTERNAL_H
#define ZABFS_TREE_PREP_INTERNAL_H

#include "replica/tree/lock_view.h"
#include "replica/tree/prep.h"
#include "replica/tree/view.h"

/* A request being prepared. */
struct prep_job {
	struct view *view;
	struct lock_view *locks;
	uint64_t session, zxid;
	int64_t time_ns;
	uint32_t value_max;
	uint32_t ephemerals_left; /* that the session may still create */
	msgpack_zone *zone;
	struct txn *out;
};

/* An operation more in the transaction; its type is set, the rest is 0. */
struct txn_op *prep_op(struct prep_job *job, enum txn_op_type type);

/* ERR_OK, ERR_NONODE or ERR_NOTDIR. */
int prep_get_dir(const struct prep_job *job, uint64_t id, struct view_node *dir);
/* A child more or less, or none. */
void prep_dir_change(struct prep_job *job, struct view_node *dir, int children);
void prep_set_name(struct view_node *node, uint64_t parent, struct blob name);
/*
 * prep_quota.c: whether there is room for so much more below each directory from this one up, but
 * for `upto` and what is above it (0: up to the root). ERR_QUOTA: not in one with a hard quota.
 */
int prep_room(const struct prep_job *job, uint64_t from, uint64_t upto, const struct usage *more);

/* Each fills job->out and the view and returns 0, or returns an error and changes nothing. */
int prep_create(struct prep_job *job, const struct wire_create *msg);
int prep_delete(struct prep_job *job, const struct wire_delete *msg);
/* Whether the directory's sticky bit keeps this user from taking the node away (unlink(2), EPERM). */
bool prep_is_guarded(const struct view_node *dir, const struct view_node *node, uint32_t uid);
int prep_write_value(struct prep_job *job, const struct wire_write *msg);
int prep_setattr(struct prep_job *job, const struct wire_setattr *msg);
/* prep_rename.c */
int prep_rename(struct prep_job *job, const struct wire_rename *msg);
/* prep_quota.c */
int prep_quota(struct prep_job *job, const struct wire_quota *msg);
/* prep_multi.c: also the number of the step that failed, in head.result_id. */
int prep_multi(struct prep_job *job, const struct wire_multi *msg);
/* Of these ERR_AGAIN is no failure: the lock has to wait, or an older one went. */
int prep_lock(struct prep_job *job, const struct wire_lock *msg);
int prep_unlock(struct prep_job *job, const struct wire_unlock *msg);

/* Takes a node out of the tree: the operation and the view. */
void prep_remove(struct prep_job *job, const struct view_node *node);

#endif
