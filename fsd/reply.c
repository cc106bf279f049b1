/* Answers to the kernel. See reply.h; used by the handlers. */
#include "fsd/reply.h"

#include "fsd/grace.h"
#include "fsd/ino.h"
#include "fsd/inode.h"
#include "fsd/kept.h"
#include "fsd/kernel.h"
#include "replica/lib/err.h"

#include <string.h>
#include <sys/stat.h>

#define NS_PER_S 1000000000
/* Seconds: open(2) doesn't ask for the attributes of what it has just made. */
#define JUST_MADE 0.01
#define SECTOR 512

static struct timespec
time_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

void
reply_stat(const struct wire_stat *stat, struct stat *out)
{
	memset(out, 0, sizeof *out);
	out->st_ino = stat->id;
	out->st_mode = stat->mode;
	out->st_nlink = 1;
	out->st_uid = stat->uid;
	out->st_gid = stat->gid;
	out->st_size = S_ISDIR(stat->mode) ? stat->children : stat->size;
	out->st_blksize = REPLY_BLKSIZE;
	out->st_blocks = (stat->size + SECTOR - 1) / SECTOR;
	out->st_mtim = time_of(stat->mtime_ns);
	out->st_atim = out->st_mtim;
	out->st_ctim = time_of(stat->ctime_ns);
}

double
reply_forever(const struct fsd *fsd)
{
	return link_get_state(fsd->link) == LINK_SUSPENDED ? 0 : REPLY_FOREVER;
}

double
reply_attr_timeout(const struct fsd *fsd, const struct wire_stat *stat)
{
	bool held_here = stat->handle != 0 && stat->owner == link_session(fsd->link);

	return held_here ? 0 : REPLY_FOREVER;
}

/* The request, for the one answer that it gets. */
static fuse_req_t
take(struct call *call)
{
	fuse_req_t req = call->req;

	call->req = NULL;
	return req;
}

bool
reply_err(struct call *call, int errnum)
{
	fuse_req_t req = take(call);

	return req != NULL && fuse_reply_err(req, errnum) == 0;
}

bool
reply_code(struct call *call, int code)
{
	return reply_err(call, err_errno(code));
}

/*
 * The kernel has the reference with the reply, and may have used it before fuse_reply_…
 * returns.
 */
static bool
entry(struct call *call, struct fuse_entry_param *param)
{
	fuse_req_t req = take(call);

	if (req == NULL)
		return false;
	kept_give(call->fsd->kept, call->rid / KERNEL_RIDS);
	inode_ref(call->fsd, param->ino);
	if (fuse_reply_entry(req, param) == 0)
		return true;
	inode_forget(call->fsd, param->ino, 1);
	return false;
}

bool
reply_entry(struct call *call, const struct wire_stat *stat)
{
	struct fuse_entry_param param = {
		.ino = stat->id,
		.entry_timeout = REPLY_FOREVER,
		.attr_timeout = reply_attr_timeout(call->fsd, stat),
	};

	reply_stat(stat, &param.attr);
	return entry(call, &param);
}

bool
reply_entry_zab(struct call *call, uint64_t ino, const struct stat *attr, double entry_timeout)
{
	struct fuse_entry_param param = {
		.ino = ino, .entry_timeout = entry_timeout, .attr = *attr
	};

	return entry(call, &param);
}

/* Direct I/O from a snapshot (fact 5); nothing depends on FLUSH (fact 15). */
static void
file_info(struct handle *handle, struct fuse_file_info *fi)
{
	handle->given = true;
	memset(fi, 0, sizeof *fi);
	fi->fh = handle->fh;
	fi->direct_io = 1;
	fi->noflush = handle->stream == NULL && handle->async == NULL;
}

bool
reply_create(struct call *call, const struct wire_stat *stat, uint64_t ino, struct handle *handle)
{
	bool real = ino_kind(ino) == INO_ZNODE;
	struct fuse_entry_param param = { .ino = ino,
		.entry_timeout = real ? REPLY_FOREVER : 0,
		.attr_timeout = real ? REPLY_FOREVER : JUST_MADE };
	struct fuse_file_info fi;
	fuse_req_t req = take(call);

	if (req == NULL)
		return false;
	reply_stat(stat, &param.attr);
	file_info(handle, &fi);
	kept_give(call->fsd->kept, call->rid / KERNEL_RIDS);
	inode_ref(call->fsd, ino);
	if (fuse_reply_create(req, &param, &fi) == 0)
		return true;
	inode_forget(call->fsd, ino, 1);
	return false;
}

bool
reply_attr(struct call *call, const struct stat *attr, double timeout)
{
	fuse_req_t req = take(call);

	return req != NULL && fuse_reply_attr(req, attr, timeout) == 0;
}

bool
reply_open(struct call *call, struct handle *handle)
{
	struct fuse_file_info fi;
	fuse_req_t req = take(call);

	file_info(handle, &fi);
	return req != NULL && fuse_reply_open(req, &fi) == 0;
}

void
reply_req_open(fuse_req_t req, struct handle *handle)
{
	struct fsd *fsd = call_fsd(req);
	struct fuse_file_info fi;

	file_info(handle, &fi);
	if (fuse_reply_open(req, &fi) != 0)
		handle_free(fsd, handle);
}

bool
reply_write(struct call *call, size_t size)
{
	fuse_req_t req = take(call);

	return req != NULL && fuse_reply_write(req, size) == 0;
}

bool
reply_written(struct call *call, int code)
{
	return code == ERR_OK ? reply_write(call, call->size) : reply_code(call, code);
}

size_t
reply_line_len(const char *text, size_t len, size_t most)
{
	const char *newline = len == 0 ? NULL : memchr(text, '\n', len);

	if (newline != NULL)
		len = (size_t)(newline + 1 - text);
	return len < most ? len : most;
}

bool
reply_text(struct call *call, const char *text, size_t len)
{
	fuse_req_t req = take(call);

	return req != NULL && fuse_reply_buf(req, text, len) == 0;
}

bool
reply_value(struct call *call, const struct value *value, int64_t offset, size_t len)
{
	size_t start = (uint64_t)offset < value->len ? (size_t)offset : value->len,
	       left = value->len - start;
	fuse_req_t req = take(call);

	return req != NULL &&
	       fuse_reply_buf(req, (const char *)value->data + start, len < left ? len : left) == 0;
}

static bool
is_directory(const struct call *call)
{
	struct wire_stat last;

	return inode_last(call->fsd, ino_node(call->ino), &last) && S_ISDIR(last.mode);
}

bool
reply_vanished(struct call *call)
{
	bool in_vain = grace_in_vain(call->fsd, call->tid);
	bool again = grace_begin(call->fsd, call->tid, call->ino) && is_directory(call);

	/*
	 * Two tries, and this thread has looked no name up: there is none. (Of a file it may be that
	 * it waited for another's look.)
	 */
	if (in_vain && (again || inode_is_unnamed(call->fsd, ino_node(call->ino))))
		return reply_err(call, ENOENT);
	return reply_err(call, ESTALE);
}
