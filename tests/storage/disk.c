/*
 * What happened to a folder's files, in order, and what a crash may leave of
 * it. What was synced is there. Of the rest: nothing, everything, the first
 * part, any sectors in any order, and a sector half. A name is as durable as
 * its folder; -shm files are memory.
 */
#include "tests/storage/storage.h"

#include "replica/lib/check.h"

#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
#define FILES_MAX 64
#define NAME_SPACE 32

struct event {
	enum event_type type;
	int file, to; /* to: the file that a rename replaced, or -1 */
	char name[NAME_SPACE], to_name[NAME_SPACE];
	uint64_t at;
	uint32_t len;
	uint8_t *data;
	struct expectation expectation;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool recording;
static struct event *events;
static uint32_t nevents, space;
static char names[FILES_MAX][NAME_SPACE]; /* of each file, now; "": none */
static int nfiles;

void
disk_record(bool on)
{
	recording = on;
}

bool
disk_recording(void)
{
	return recording;
}

static struct event *
add(enum event_type type)
{
	if (nevents == space) {
		space = space * 2 + 1024;
		events = realloc(events, space * sizeof *events);
		CHECK(events != NULL);
	}
	events[nevents] = (struct event){ .type = type, .file = -1, .to = -1 };
	return &events[nevents++];
}

static int
file_of(const char *name)
{
	int i;

	for (i = 0; i < nfiles; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

static void
base_name(const char *path, char name[NAME_SPACE])
{
	const char *slash = strrchr(path, '/');

	snprintf(name, NAME_SPACE, "%s", slash == NULL ? path : slash + 1);
}

static void
name_event(struct event *event, const char *path, const char *to)
{
	base_name(path, event->name);
	if (event->type == EVENT_CREATE) {
		CHECK(nfiles < FILES_MAX);
		snprintf(names[nfiles++], NAME_SPACE, "%s", event->name);
	}
	event->file = file_of(event->name);
	if (event->type == EVENT_UNLINK && event->file >= 0)
		names[event->file][0] = '\0';
	if (event->type != EVENT_RENAME)
		return;
	base_name(to, event->to_name);
	event->to = file_of(event->to_name);
	if (event->to >= 0)
		names[event->to][0] = '\0';
	snprintf(names[event->file], NAME_SPACE, "%s", event->to_name);
}

void
disk_event(enum event_type type, const char *path, const char *to, uint64_t at, const void *data,
    uint32_t len)
{
	size_t n = strlen(path);
	struct event *event;

	if (!recording || (n > 4 && strcmp(path + n - 4, "-shm") == 0))
		return;
	pthread_mutex_lock(&mutex);
	event = add(type);
	if (type != EVENT_DIRSYNC)
		name_event(event, path, to);
	event->at = at;
	event->len = len;
	if (len != 0) {
		event->data = malloc(len);
		CHECK(event->data != NULL);
		memcpy(event->data, data, len);
	}
	pthread_mutex_unlock(&mutex);
}

void
disk_world(const struct world *world)
{
	struct event *event;

	pthread_mutex_lock(&mutex);
	event = add(EVENT_WORLD);
	event->expectation = (struct expectation){ .world = world,
		.first = world->acked,
		.last = world->nstates - 1,
		.applied = world->applied,
		.nothing = world->opened == 0 };
	pthread_mutex_unlock(&mutex);
}

uint32_t
disk_events(void)
{
	return nevents;
}

bool
disk_boundary(uint32_t event)
{
	return event == nevents || events[event].type == EVENT_SYNC ||
	       events[event].type == EVENT_DIRSYNC || events[event].type == EVENT_RENAME ||
	       events[event].type == EVENT_UNLINK || events[event].type == EVENT_WORLD;
}

void
disk_expectation(uint32_t event, struct expectation *out)
{
	uint32_t i;

	for (i = event; i-- > 0;)
		if (events[i].type == EVENT_WORLD) {
			*out = events[i].expectation;
			return;
		}
	CHECK(!"the world was told at the beginning");
}

uint32_t
disk_busy(uint64_t epoch)
{
	uint32_t i, found = 0;

	/* Where the store was last changed in that epoch: before what its end tidies up. */
	for (i = 0; i < nevents; i++)
		if (events[i].type == EVENT_WORLD &&
		    events[i].expectation.world->states[events[i].expectation.first].current <=
			epoch &&
		    events[i].expectation.first == events[i].expectation.last)
			found = i + 1;
	return found;
}

/* A file as it is put together. */
struct image {
	uint8_t *data;
	uint64_t size, space;
};

static void
grow(struct image *image, uint64_t size)
{
	if (size > image->space) {
		image->data = realloc(image->data, size * 2);
		CHECK(image->data != NULL);
		memset(image->data + image->space, 0, size * 2 - image->space);
		image->space = size * 2;
	}
	if (size > image->size)
		image->size = size;
}

static void
write_part(struct image *image, const struct event *event, uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	grow(image, to);
	memcpy(image->data + from, event->data + (from - event->at), to - from);
}

static void
apply(struct image *image, const struct event *event, enum crash crash, bool synced, uint64_t *seed)
{
	uint64_t at, end = event->at + event->len, next;

	if (event->type == EVENT_TRUNCATE) {
		if (!synced && crash >= CRASH_SUBSET && random_next(seed) % 2 == 0)
			return;
		if (event->at < image->size)
			memset(image->data + event->at, 0, image->size - event->at);
		grow(image, event->at);
		image->size = event->at;
		return;
	}
	if (synced || crash < CRASH_SUBSET) {
		write_part(image, event, event->at, end);
		return;
	}
	for (at = event->at; at < end; at = next) {
		next = (at / SECTOR + 1) * SECTOR;
		if (next > end)
			next = end;
		switch (random_next(seed) % (crash == CRASH_TORN ? 4 : 2)) {
		case 0:
			break;
		case 2: /* the first part of the sector alone, 3: the second */
			write_part(image, event, at, at + random_next(seed) % (next - at));
			break;
		case 3:
			write_part(image, event, at + random_next(seed) % (next - at), next);
			break;
		default:
			write_part(image, event, at, next);
		}
	}
}

/* The event before which the file, or the folder (-1), was last synced. */
static uint32_t
synced_until(uint32_t event, int file)
{
	while (event-- > 0)
		if (file < 0 ? events[event].type == EVENT_DIRSYNC
			     : events[event].type == EVENT_SYNC && events[event].file == file)
			return event;
	return 0;
}

static bool
survives(uint32_t i, uint32_t until, uint32_t prefix, enum crash crash, uint64_t *seed)
{
	if (i < until || crash == CRASH_ALL)
		return true;
	if (crash == CRASH_NOTHING)
		return false;
	return crash == CRASH_PREFIX ? i < prefix : random_next(seed) % 2 == 0;
}

/* Which file has which name. */
static void
names_after(uint32_t event, uint32_t prefix, enum crash crash, uint64_t *seed,
    char out[FILES_MAX][NAME_SPACE])
{
	uint32_t until = synced_until(event, -1), i;
	int j;

	memset(out, 0, FILES_MAX * NAME_SPACE);
	for (i = 0; i < event; i++) {
		const struct event *e = &events[i];

		if ((e->type != EVENT_CREATE && e->type != EVENT_UNLINK &&
			e->type != EVENT_RENAME) ||
		    !survives(i, until, prefix, crash, seed))
			continue;
		if (e->type == EVENT_CREATE) {
			/* An older file of this name whose end got lost. */
			for (j = 0; j < FILES_MAX; j++)
				if (strcmp(out[j], e->name) == 0)
					out[j][0] = '\0';
			memcpy(out[e->file], e->name, NAME_SPACE);
		} else if (e->type == EVENT_UNLINK && e->file >= 0) {
			out[e->file][0] = '\0';
		} else if (e->type == EVENT_RENAME && out[e->file][0] != '\0') {
			if (e->to >= 0)
				out[e->to][0] = '\0';
			memcpy(out[e->file], e->to_name, NAME_SPACE);
		}
	}
}

static void
put_file(const char *dir, const char *name, const struct image *image)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	out = fopen(path, "w");
	CHECK(out != NULL);
	if (image->size != 0)
		CHECK(fwrite(image->data, image->size, 1, out) == 1);
	CHECK(fclose(out) == 0);
}

void
disk_crash(uint32_t event, enum crash crash, uint64_t seed, const char *dir)
{
	char left[FILES_MAX][NAME_SPACE];
	struct image image = { 0 };
	uint32_t i, until, prefix;
	int file;

	/* From the last sync of anything on. */
	for (until = event; until > 0 && events[until - 1].type != EVENT_SYNC;)
		until--;
	prefix = until + (uint32_t)(random_next(&seed) % (event - until + 1));
	names_after(event, prefix, crash, &seed, left);
	for (file = 0; file < nfiles; file++) {
		if (left[file][0] == '\0')
			continue;
		image.size = 0;
		if (image.space != 0)
			memset(image.data, 0, image.space);
		until = synced_until(event, file);
		for (i = 0; i < event; i++) {
			if (events[i].file != file ||
			    (events[i].type != EVENT_WRITE && events[i].type != EVENT_TRUNCATE))
				continue;
			if (i < until || crash == CRASH_ALL || crash >= CRASH_SUBSET ||
			    (crash == CRASH_PREFIX && i < prefix))
				apply(&image, &events[i], crash, i < until, &seed);
		}
		put_file(dir, left[file], &image);
	}
	free(image.data);
}

void
folder_make(char dir[128], const char *name)
{
	const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	snprintf(dir, 128, "%s/zabfs-%s.XXXXXX", memory, name);
	CHECK(mkdtemp(dir) != NULL);
}

void
folder_remove(const char *dir)
{
	DIR *entries = opendir(dir);
	struct dirent *entry;
	char path[4096];

	CHECK(entries != NULL);
	while ((entry = readdir(entries)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	closedir(entries);
	rmdir(dir);
}
