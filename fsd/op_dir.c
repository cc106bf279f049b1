/*
 * OPENDIR, READDIR, READDIRPLUS, RELEASEDIR. See fsd.h.
 *
 * An entry's offset follows from its node's id, and the replica lists by id: so
 * a listing needs no state here, and shows every name that was there all along
 * exactly once, whatever else changes meanwhile.
 *
 * READDIRPLUS pins each entry in the kernel, as a look-up would. After a first
 * page the kernel asks for it only while entries are looked up (READDIRPLUS_AUTO):
 * ls -l of a big directory needs no look-ups, ls -f pins next to nothing.
 */
#include "fsd/inode.h"
#include "fsd/kept.h"
#include "fsd/kernel.h"
#include "fsd/reply.h"
#include "fsd/zab.h"
#include "replica/lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OFFSET_DOT 1
#define OFFSET_DOTDOT 2
#define OFFSET_IDS 2 /* an entry's offset is its id and this */

static void
dir_opened(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct handle *handle = handle_find(call->fsd, call->fh);
	bool open = reply->code == ERR_OK && stat != NULL;

	if (open)
		handle->stat = *stat;
	else if (reply->code == ERR_NONODE)
		reply_vanished(call);
	else
		reply_code(call, call_code(reply, stat));
	if (!open || !reply_open(call, handle))
		handle_free(call->fsd, handle);
	call_free(call);
}

void
op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	struct handle *handle;
	struct call *call;

	if (echo_caller(fsd->echo, req)) {
		echo_op_open(fsd->echo, req, ino, fi);
		return;
	}
	handle = handle_new(fsd, ino, fi->flags, fuse_req_ctx(req)->pid);
	if (ino_kind(ino) != INO_ZNODE) {
		reply_req_open(req, handle);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL) {
		handle_free(fsd, handle);
		return;
	}
	call->fh = handle->fh;
	call->ino = ino;
	call_getattr(call, ino, dir_opened);
}

/* A page of a listing, being filled. */
struct page {
	fuse_req_t req;
	char *buffer;
	size_t size, used;
	bool plus; /* its format */
};

static bool
page_add(struct page *page, const char *name, const struct fuse_entry_param *param, off_t offset)
{
	size_t left = page->size - page->used, len;

	if (page->plus)
		len = fuse_add_direntry_plus(
		    page->req, page->buffer + page->used, left, name, param, offset);
	else
		len = fuse_add_direntry(
		    page->req, page->buffer + page->used, left, name, &param->attr, offset);
	if (len > left)
		return false;
	page->used += len;
	return true;
}

/* What is above the mount's root is not seen. */
static bool
page_add_dots(struct page *page, int64_t offset, const struct wire_stat *dir)
{
	bool root = dir->id == call_fsd(page->req)->root.id;
	struct fuse_entry_param param;

	memset(&param, 0, sizeof param);
	param.attr.st_mode = S_IFDIR;
	param.attr.st_ino = dir->id;
	if (offset < OFFSET_DOT && !page_add(page, ".", &param, OFFSET_DOT))
		return false;
	param.attr.st_ino = root ? dir->id : dir->parent;
	return offset >= OFFSET_DOTDOT || page_add(page, "..", &param, OFFSET_DOTDOT);
}

/* With a stat, the entry is one that the kernel will know: a reference. */
static bool
page_add_entry(const struct fsd *fsd, struct page *page, const struct wire_entry *entry,
    const struct wire_stat *stat)
{
	struct fuse_entry_param param;
	char name[WIRE_NAME_MAX + 1];

	memset(&param, 0, sizeof param);
	memcpy(name, entry->name.data, entry->name.len);
	name[entry->name.len] = '\0';
	param.attr.st_mode = entry->mode;
	param.attr.st_ino = entry->id;
	if (stat != NULL) {
		reply_stat(stat, &param.attr);
		param.ino = entry->id;
		param.entry_timeout = REPLY_FOREVER;
		param.attr_timeout = reply_attr_timeout(fsd, stat);
	}
	return page_add(page, name, &param, (off_t)(entry->id + OFFSET_IDS));
}

/* The first `n` entries: what the kernel did not take is given back. */
static void
give_back(struct fsd *fsd, struct blob data, size_t n)
{
	struct wire_entry entry;

	while (n-- > 0 && wire_entry_next(&data, &entry) == 1)
		inode_forget(fsd, entry.id, 1);
}

static void
name_set(struct fsd *fsd, uint64_t dir, const struct wire_entry *entry)
{
	char name[WIRE_NAME_MAX + 1];

	memcpy(name, entry->name.data, entry->name.len);
	name[entry->name.len] = '\0';
	inode_name_set(fsd, dir, name, entry->id);
	inode_place_set(fsd, dir, name, entry->id);
}

/* Fills the page and counts the references that it gives. False: an entry that makes no sense. */
static bool
fill(struct call *call, struct page *page, struct blob data, size_t *references)
{
	struct wire_entry entry;
	struct wire_stat stat;
	int more;

	kept_give(call->fsd->kept, call->rid / KERNEL_RIDS);
	while ((more = wire_entry_next(&data, &entry)) == 1) {
		if (entry.name.len == 0 || (call->plus && wire_stat_unpack(entry.stat, &stat) != 0))
			return false;
		if (!page_add_entry(call->fsd, page, &entry, call->plus ? &stat : NULL))
			return true;
		if (!call->plus)
			continue;
		inode_ref(call->fsd, entry.id);
		inode_seen(call->fsd, &stat, 0);
		name_set(call->fsd, call->ino, &entry);
		(*references)++;
	}
	return more == 0;
}

static void
listed(struct call *call, const struct wire_reply *reply, const struct wire_stat *stat)
{
	struct page page = { .req = call->req, .size = call->size, .plus = call->plus };
	size_t references = 0;
	fuse_req_t req;

	if (call_code(reply, stat) != ERR_OK || call->req == NULL) {
		reply_code(call, call_code(reply, stat));
		call_free(call);
		return;
	}
	page.buffer = malloc(call->size);
	if (page.buffer == NULL) {
		reply_err(call, ENOMEM);
	} else if (!page_add_dots(&page, call->offset, stat)) {
		reply_err(call, EINVAL);
	} else if (!fill(call, &page, reply->data, &references)) {
		give_back(call->fsd, reply->data, references);
		reply_code(call, ERR_PROTO);
	} else {
		req = call->req;
		call->req = NULL;
		if (fuse_reply_buf(req, page.buffer, page.used) != 0)
			give_back(call->fsd, reply->data, references);
	}
	free(page.buffer);
	call_free(call);
}

static void
read_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
	struct fsd *fsd = call_fsd(req);
	struct wire_msg msg = { .type = WIRE_T_LIST, .list = { .id = ino } };
	struct call *call;

	if (echo_caller(fsd->echo, req)) {
		echo_op_readdir(fsd->echo, req, ino, size, offset, plus);
		return;
	}
	if (ino_kind(ino) != INO_ZNODE) {
		zab_readdir(req, ino, size, offset, plus);
		return;
	}
	call = call_new(fsd, req);
	if (call == NULL)
		return;
	call->ino = ino;
	call->size = size;
	call->offset = offset;
	call->plus = plus;
	msg.list.after = offset > OFFSET_IDS ? (uint64_t)offset - OFFSET_IDS : 0;
	/*
	 * An entry is longer for the kernel than on the wire: little is fetched that doesn't
	 * fit.
	 */
	msg.list.bytes = (uint32_t)(size < WIRE_LIST_MAX ? size / 8 * 5 : WIRE_LIST_MAX / 8 * 5);
	msg.list.plus = plus;
	call_send(call, &msg, listed);
}

void
op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)fi;
	read_dir(req, ino, size, offset, false);
}

void
op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)fi;
	read_dir(req, ino, size, offset, true);
}

void
op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fsd *fsd = call_fsd(req);
	struct handle *handle = handle_find(fsd, fi->fh);

	(void)ino;
	if (handle != NULL)
		handle_free(fsd, handle);
	fuse_reply_err(req, 0);
}
