/*
 * The virtual tree, `.zab` in every directory (ino.h has its numbers). Some
 * directories below it qualify an operation on the directory's own names:
 * modifier.h, qualified.h. zabdir.c finds and lists, zabfile.c makes contents,
 * zabcluster.c has them made by the replica, zabquota.c is one of its own; the
 * handlers ask here first.
 */
#ifndef ZABFS_FSD_ZAB_H
#define ZABFS_FSD_ZAB_H

#include "fsd/call.h"
#include "fsd/ino.h"
#include "fsd/modifier.h"

#define ZAB_NAME ".zab"

/* Whether (parent, name) is not a znode's place: answered by zab_lookup. */
bool zab_place(uint64_t parent, const char *name);
void zab_lookup(struct call *call, uint64_t parent, const char *name);

/* The attributes of any number, made from those of the znode that it belongs to. */
void zab_attr(uint64_t ino, const struct wire_stat *stat, struct stat *attr);
/* GETATTR of any number but a znode's own. */
void zab_getattr(struct call *call, uint64_t ino);
/* A directory's listing. Answers the request. */
void zab_readdir(fuse_req_t req, uint64_t ino, size_t size, off_t offset, bool plus);

/* Whether it stands alone: its attributes are nobody's but its own. */
bool zab_alone(uint64_t ino);

/* Contents that are made: INO_STAT, INO_QUOTA, INO_SESSION and what is reported. */
bool zab_made(uint64_t ino);
/* Whether OPEN for writing may succeed: what is written is a command. */
bool zab_writable(uint64_t ino);
/* Each open file is a conversation of its own. */
bool zab_talks(uint64_t ino);
/* OPEN of such a file. */
void zab_open(struct call *call, struct handle *handle);
/* READ of it: at offset 0 the content is made anew. */
void zab_read(struct call *call, struct handle *handle);

/* WRITE of what is writable; call->size bytes. */
void zab_write(struct call *call, struct handle *handle, const char *data);

/* 0, or the errno if there is no such place (call.h has the target). */
int zab_target(const struct fsd *fsd, uint64_t parent, const char *name, struct zab_target *target);
/* WIRE_ECHO for a node that is reached through a modifier. */
uint32_t zab_flags(uint64_t ino);

/* zabcluster.c: whether the replica makes the content; asks for it. */
bool zab_reported(uint64_t ino);
void zab_report(struct call *call, uint64_t ino, call_done done);
/* What is written to `leader`. */
void zab_hand_over(struct call *call, const char *data);

/*
 * zabquota.c: asks for a directory's quota; makes what is read of the answer, ERR_OK or why not;
 * sets it.
 */
void quota_ask(struct call *call, uint64_t ino, call_done done);
int quota_text(const struct wire_reply *reply, char *text, size_t len, size_t *used);
void quota_write(struct call *call, struct handle *handle, const char *data);
/*
 * The words of one, which `msg` gets: 0 or EINVAL. Without a word, or with `none` alone, there is
 * to be none.
 */
int quota_parse(const char *text, struct wire_quota *msg);

/* figures.c: this mount's own, behind the replica's. */
void figures_text(const struct fsd *fsd, msgpack_sbuffer *out);

/* zabfile.c, also for sizes. Returns the length; text is cut at len. */
size_t zab_stat_text(const struct wire_stat *stat, char *text, size_t len);
size_t zab_session_text(const struct fsd *fsd, char *text, size_t len);
#define ZAB_TEXT_MAX 1024

#endif
