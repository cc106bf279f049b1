/*
 * Registers: files whose value is always whole and never written twice. The
 * first ones are overwritten in place by one write(2), the others are published
 * by rename(2). Readers note what they saw, with and without a sync before.
 */
#include "tests/cluster/client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* VALUE_LEN bytes, dots at the end. */
static void
new_value(struct worker *worker, char *value)
{
	size_t len;

	worker_unique(worker, value, VALUE_LEN + 1);
	len = strlen(value);
	memset(value + len, '.', VALUE_LEN - len);
	value[VALUE_LEN] = '\0';
}

static int
write_value(const char *path, int flags, const char *value)
{
	int fd = open(path, O_WRONLY | flags, 0644), error = 0;
	ssize_t n;

	if (fd < 0)
		return errno;
	n = write(fd, value, VALUE_LEN);
	if (n != VALUE_LEN)
		error = n < 0 ? errno : EIO;
	close(fd);
	return error;
}

/* Whatever is lost of the new file before the rename(2) is no one's business. */
static void
publish(struct worker *worker, const char *path, const char *key, const char *value)
{
	char made[PATH_LEN];
	uint64_t begun;

	worker_path(worker, made, "tmp/%s", value);
	if (write_value(made, O_CREAT | O_EXCL, value) != 0)
		return;
	begun = now_ns();
	record_change(worker, begun, "write", key, value, rename(made, path) == 0 ? 0 : errno);
}

static void
write_register(struct worker *worker, uint64_t number)
{
	char path[PATH_LEN], key[8], value[VALUE_LEN + 1];
	uint64_t begun;

	snprintf(key, sizeof key, "%u", (unsigned)number);
	worker_path(worker, path, "reg/%s", key);
	new_value(worker, value);
	if (number >= PUBLISHED) {
		publish(worker, path, key, value);
		return;
	}
	begun = now_ns();
	record_change(worker, begun, "write", key, value, write_value(path, 0, value));
}

void
write_registers(struct worker *worker)
{
	while (worker_goes_on(worker))
		write_register(worker, worker_random(worker, REGISTERS));
}

void
read_registers(struct worker *worker)
{
	char path[PATH_LEN], key[8], value[VALUE_LEN + 2];
	uint64_t begun;
	int error;

	while (worker_goes_on(worker)) {
		snprintf(key, sizeof key, "%u", (unsigned)worker_random(worker, REGISTERS));
		worker_path(worker, path, "reg/%s", key);
		begun = now_ns();
		error = read_text(path, value, sizeof value);
		record(worker, begun, "read", key, value, error);
	}
}

/* Every tenth time a directory is listed instead. */
void
read_synced(struct worker *worker)
{
	static const char *const dirs[] = { "names", "eph", "lock" };
	char path[PATH_LEN], key[8], value[VALUE_LEN + 2];
	uint64_t begun;
	int error;

	while (worker_goes_on(worker)) {
		if (worker_random(worker, 10) == 0) {
			list_synced(worker, dirs[worker_random(worker, 3)]);
			continue;
		}
		snprintf(key, sizeof key, "%u", (unsigned)worker_random(worker, REGISTERS));
		worker_path(worker, path, "reg/%s", key);
		*value = '\0';
		begun = now_ns();
		error = sync_dir(path);
		if (error == 0)
			error = read_text(path, value, sizeof value);
		record(worker, begun, "sread", key, value, error);
	}
}

void
finish(struct worker *worker, bool registers)
{
	char path[PATH_LEN], name[NAME_LEN];
	uint64_t i, begun;
	int fd;

	for (i = 0; registers && i < REGISTERS; i++)
		write_register(worker, i);
	snprintf(name, sizeof name, END_NAME "%s", worker->client->name);
	worker_path(worker, path, "names/%s", name);
	begun = now_ns();
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
	record(worker, begun, "create", name, "file", fd >= 0 ? 0 : errno);
	if (fd >= 0)
		close(fd);
}
