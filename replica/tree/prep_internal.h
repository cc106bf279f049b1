/* Shared by prep.c (sessions, retry table), prep_ops.c and prep_lock.c (one function per request). */
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

/* Each fills job->out and the view and returns 0, or returns an error and changes nothing. */
int prep_create(struct prep_job *job, const struct wire_create *msg);
int prep_delete(struct prep_job *job, const struct wire_delete *msg);
int prep_write_value(struct prep_job *job, const struct wire_write *msg);
int prep_setattr(struct prep_job *job, const struct wire_setattr *msg);
int prep_rename(struct prep_job *job, const struct wire_rename *msg);
/* prep_multi.c: also the number of the step that failed, in head.result_id. */
int prep_multi(struct prep_job *job, const struct wire_multi *msg);
/* Of these ERR_AGAIN is no failure: the lock has to wait, or an older one went. */
int prep_lock(struct prep_job *job, const struct wire_lock *msg);
int prep_unlock(struct prep_job *job, const struct wire_unlock *msg);

/* Takes a node out of the tree: the operation and the view. */
void prep_remove(struct prep_job *job, const struct view_node *node);

#endif
