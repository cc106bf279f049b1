/*
 * The one table of operational errors: a negative code, its text, its errno.
 * The codes travel in replies and in the log (a failed request is a
 * transaction too), so a number, once given, never changes its meaning.
 * Called by everyone; knows nobody.
 */
#ifndef ZABFS_LIB_ERR_H
#define ZABFS_LIB_ERR_H

#include <stdbool.h>

#define ERR_TABLE(E)                                                                               \
	E(ERR_NONODE, 1, ENOENT, "no such znode")                                                  \
	E(ERR_EXISTS, 2, EEXIST, "znode exists")                                                   \
	E(ERR_NOTEMPTY, 3, ENOTEMPTY, "directory not empty")                                       \
	E(ERR_NOTDIR, 4, ENOTDIR, "not a directory")                                               \
	E(ERR_ISDIR, 5, EISDIR, "is a directory")                                                  \
	E(ERR_BADVERSION, 6, ECANCELED, "version mismatch")                                        \
	E(ERR_INVAL, 7, EINVAL, "invalid argument")                                                \
	E(ERR_PERM, 8, EPERM, "never allowed")                                                     \
	E(ERR_NAMETOOLONG, 9, ENAMETOOLONG, "name too long")                                       \
	E(ERR_FBIG, 10, EFBIG, "value too large")                                                  \
	E(ERR_NOSPC, 11, ENOSPC, "the replica's disk is full")                                     \
	E(ERR_NOQUORUM, 12, EHOSTUNREACH, "no quorum, not executed")                               \
	E(ERR_UNKNOWN, 13, ETIMEDOUT, "timed out, outcome unknown")                                \
	E(ERR_EXPIRED, 14, ESTALE, "session expired")                                              \
	E(ERR_ROFS, 15, EROFS, "read-only")                                                        \
	E(ERR_INTR, 16, EINTR, "interrupted")                                                      \
	E(ERR_NOTSUP, 17, EOPNOTSUPP, "not offered")                                               \
	E(ERR_NOMEM, 18, ENOMEM, "out of memory")                                                  \
	E(ERR_PROTO, 19, EPROTO, "malformed message")                                              \
	E(ERR_BUSY, 20, EBUSY, "too many requests outstanding")                                    \
	E(ERR_QUOTA, 21, EDQUOT, "quota exceeded")                                                 \
	E(ERR_IO, 22, EIO, "input/output error")                                                   \
	E(ERR_MOVED, 23, ESTALE, "the session has moved")                                          \
	E(ERR_AGAIN, 24, EWOULDBLOCK, "locked by another")                                         \
	E(ERR_ACCES, 25, EACCES, "permission denied")                                              \
	E(ERR_NOLCK, 26, ENOLCK, "no lock is left")                                                \
	E(ERR_GAP, 27, EBUSY, "its log begins later than what was seen")

enum err {
	ERR_OK = 0,
#define ERR_ENUM(name, number, errnum, text) name = -(number),
	ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
};

/* Whether it is a code of the table, or ERR_OK: what comes from outside may be any number. */
bool err_is_known(int code);

/* The text of a code, static; "unknown error" for a number outside the table. */
const char *err_text(int code);

/* The errno(3) of a code, positive; 0 for ERR_OK, EIO for a number outside the table. */
int err_errno(int code);

#endif
