/*
 * A VFS over SQLite's own, in its name: what is written, synced, truncated and deleted is
 * recorded (disk.c), and a call fails when its turn has come. After a failed
 * sync what was not synced is gone, as a kernel may do.
 */
#include "tests/storage/storage.h"

#include "replica/lib/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SQLITE_PIECE 65536u

const char *const call_names[CALLS] = { "open", "read", "write", "sync", "truncate", "delete",
	"size", "shm", "dirsync", "rename" };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
	enum call call;
	uint64_t n;
	int error;
	bool hit;
	uint64_t counts[CALLS];
} fault;
static int last_error;

void
fault_set(enum call call, uint64_t n, int error)
{
	memset(&fault, 0, sizeof fault);
	fault.call = call;
	fault.n = n;
	fault.error = error;
}

bool
fault_hit(void)
{
	return fault.hit;
}

int
fault_now(enum call call)
{
	int error = 0;

	pthread_mutex_lock(&mutex);
	if (++fault.counts[call] == fault.n && call == fault.call && fault.error != 0) {
		error = fault.error;
		fault.hit = true;
	}
	pthread_mutex_unlock(&mutex);
	if (error != 0)
		last_error = errno = error;
	return error;
}

/* What a write replaced, until it is synced. */
struct undo {
	struct undo *next;
	uint64_t at, size;
	uint32_t len;
	uint8_t data[];
};

struct file {
	sqlite3_file base;
	char *path;
	struct undo *undo;
	sqlite3_file *real;
};

static struct file *
of(sqlite3_file *file)
{
	return (struct file *)file;
}

static void
forget(struct file *file)
{
	struct undo *undo;

	while ((undo = file->undo) != NULL) {
		file->undo = undo->next;
		free(undo);
	}
}

static void
remember(struct file *file, sqlite3_int64 at, uint32_t len)
{
	struct undo *undo = calloc(1, sizeof *undo + len);
	sqlite3_int64 size = 0;

	CHECK(undo != NULL);
	file->real->pMethods->xFileSize(file->real, &size);
	undo->at = (uint64_t)at;
	undo->size = (uint64_t)size;
	if (at < size) {
		undo->len = (uint64_t)size - (uint64_t)at < len ? (uint32_t)(size - at) : len;
		CHECK(file->real->pMethods->xRead(file->real, undo->data, (int)undo->len, at) ==
		      SQLITE_OK);
	}
	undo->next = file->undo;
	file->undo = undo;
}

static void
lose(struct file *file)
{
	struct undo *undo;
	uint32_t done, part;

	for (undo = file->undo; undo != NULL; undo = undo->next) {
		/* SQLite's own VFS writes at most 128 KiB at once. */
		for (done = 0; done < undo->len; done += part) {
			part = undo->len - done < SQLITE_PIECE ? undo->len - done : SQLITE_PIECE;
			CHECK(file->real->pMethods->xWrite(file->real, undo->data + done, (int)part,
				  (sqlite3_int64)undo->at + done) == SQLITE_OK);
		}
		file->real->pMethods->xTruncate(file->real, (sqlite3_int64)undo->size);
	}
	forget(file);
}

static int
x_close(sqlite3_file *f)
{
	struct file *file = of(f);

	forget(file);
	free(file->path);
	return file->real->pMethods->xClose(file->real);
}

static int
x_read(sqlite3_file *f, void *data, int len, sqlite3_int64 at)
{
	if (of(f)->path != NULL && fault_now(CALL_READ) != 0)
		return SQLITE_IOERR_READ;
	return of(f)->real->pMethods->xRead(of(f)->real, data, len, at);
}

static int
x_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 at)
{
	struct file *file = of(f);
	int error = file->path != NULL ? fault_now(CALL_WRITE) : 0, code;

	if (file->path == NULL)
		return file->real->pMethods->xWrite(file->real, data, len, at);
	if (fault.error != 0)
		remember(file, at, (uint32_t)len);
	/* Half of it gets there. */
	if (error != 0)
		len /= 2;
	code = file->real->pMethods->xWrite(file->real, data, len, at);
	disk_event(EVENT_WRITE, file->path, NULL, (uint64_t)at, data, (uint32_t)len);
	errno = error;
	if (error == 0)
		return code;
	return error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int
x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct file *file = of(f);
	sqlite3_int64 old = 0;

	if (file->path != NULL && fault_now(CALL_TRUNCATE) != 0)
		return SQLITE_IOERR_TRUNCATE;
	file->real->pMethods->xFileSize(file->real, &old);
	if (fault.error != 0 && old > size)
		remember(file, size, (uint32_t)(old - size));
	if (file->path != NULL)
		disk_event(EVENT_TRUNCATE, file->path, NULL, (uint64_t)size, NULL, 0);
	return file->real->pMethods->xTruncate(file->real, size);
}

static int
x_sync(sqlite3_file *f, int flags)
{
	struct file *file = of(f);

	if (file->path == NULL)
		return SQLITE_OK;
	if (fault_now(CALL_SYNC) != 0) {
		lose(file);
		errno = last_error;
		return SQLITE_IOERR_FSYNC;
	}
	forget(file);
	disk_event(EVENT_SYNC, file->path, NULL, 0, NULL, 0);
	return file->real->pMethods->xSync(file->real, flags);
}

static int
x_size(sqlite3_file *f, sqlite3_int64 *size)
{
	if (of(f)->path != NULL && fault_now(CALL_SIZE) != 0)
		return SQLITE_IOERR_FSTAT;
	return of(f)->real->pMethods->xFileSize(of(f)->real, size);
}

static int
x_lock(sqlite3_file *f, int level)
{
	return of(f)->real->pMethods->xLock(of(f)->real, level);
}

static int
x_unlock(sqlite3_file *f, int level)
{
	return of(f)->real->pMethods->xUnlock(of(f)->real, level);
}

static int
x_check_lock(sqlite3_file *f, int *out)
{
	return of(f)->real->pMethods->xCheckReservedLock(of(f)->real, out);
}

static int
x_control(sqlite3_file *f, int op, void *arg)
{
	return of(f)->real->pMethods->xFileControl(of(f)->real, op, arg);
}

static int
x_sector(sqlite3_file *f)
{
	return of(f)->real->pMethods->xSectorSize(of(f)->real);
}

static int
x_device(sqlite3_file *f)
{
	return of(f)->real->pMethods->xDeviceCharacteristics(of(f)->real);
}

static int
x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	if (fault_now(CALL_SHM) != 0)
		return SQLITE_IOERR_SHMSIZE;
	return of(f)->real->pMethods->xShmMap(of(f)->real, page, size, extend, out);
}

static int
x_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return of(f)->real->pMethods->xShmLock(of(f)->real, at, n, flags);
}

static void
x_shm_barrier(sqlite3_file *f)
{
	of(f)->real->pMethods->xShmBarrier(of(f)->real);
}

static int
x_shm_unmap(sqlite3_file *f, int delete)
{
	return of(f)->real->pMethods->xShmUnmap(of(f)->real, delete);
}

static const sqlite3_io_methods methods = { .iVersion = 2,
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_size,
	.xLock = x_lock,
	.xUnlock = x_unlock,
	.xCheckReservedLock = x_check_lock,
	.xFileControl = x_control,
	.xSectorSize = x_sector,
	.xDeviceCharacteristics = x_device,
	.xShmMap = x_shm_map,
	.xShmLock = x_shm_lock,
	.xShmBarrier = x_shm_barrier,
	.xShmUnmap = x_shm_unmap };

static sqlite3_vfs vfs, *real;

static int
x_open(sqlite3_vfs *self, const char *path, sqlite3_file *f, int flags, int *out)
{
	struct file *file = of(f);
	bool made;
	int code;

	(void)self;
	f->pMethods = NULL;
	if (path != NULL && fault_now(CALL_OPEN) != 0)
		return SQLITE_CANTOPEN;
	file->path = NULL;
	file->undo = NULL;
	file->real = (sqlite3_file *)(file + 1);
	made = path != NULL && access(path, F_OK) != 0;
	code = real->xOpen(real, path, file->real, flags, out);
	if (file->real->pMethods == NULL)
		return code;
	f->pMethods = &methods;
	if (path != NULL)
		file->path = strdup(path);
	if (made && code == SQLITE_OK)
		disk_event(EVENT_CREATE, path, NULL, 0, NULL, 0);
	return code;
}

static int
x_delete(sqlite3_vfs *self, const char *path, int sync)
{
	int code;

	(void)self;
	if (fault_now(CALL_DELETE) != 0)
		return SQLITE_IOERR_DELETE;
	code = real->xDelete(real, path, sync);
	if (code == SQLITE_OK)
		disk_event(EVENT_UNLINK, path, NULL, 0, NULL, 0);
	return code;
}

static int
x_access(sqlite3_vfs *self, const char *path, int flags, int *out)
{
	(void)self;
	return real->xAccess(real, path, flags, out);
}

static int
x_full_path(sqlite3_vfs *self, const char *path, int n, char *out)
{
	(void)self;
	return real->xFullPathname(real, path, n, out);
}

static int
x_last_error(sqlite3_vfs *self, int n, char *out)
{
	(void)self;
	return last_error != 0 ? last_error : real->xGetLastError(real, n, out);
}

void
vfs_install(void)
{
	real = sqlite3_vfs_find("unix-excl");
	vfs = *real;
	vfs.szOsFile += (int)sizeof(struct file);
	vfs.xOpen = x_open;
	vfs.xDelete = x_delete;
	vfs.xAccess = x_access;
	vfs.xFullPathname = x_full_path;
	vfs.xGetLastError = x_last_error;
	vfs.pNext = NULL;
	CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}
