/*
 * The high-water mark: what this member acknowledged last, outside of log.db.
 * SQLite recovers by cutting its WAL at the first bad frame; where rot hit
 * acknowledged frames, the log ends below the mark, and this finds it. It is
 * a detector, not a promise: written without fsync after each commit, it may
 * be behind, never ahead.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC UINT64_C(0x7a6162667368776e)     /* "zabfshwn" */
#define MAGIC_OLD UINT64_C(0x7a6162667368776d) /* "zabfshwm": without the epochs */

struct mark {
	uint64_t magic, zxid, accepted_epoch, current_epoch, sum;
};

static uint64_t
mark_sum(const struct mark *mark)
{
	return XXH64(mark, offsetof(struct mark, sum), 0);
}

/* False: damaged. Nothing there, or half of it: nothing was acknowledged. */
static bool
mark_read(struct store *store, struct mark *mark)
{
	ssize_t n = pread(store->highwater_fd, mark, sizeof *mark, 0);
	uint64_t old[3];

	if (n == (ssize_t)sizeof *mark && mark->magic == MAGIC && mark->sum == mark_sum(mark))
		return true;
	memcpy(old, mark, sizeof old);
	memset(mark, 0, sizeof *mark);
	if (n < (ssize_t)sizeof old)
		return n >= 0;
	mark->zxid = old[1];
	return n == (ssize_t)sizeof old && old[0] == MAGIC_OLD &&
	       old[2] == XXH64(old, 2 * sizeof old[0], 0);
}

int
highwater_open(struct store *store, bool *above, char *err, size_t errlen)
{
	const struct progress *log = &store->log_durable;
	char path[4096];
	struct mark mark = { 0 };

	snprintf(path, sizeof path, "%s/highwater", store->dir);
	store->highwater_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (store->highwater_fd < 0) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		return EX_CANTCREAT;
	}
	*above = false;
	if (!mark_read(store, &mark))
		log_warn("the high-water mark is damaged, written anew file=%s", path);
	else
		*above = mark.zxid > log->zxid || mark.accepted_epoch > log->meta.accepted_epoch ||
			 mark.current_epoch > log->meta.current_epoch;
	if (*above)
		snprintf(err, errlen,
		    "%s: transactions up to 0x%llx were acknowledged in epoch %llu, but log.db "
		    "ends "
		    "at 0x%llx in epoch %llu: acknowledged data is missing; restore it from a "
		    "backup, or remove this file to accept the loss",
		    path, (unsigned long long)mark.zxid, (unsigned long long)mark.current_epoch,
		    (unsigned long long)log->zxid, (unsigned long long)log->meta.current_epoch);
	return 0;
}

static bool
mark_write(struct store *store, const struct progress *progress)
{
	struct mark mark = { .magic = MAGIC,
		.zxid = progress->zxid,
		.accepted_epoch = progress->meta.accepted_epoch,
		.current_epoch = progress->meta.current_epoch };

	mark.sum = mark_sum(&mark);
	return pwrite(store->highwater_fd, &mark, sizeof mark, 0) == (ssize_t)sizeof mark;
}

void
highwater_set(struct store *store, const struct progress *progress)
{
	/* On a full disk the block is there already; a failure costs the detector, not the data. */
	if (!mark_write(store, progress))
		log_debug("the high-water mark was not written reason=\"%s\"", strerror(errno));
}

enum db_result
highwater_lower(struct store *store, const struct progress *progress)
{
	if (!mark_write(store, progress)) {
		if (errno == ENOSPC || errno == EDQUOT)
			return DB_FULL;
		fatal(EX_IOERR, "%s/highwater: %s", store->dir, strerror(errno));
	}
	if (fdatasync(store->highwater_fd) != 0)
		fatal(EX_IOERR, "%s/highwater: fdatasync: %s", store->dir, strerror(errno));
	return DB_OK;
}
