/*
 * The high-water mark: the last zxid that this member acknowledged, outside of
 * log.db. SQLite recovers by cutting its WAL at the first bad frame; where rot
 * hit acknowledged frames, the log ends below the mark, and this finds it. It
 * is a detector, not a promise: written without fsync after each commit, it
 * may be behind, never ahead.
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

#define MAGIC UINT64_C(0x7a6162667368776d) /* "zabfshwm" */

struct mark {
	uint64_t magic, zxid, sum;
};

static uint64_t
mark_sum(const struct mark *mark)
{
	return XXH64(mark, offsetof(struct mark, sum), 0);
}

int
highwater_open(struct store *store, uint64_t zxid, char *err, size_t errlen)
{
	struct mark mark;
	char path[4096];
	ssize_t n;

	snprintf(path, sizeof path, "%s/highwater", store->dir);
	store->highwater_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (store->highwater_fd < 0) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		return EX_CANTCREAT;
	}
	n = pread(store->highwater_fd, &mark, sizeof mark, 0);
	if (n == (ssize_t)sizeof mark && (mark.magic != MAGIC || mark.sum != mark_sum(&mark)))
		log_warn("the high-water mark is damaged, written anew file=%s", path);
	else if (n == (ssize_t)sizeof mark && mark.zxid > zxid) {
		snprintf(err, errlen,
		    "%s: transactions up to 0x%llx were acknowledged, but log.db ends at 0x%llx: "
		    "acknowledged data is "
		    "missing; restore it from a backup, or remove this file to accept the loss",
		    path, (unsigned long long)mark.zxid, (unsigned long long)zxid);
		return EX_DATAERR;
	}
	highwater_set(store, zxid);
	return 0;
}

void
highwater_set(struct store *store, uint64_t zxid)
{
	struct mark mark = { .magic = MAGIC, .zxid = zxid };

	mark.sum = mark_sum(&mark);
	/* On a full disk the block is there already; a failure costs the detector, not the data. */
	if (pwrite(store->highwater_fd, &mark, sizeof mark, 0) != (ssize_t)sizeof mark)
		log_debug("the high-water mark was not written reason=\"%s\"", strerror(errno));
}
