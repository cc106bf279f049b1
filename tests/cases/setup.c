/*
 * The ensemble of a case, and what its disks hold before the start. Called by
 * script.c.
 */
#include "tests/cases/cases.h"

#include <string.h>

/*
 * members 1 2 3 observers 4 strangers 5 counter 9: the others don't know 5; an
 * epoch's last row is its ninth
 */
bool
setup_members(struct world *world, char **words, uint32_t count)
{
	bool observer = false, stranger = false;
	uint64_t sid;
	uint32_t i;

	for (i = 1; i < count; i++) {
		if (strcmp(words[i], "observers") == 0) {
			observer = true;
			continue;
		}
		if (strcmp(words[i], "strangers") == 0) {
			stranger = true;
			continue;
		}
		if (strcmp(words[i], "counter") == 0) {
			if (++i == count || !parse_number(words[i], &sid))
				return false;
			world->counter_max = (uint32_t)sid;
			continue;
		}
		if (!parse_number(words[i], &sid) || sid == 0 || sid >= SIDS_MAX)
			return false;
		world->members[sid].sid = (uint32_t)sid;
		world->members[sid].observer = observer;
		world->members[sid].stranger = stranger;
		world->members[sid].disk.voter = true;
	}
	return true;
}

static void
set_row(struct disk *disk, uint64_t zxid, bool other)
{
	struct row row = { .zxid = zxid, .prev = disk_last(disk), .value = other ? 2 : 1 };
	uint64_t found, before;

	disk_look_up(disk, row.prev, &found, &before);
	row.hash = row_hash(before, &row);
	disk_append(disk, &row);
}

/* 1:1..1:4, or 1:5, or 1:5x: another transaction of that number */
static bool
set_rows(struct disk *disk, const char *word)
{
	const char *range = strstr(word, "..");
	uint64_t first, last;

	if (!parse_zxid(word, &first))
		return false;
	last = first;
	if (range != NULL && (!parse_zxid(range + 2, &last) || last - first >= ROWS_MAX))
		return false;
	for (; first <= last; first++)
		set_row(disk, first, word[strlen(word) - 1] == 'x');
	return true;
}

/* Rows up to it are gone; where there are none, the log begins there. */
static void
set_base(struct disk *disk, uint64_t zxid)
{
	uint32_t drop = 0;

	while (drop < disk->nrows && disk->rows[drop].zxid <= zxid)
		disk->base_hash = disk->rows[drop++].hash;
	disk->base_zxid = zxid;
	disk->nrows -= drop;
	memmove(disk->rows, disk->rows + drop, disk->nrows * sizeof disk->rows[0]);
	if (disk->image_zxid < zxid)
		disk->image_zxid = zxid;
}

static bool
set_disk(struct member *member, char **words, uint32_t count)
{
	struct disk *disk = &member->disk;
	uint64_t *number, zxid;
	uint32_t i;

	for (i = 0; i < count; i++) {
		number = strcmp(words[i], "accepted") == 0  ? &disk->accepted_epoch
			 : strcmp(words[i], "from") == 0    ? &disk->accepted_sid
			 : strcmp(words[i], "current") == 0 ? &disk->current_epoch
							    : NULL;
		if (number != NULL) {
			if (++i == count || !parse_number(words[i], number))
				return false;
		} else if (strcmp(words[i], "delivered") == 0) {
			if (++i == count || !parse_zxid(words[i], &disk->image_zxid))
				return false;
		} else if (strcmp(words[i], "base") == 0) {
			if (++i == count || !parse_zxid(words[i], &zxid))
				return false;
			set_base(disk, zxid);
		} else if (strcmp(words[i], "empty") == 0) {
			memset(disk, 0, sizeof *disk);
			disk->voter = true;
		} else if (strcmp(words[i], "lost") == 0) {
			disk->voter = false;
		} else if (strcmp(words[i], "rows") != 0 && !set_rows(disk, words[i])) {
			return false;
		}
	}
	return disk->accepted_epoch >= disk->current_epoch;
}

/* disk WHO [empty] accepted E from S current E [base Z] rows Z… [delivered Z] [lost] */
bool
setup_disk(struct world *world, char **words, uint32_t count)
{
	uint32_t i, first = 1;
	struct member *member;

	while (first < count && (member = parse_member(world, words[first])) != NULL)
		first++;
	if (count > 1 && strcmp(words[1], "all") == 0)
		first = 2;
	for (i = 1; i < SIDS_MAX; i++) {
		uint32_t j;
		bool named = strcmp(words[1], "all") == 0;

		for (j = 1; j < first; j++)
			named |= parse_member(world, words[j]) == &world->members[i];
		if (!named || world->members[i].sid == 0)
			continue;
		if (world->members[i].up ||
		    !set_disk(&world->members[i], words + first, count - first))
			return false;
	}
	return first > 1;
}
