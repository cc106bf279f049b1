/*
 * Shared by inode.c (the table), inode_value.c (values, names), inode_exact.c, inode_notify.c and
 * inode_drop.c. Nobody else.
 */
#ifndef ZABFS_FSD_INODE_INTERNAL_H
#define ZABFS_FSD_INODE_INTERNAL_H

#include "fsd/inode.h"

#include <Judy.h>
#include <bsd/sys/queue.h>

/* What is known of a directory in full (inode_exact.c). */
struct inode_exact {
	uint64_t zxid; /* `last` and `children` are what they were then; 0: they are not right */
	uint32_t children;
	struct inode_place *place; /* what `name` in its slot stands for; NULL: not known */
};

struct inode {
	TAILQ_ENTRY(inode) lru; /* while it has a value */
	struct inode_kept *kept;
	uint64_t answers;
	uint32_t holds; /* of our own */
	uint32_t tries; /* to make the kernel ask again */
	bool access;	/* mode and owner in `last` are right */
	struct value *value;
	struct inode_exact exact;
};

struct inodes {
	struct fsd *fsd;
	Pvoid_t table; /* JudyL: ino -> struct inode * */
	Pvoid_t names; /* JudyL: hash of (parent, name) -> id */
	Pvoid_t retry; /* Judy1: numbers whose invalidation the kernel didn't know yet */
	struct event *retry_timer;
	struct inode_drops *drops;
	TAILQ_HEAD(, inode) lru; /* least recently used first */
	size_t value_bytes;
	uint64_t count;
	uint64_t written; /* zxid of this session's last write */
	uint64_t moves;	  /* of its writes that may have moved or removed directories */
};

struct inode *inode_find(const struct inodes *inodes, uint64_t ino);
void inode_notify_init(struct inodes *inodes);
void inode_notify_free(struct inodes *inodes);
void inode_drops_init(struct inodes *inodes);
/* The kernel asks anew for every name, and the echo is told so. False: this kernel can't. */
bool inode_names_doubt(struct fsd *fsd);
/* The thread has stopped, or is about to. */
void inode_drops_free(struct inodes *inodes);
void inode_name_adopt(struct inodes *inodes, struct inode *inode);
void inode_name_forget(struct inodes *inodes, struct inode *inode);
void inode_value_forget(struct inodes *inodes, struct inode *inode);
/* Nothing changes the node but what is told: it is there, of interest, and the session is sure. */
bool inode_is_live(const struct fsd *fsd, const struct inode *inode);
void inode_last_set(struct inode *inode, const struct wire_stat *stat, uint64_t zxid);
void inode_exact_forget(struct inode *inode);
void inode_place_forget(struct inode *inode);

#endif
