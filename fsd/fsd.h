/*
 * Everything of one mount that the handlers share. main.c makes it; each
 * member's own header says what it is. All of it belongs to the loop's thread.
 */
#ifndef ZABFS_FSD_FSD_H
#define ZABFS_FSD_FSD_H

#include "fsd/echo.h"
#include "fsd/link.h"

struct fsd {
	struct event_base *base;
	struct fuse_session *se;
	struct kept *kept;	       /* kept.h */
	struct kernel *kernel;	       /* kernel.h */
	struct link *link;	       /* link.h */
	struct echo *echo;	       /* echo.h; NULL until the mount answers */
	struct inodes *inodes;	       /* inode.h */
	struct handles *handles;       /* handle.h */
	struct qualifieds *qualifieds; /* qualified.h */
	struct waits *waits;	       /* interrupt.h */
	struct strays *strays;	       /* stray.h */
	struct graces *graces;	       /* grace.h */
	void (*connected)(void *arg);  /* main.c's: the session stands; NULL: nobody asks */
	void *connected_arg;
	/*
	 * The mount's root as last seen: the way to .zab/session when nothing else answers. Its id
	 * is 0 until it is found (subtree.h): nobody is served before.
	 */
	struct wire_stat root;
	struct wire_space space; /* the last answer to STATFS */
	uint64_t snapshots;	 /* bytes of them in kept.h (handle.h) */
	uint64_t talks;		 /* numbers given out to .zab/txn and .zab/stream */
	bool stale;		 /* -o stale: reads go on when the deadline has passed */
};

/* The handlers, op_*.c. */
extern const struct fuse_lowlevel_ops fsd_ops;

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(
    fuse_req_t req, fuse_ino_t ino, struct stat *attr, int valid, struct fuse_file_info *fi);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_statfs(fuse_req_t req, fuse_ino_t ino);
void op_create(
    fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
    const char *newname, unsigned int flags);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
    struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(
    fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_readdirplus(
    fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op);
void op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock);
void op_setlk(
    fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep);

#endif
