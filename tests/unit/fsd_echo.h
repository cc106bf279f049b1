/*
 * The echo, played: it notes what it is asked, and none of echo.c is linked.
 * Part of fsd_harness.h, which declares `h`.
 */
#ifndef ZABFS_TESTS_FSD_ECHO_H
#define ZABFS_TESTS_FSD_ECHO_H

bool
echo_caller(const struct echo *echo, fuse_req_t req)
{
	(void)echo;
	return fuse_req_ctx(req)->pid == H_ECHO_TID;
}
uint64_t
echo_pushed(const struct echo *echo)
{
	(void)echo;
	return 12;
}
uint64_t
echo_coalesced(const struct echo *echo)
{
	(void)echo;
	return 3;
}
uint64_t
echo_overflows(const struct echo *echo)
{
	(void)echo;
	return 0;
}
uint32_t
echo_queued(struct echo *echo)
{
	(void)echo;
	return 2;
}
bool
echo_change(struct echo *echo, uint64_t zxid, uint32_t op)
{
	(void)echo;
	(void)zxid;
	(void)op;
	return true;
}
void
echo_push(struct echo *echo, const struct wire_change *change)
{
	(void)echo;
	h.pushed = *change;
	h.echo_pushed++;
}
void
echo_push_zab(struct echo *echo, uint64_t dir, const char *name, uint64_t ino)
{
	(void)echo;
	(void)dir;
	(void)name;
	(void)ino;
	h.echo_zab++;
}
void
echo_doubt(struct echo *echo)
{
	(void)echo;
	h.echo_doubted++;
}
void
echo_own(struct echo *echo, uint64_t ino, uint64_t dir, const char *name)
{
	(void)echo;
	(void)dir;
	(void)name;
	h.echo_owned = ino;
}
void
echo_made(struct echo *echo, uint64_t dir, const char *name, const struct wire_stat *stat)
{
	(void)echo;
	(void)dir;
	(void)name;
	(void)stat;
}
void
echo_own_change(struct echo *echo, const struct wire_change *change, uint32_t op)
{
	(void)echo;
	(void)op;
	h.echo_owned = change->id;
}
bool
echo_owned(const struct echo *echo, uint64_t zxid)
{
	(void)echo;
	(void)zxid;
	return false;
}
void
echo_op_lookup(struct echo *echo, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)echo;
	(void)parent;
	(void)name;
	h.echo_asked++;
	fuse_reply_err(req, ENOENT);
}
bool
echo_op_getattr(struct echo *echo, fuse_req_t req, fuse_ino_t ino)
{
	(void)echo;
	(void)req;
	(void)ino;
	h.echo_asked++;
	return false;
}
void
echo_op_setattr(struct echo *echo, fuse_req_t req, fuse_ino_t ino)
{
	(void)echo;
	(void)ino;
	h.echo_asked++;
	fuse_reply_err(req, ENOENT);
}
void
echo_op_create(struct echo *echo, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	echo_op_lookup(echo, req, parent, name);
}
void
echo_op_remove(struct echo *echo, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	echo_op_lookup(echo, req, parent, name);
}
void
echo_op_rename(struct echo *echo, fuse_req_t req)
{
	echo_op_setattr(echo, req, 0);
}
void
echo_op_open(struct echo *echo, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	echo_op_setattr(echo, req, ino);
}
void
echo_op_write(struct echo *echo, fuse_req_t req, size_t size)
{
	(void)size;
	echo_op_setattr(echo, req, 0);
}

#endif
