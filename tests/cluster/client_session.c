/*
 * What ends with a session or a descriptor: ephemerals, which are there as long
 * as their session is, and locks, which one mount has at a time: held files made
 * with O_EXCL, and flock(2).
 */
#include "tests/cluster/client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIVE_MAX 8
#define USES_MAX 10

uint64_t
worker_session(struct worker *worker)
{
	char path[PATH_LEN], text[512], id[32] = "-", state[16] = "-";
	uint64_t begun = now_ns();
	int error;

	worker_path(worker, path, ".zab/session");
	error = read_text(path, text, sizeof text);
	if (error == 0 && sscanf(text, "id %31s\nstate %15s\n", id, state) != 2)
		error = EIO;
	record(worker, begun, "session", state, id, error);
	return error == 0 && strcmp(state, "connected") == 0 ? strtoull(id, NULL, 16) : 0;
}

struct mine {
	char name[LIVE_MAX][NAME_LEN];
	uint32_t live;
};

static void
forget(struct mine *mine, uint32_t i)
{
	mine->live--;
	memmove(mine->name[i], mine->name[mine->live], NAME_LEN);
}

static void
create(struct worker *worker, struct mine *mine)
{
	char path[PATH_LEN], *name = mine->name[mine->live];
	uint64_t begun;
	int fd;

	worker_unique(worker, name, NAME_LEN);
	worker_path(worker, path, "eph/.zab/ephemeral/%s", name);
	begun = now_ns();
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
	record_change(worker, begun, "ecreate", name, "-", fd >= 0 ? 0 : errno);
	if (fd < 0)
		return;
	close(fd);
	mine->live++;
}

/* Removed by its owner, or looked for: it is there unless the session has ended. */
static void
visit(struct worker *worker, struct mine *mine, uint32_t i)
{
	bool remove = worker_random(worker, 2) == 0;
	char path[PATH_LEN], value[32];
	struct stat st;
	uint64_t begun;
	int error;

	worker_path(worker, path, "eph/%s", mine->name[i]);
	begun = now_ns();
	if (remove) {
		error = unlink(path) == 0 ? 0 : errno;
		record_change(worker, begun, "eremove", mine->name[i], "-", error);
		forget(mine, i);
		return;
	}
	error = lstat(path, &st) == 0 ? 0 : errno;
	snprintf(value, sizeof value, "%" PRIu64, error == 0 ? (uint64_t)st.st_ino : 0);
	record(worker, begun, "echeck", mine->name[i], value, error);
	if (error == ENOENT)
		forget(mine, i);
}

void
keep_ephemerals(struct worker *worker)
{
	struct mine mine = { 0 };

	while (worker_goes_on(worker)) {
		worker_session(worker);
		if (mine.live == 0 || (mine.live < LIVE_MAX && worker_random(worker, 2) == 0))
			create(worker, &mine);
		else
			visit(worker, &mine, (uint32_t)worker_random(worker, mine.live));
	}
	/* The last look: what is gone now was gone before this. */
	worker_session(worker);
}

/* Each successful read(2) of the descriptor says that the lock was held when it began. */
static void
use(struct worker *worker, int fd, const char *key, const char *token)
{
	uint64_t uses = 1 + worker_random(worker, USES_MAX), begun;
	char byte;
	int error;

	while (uses-- > 0) {
		begun = now_ns();
		error = pread(fd, &byte, 1, 0) >= 0 ? 0 : errno;
		record(worker, begun, "use", key, token, error);
		if (error == ESTALE || !worker_goes_on(worker))
			return;
	}
}

/* flock(2) of a file that stays, at once or in turn: there is no number that grows. */
static void
take_flock(struct worker *worker)
{
	int how = worker_random(worker, 2) == 0 ? LOCK_EX : LOCK_EX | LOCK_NB;
	char path[PATH_LEN], key[8];
	uint64_t begun;
	int fd;

	snprintf(key, sizeof key, "f%u", (unsigned)worker_random(worker, LOCKS));
	worker_path(worker, path, "flock/%s", key);
	fd = open(path, O_CREAT | O_RDWR, 0644);
	if (fd < 0)
		return;
	begun = now_ns();
	if (flock(fd, how) == 0) {
		record_change(worker, begun, "lock", key, "0", 0);
		use(worker, fd, key, "0");
	} else if (errno != EWOULDBLOCK) {
		record(worker, begun, "lock", key, "-", errno);
	}
	close(fd);
}

void
take_locks(struct worker *worker)
{
	char path[PATH_LEN], key[8], token[32] = "-";
	struct stat st;
	uint64_t begun;
	int fd;

	while (worker_goes_on(worker)) {
		if (worker_random(worker, 2) == 0) {
			take_flock(worker);
			continue;
		}
		snprintf(key, sizeof key, "%u", (unsigned)worker_random(worker, LOCKS));
		worker_path(worker, path, "lock/.zab/held/%s", key);
		begun = now_ns();
		fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0644);
		if (fd < 0) {
			if (errno != EEXIST)
				record(worker, begun, "lock", key, "-", errno);
			continue;
		}
		/* The number of the node grows from holder to holder. */
		snprintf(
		    token, sizeof token, "%" PRIu64, fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0);
		record_change(worker, begun, "lock", key, token, 0);
		use(worker, fd, key, token);
		begun = now_ns();
		close(fd);
		record(worker, begun, "unlock", key, token, 0);
	}
}
