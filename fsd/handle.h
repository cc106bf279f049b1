/*
 * Open files and directories. A handle's number is made of the second in which the
 * mount began and the kernel's number of the request that opened it. It is unique in
 * a session, by which the replica tells it from others' (held nodes, locks), and a
 * request that is sent again after the death of a process gets the same one.
 * Handles are slots of kept.h, for the processes that follow. A number that is
 * not in the table for want of a slot gets a handle made from the node's number
 * and the open flags.
 */
#ifndef ZABFS_FSD_HANDLE_H
#define ZABFS_FSD_HANDLE_H

#include "fsd/fsd.h"
#include "fsd/value.h"

/* Bytes of snapshots in kept.h; what is pinned beyond is not kept for a process after us. */
#define HANDLE_SNAPSHOTS_MAX (256u << 20)
/* So many that one of which all was read gives way to those that are being read. */
#define HANDLE_SNAPSHOTS_MANY (HANDLE_SNAPSHOTS_MAX / 2)

/* What is read through it, so that a process after us goes on with the same version. */
struct handle_read {
	bool known;  /* the value's bytes are in kept.h */
	bool hashed; /* all of it was read, and this is its hash */
	uint32_t len;
	uint64_t hash;
};

/* What a stream, an asynchronous file, or one of events had under way. */
struct handle_flow {
	uint32_t under_way; /* that the process was told of as taken, and not of the result */
	int32_t error;	    /* the first of those that failed, and nobody was told of: errno */
	uint32_t unread;    /* a stream's lines without a result that was read */
	uint32_t wrote;	    /* the lines of this WRITE, the last one: */
	uint64_t write;	    /* its `unique` */
	uint32_t left;	    /* bytes in kept.h, by who left: of results, read in part, */
	uint32_t left_read; /* up to here, */
	uint32_t left_more; /* and behind them of the beginning of a line */
	bool partial;	    /* a stream has the beginning of a line, */
	bool began;	    /* and had one before that WRITE */
	uint64_t cursor;    /* all events up to here were read, */
	uint32_t ops;	    /* and these of the next transaction, */
	uint32_t nth;	    /* and so many lines of */
	uint64_t zxid;	    /* this one, and all before it; 0: none */
};

/* The READ that takes a line, and what was read before it: written before it is answered. */
struct handle_line {
	uint64_t unique;
	uint64_t before; /* answer_at, flow.zxid or, of a stream, flow.unread */
	uint32_t nth;
};

#define HANDLE_WORDS_MAX 95 /* bytes */

struct handle {
	uint64_t fh; /* first */
	uint64_t ino;
	int flags;	       /* open(2)'s */
	int32_t tid;	       /* who opened it; 0: not known */
	uint32_t uid, gid;     /* likewise, of one that takes commands (zabfile.c) */
	bool adopted;	       /* made from an unknown number */
	bool given;	       /* the kernel has it, or is about to */
	bool trunc;	       /* O_TRUNC waits for the first write */
	bool wrote;	       /* a write was tried: RELEASE doesn't truncate */
	bool fresh;	       /* value was pinned by OPEN and not read yet */
	bool held;	       /* its node goes with it */
	bool is_async;	       /* it has `async` */
	uint64_t rid;	       /* the kernel's id of the request that opened it */
	uint64_t session;      /* of a held one */
	uint64_t claim;	       /* the last request for a lock that may be there; 0: none */
	bool locked;	       /* it is, */
	uint64_t lock_session; /* of this session */
	struct value *value;   /* the snapshot that is read; NULL: none yet */
	struct handle_read read;
	struct wire_stat stat; /* as last seen; id 0: never. A directory's at OPENDIR */
	int64_t expect;	       /* the only version that a write may find; -1: any */
	bool versioned;	       /* opened through version=N: `expect` was said, not read */
	char *answer;	       /* what is read through it: a name, results; NULL: its value */
	uint32_t answer_len;   /* in kept.h, and 1 more; 0: it isn't there */
	uint32_t read_upto;    /* all of the snapshot up to here was read */
	struct stream *stream; /* multi.h; owned */
	struct events *events; /* events.h; owned */
	struct flow *async;    /* of DIR/.zab/async/NAME: flow.h; owned */
	struct handle_flow flow;
	struct handle_line line;
	size_t answer_at;		  /* the next byte to read of it */
	uint64_t write_at;		  /* and where its next write goes (fact 17) */
	uint64_t write_rid;		  /* the last one that counts there */
	uint64_t poll;			  /* the kernel's number of who polls; 0: nobody has */
	char words[HANDLE_WORDS_MAX + 1]; /* written to DIR/.zab/quota: zabquota.c */
};

struct handles;

/* Aborts without memory. */
struct handles *handles_new(void);
void handles_free(struct fsd *fsd);
/* All that are open since the time of a process before us. */
void handle_adopt_all(struct fsd *fsd);
/* Those that the kernel has not been given, and whose request does not come again, go. */
void handle_lost(struct fsd *fsd, bool (*comes_again)(void *arg, uint64_t unique), void *arg);
/* Whether of something that was queued the end is not known yet. */
bool handle_under_way(const struct fsd *fsd);
/* Of those of which nothing is under way: what else the process after us could not know. */
void handle_leave(struct fsd *fsd);
/* The kernel's number of each who polls. */
void handle_polled(struct fsd *fsd, void (*with)(void *arg, uint64_t poll), void *arg);

/* For the request that is being handled. */
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
void handle_answer(struct fsd *fsd, struct handle *handle, const char *text, size_t len);
/* Its writes are answered when they are queued. */
void handle_async(struct handle *handle);
/* Takes the reference over. */
void handle_pin(struct fsd *fsd, struct handle *handle, struct value *value);
/* The same at OPEN: what is there to be read, whatever becomes of the znode, and of this process. */
void handle_pin_unread(struct fsd *fsd, struct handle *handle, struct value *value);
/* This READ takes a line. Should it come again, it has had no answer. `before`: of struct handle_line. */
void handle_takes_line(struct handle *handle, uint64_t rid, uint64_t before);
/* Of events: all lines before zxid, and so many of its own. */
void handle_has_read(struct handle *handle, uint64_t zxid, uint32_t nth);
/* The reader gets what is in between, as far as there is something. */
void handle_was_read(struct fsd *fsd, struct handle *handle, uint64_t begin, uint64_t end);
/* The snapshot that a process before us had pinned; false: there is none, or it is not kept. */
bool handle_restore(struct fsd *fsd, struct handle *handle);
/*
 * A held node, or a lock, whose session may be gone; or a conversation (zab_talks) that a process
 * before us had and could not leave to us: its descriptor answers ESTALE.
 */
bool handle_expired(const struct fsd *fsd, const struct handle *handle);
/* What is written through it is for as long as it has its lock, or its node: link_bind. */
bool handle_is_bound(const struct handle *handle);

#endif
