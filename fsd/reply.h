/*
 * Answers to the kernel: a znode's stat as the kernel wants it, codes as
 * errnos. For a call that nobody waits for any longer they do nothing and say
 * false, as when the kernel itself no longer wants the answer.
 */
#ifndef ZABFS_FSD_REPLY_H
#define ZABFS_FSD_REPLY_H

#include "fsd/call.h"

/* Entries and attributes of znodes are cached until a change invalidates them (seconds). */
#define REPLY_FOREVER 1e9
/* cp and cat then move a whole value with one write(2), which is one transaction. */
#define REPLY_BLKSIZE (1 << 20)

/* For attributes: REPLY_FOREVER, or 0 while they may be old because no replica answers. */
double reply_forever(const struct fsd *fsd);
/*
 * How long the attributes that a process of this mount sees may be used: not at all where they end
 * with a close(2), which nobody waits for.
 */
double reply_attr_timeout(const struct fsd *fsd, const struct wire_stat *stat);
void reply_stat(const struct wire_stat *stat, struct stat *out);

/* Each answers call->req, if anybody still waits, and ends the wait. */
bool reply_err(struct call *call, int errnum);
/* The errno of a negative code. */
bool reply_code(struct call *call, int code);
/* A znode under its own number: cached for ever. */
bool reply_entry(struct call *call, const struct wire_stat *stat);
/* Anything under .zab. entry_timeout in seconds; the attributes are never cached. */
bool reply_entry_zab(
    struct call *call, uint64_t ino, const struct stat *attr, double entry_timeout);
bool reply_create(
    struct call *call, const struct wire_stat *stat, uint64_t ino, struct handle *handle);
bool reply_attr(struct call *call, const struct stat *attr, double timeout);
bool reply_open(struct call *call, struct handle *handle);
bool reply_write(struct call *call, size_t size);
/* How a write of call->size bytes went: all of them, or the errno of the code. */
bool reply_written(struct call *call, int code);
/*
 * How much of text a READ of `most` bytes gets: the first line, or a part of it. Never more: bash
 * reads a block and seeks back, and such a text has no position.
 */
size_t reply_line_len(const char *text, size_t len, size_t most);
bool reply_text(struct call *call, const char *text, size_t len);
/* len bytes at offset of the value, as far as it goes. */
bool reply_value(struct call *call, const struct value *value, int64_t offset, size_t len);

/* The same for a request without a call; a handle that the kernel doesn't take is freed. */
void reply_req_open(fuse_req_t req, struct handle *handle);

/*
 * The znode that a name led to is gone: the kernel is to ask for the name again (grace.h). Where it
 * has none to ask for, a removed working directory, ENOENT.
 */
bool reply_vanished(struct call *call);

#endif
