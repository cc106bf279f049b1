/*
 * Open files and directories. A handle's number is unique on every mount that
 * ever was (seconds since 1970 of this process's start, and a counter): the
 * replica keeps it for held nodes. A number that is not in the table (it was
 * given out by this mount's earlier process) gets a handle made from the node's
 * number and the open flags.
 */
#ifndef ZABFS_FSD_HANDLE_H
#define ZABFS_FSD_HANDLE_H

#include "fsd/fsd.h"
#include "fsd/value.h"

struct handle {
	uint64_t fh;
	uint64_t ino;
	int flags;	       /* open(2)'s */
	int32_t tid;	       /* who opened it; 0: not known */
	bool adopted;	       /* made from an unknown number */
	bool trunc;	       /* O_TRUNC waits for the first write */
	bool wrote;	       /* a write was tried: RELEASE doesn't truncate */
	bool fresh;	       /* value was pinned by OPEN and not read yet */
	bool held;	       /* its node goes with it */
	uint64_t session;      /* of a held one */
	uint64_t claim;	       /* the last request for a lock that may be there; 0: none */
	bool locked;	       /* it is, */
	uint64_t lock_session; /* of this session */
	struct value *value;   /* the snapshot that is read; NULL: none yet */
	struct wire_stat stat; /* as last seen; id 0: never. A directory's at OPENDIR */
	int64_t expect;	       /* the only version that a write may find; -1: any */
	bool versioned;	       /* opened through version=N: `expect` was said, not read */
	char *answer;	       /* what is read through it: a name, results; NULL: its value */
	struct stream *stream; /* multi.h; owned */
	struct events *events; /* events.h; owned */
	struct flow *async;    /* of DIR/.zab/async/NAME: flow.h; owned */
	size_t answer_at;      /* the next byte to read of it */
	char *words;	       /* written to DIR/.zab/quota, NULL: none; owned */
	uint64_t write_at;     /* and where its next write goes (fact 17) */
};

struct handles;

/* Aborts without memory. */
struct handles *handles_new(void);
void handles_free(struct handles *handles);

struct handle *handle_new(struct fsd *fsd, uint64_t ino, int flags, int32_t tid);
struct handle *handle_get(struct fsd *fsd, uint64_t ino, const struct fuse_file_info *fi);
/* NULL: not in the table. */
struct handle *handle_find(const struct fsd *fsd, uint64_t fh);
/*
 * One through which the node was seen, opened by the process of this thread,
 * or by anybody (tid 0); NULL: none. A search, for rare needs.
 */
const struct handle *handle_of(const struct fsd *fsd, uint64_t ino, int32_t tid);
void handle_free(struct fsd *fsd, struct handle *handle);

/* What is read through it is this text (copied, without a NUL in it), from its beginning. */
void handle_answer(struct handle *handle, const char *text, size_t len);
/* Its writes are answered when they are queued. */
void handle_async(struct handle *handle);
/* Takes the reference over. */
void handle_pin(struct handle *handle, struct value *value);
/* A held node, or a lock, whose session may be gone: its descriptor answers ESTALE. */
bool handle_expired(const struct fsd *fsd, const struct handle *handle);

#endif
