/*
 * Where an input of member_fuzz.c takes place: a replica with one of three disks,
 * its address, its clock. Included by member_lie.h.
 */
#ifndef ZABFS_TESTS_FUZZ_MEMBER_WORLD_H
#define ZABFS_TESTS_FUZZ_MEMBER_WORLD_H

#include "tests/fuzz/member_auto.h"

#define QUIET_TURNS 3

static struct conf_member ensemble[3] = { { .id = 1 },
	{ .id = 2, .peer = (char[]){ "127.0.0.1:1" } },
	{ .id = 3, .peer = (char[]){ "127.0.0.1:1" } } };
static char address[32];

/* Disks to begin with. */

enum disk { DISK_NEW, DISK_USED, DISK_EMPTY, DISKS };
static char disks[DISKS][64]; /* folders; EMPTY has none: the replica makes it, and is no voter */
static enum disk disk;

static inline void
copy_folder(const char *from, const char *to)
{
	static const char *const files[] = { "log.db", "tree-1.db", "highwater" };
	static uint8_t bytes[1u << 20];
	char path[128];
	size_t len, i;
	FILE *file;

	for (i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", from, files[i]);
		file = fopen(path, "r");
		CHECK(file != NULL);
		len = fread(bytes, 1, sizeof bytes, file);
		CHECK(len < sizeof bytes);
		fclose(file);
		snprintf(path, sizeof path, "%s/%s", to, files[i]);
		file = fopen(path, "w");
		CHECK(file != NULL && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
	}
}

static inline void
fill(void)
{
	if (disk != DISK_EMPTY)
		copy_folder(disks[disk], dir);
}

static inline void
make_nodes(struct guest *guest, uint64_t upto)
{
	static const char names[] = "abcdefgh";
	static uint64_t made;
	struct wire_msg msg = { .type = WIRE_T_CREATE, .create = { .parent = TREE_ROOT } };

	for (; made < upto; peer_idle()) {
		msg.create.name = (struct blob){ (const uint8_t *)&names[made], 1 };
		msg.create.mode = made % 2 == 0 ? S_IFDIR | 0755 : S_IFREG | 0644;
		msg.create.acked = made;
		msg.create.rid = ++made;
		peer_say(guest, &msg, 0, 0);
	}
}

/* What an ensemble of one has written: a session that stays, nodes, an older image. */
static inline void
make_disk(enum disk which)
{
	struct guest *guest = &peers[PEERS];
	const char *tmp = getenv("TMPDIR");

	snprintf(disks[which], sizeof disks[which], "%s/zabfs-fuzz.XXXXXX",
	    tmp != NULL ? tmp : "/dev/shm");
	CHECK(mkdtemp(disks[which]) != NULL);
	peer_start();
	if (which == DISK_USED) {
		peer_open(guest, peer_idle);
		make_nodes(guest, 4);
		peer_later(TICK_MS);
		while (replica->pass_next_ns == 0)
			peer_idle();
		make_nodes(guest, 8);
		peer_leave(guest);
	}
	loop_free(replica->loop);
	replica_free(replica);
	event_base_free(base);
	replica = NULL;
	copy_folder(dir, disks[which]);
	nftw(dir, peer_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void
remove_disks(void)
{
	nftw(disks[DISK_NEW], peer_remove, 8, FTW_DEPTH | FTW_PHYS);
	nftw(disks[DISK_USED], peer_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* A port that nobody else takes, on an address of this process. */
static inline void
choose_place(void)
{
	socklen_t len = sizeof place;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	place.sin_family = AF_INET;
	place.sin_addr.s_addr = htonl(0x7f010000u + ((uint32_t)getpid() % 0x7e0000u));
	CHECK(bind(fd, (const struct sockaddr *)&place, sizeof place) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&place, &len) == 0);
	close(fd);
	snprintf(address, sizeof address, "127.%u.%u.%u:%u",
	    ntohl(place.sin_addr.s_addr) >> 16 & 255, ntohl(place.sin_addr.s_addr) >> 8 & 255,
	    ntohl(place.sin_addr.s_addr) & 255, ntohs(place.sin_port));
	ensemble[0].peer = address;
}

/* Time. */

static inline bool
turn(void)
{
	bool heard = false;
	uint32_t i;

	peer_turn();
	for (i = 0; i < RIVALS; i++) {
		uint64_t before = rivals[i].got;

		rival_hear(&rivals[i]);
		heard |= rivals[i].got != before;
	}
	return heard;
}

/* What was asked of the log is there, what was said is heard, and answered. */
static inline void
idle(void)
{
	int turns = 0, quiet = 0;
	bool heard, logs;

	while (turns < TURNS_MAX && quiet < QUIET_TURNS) {
		heard = turn();
		logs = replica->op_done != replica->op_asked && !replica->in_sync;
		if (logs || rivals_are_sent()) {
			quiet = 0;
			peer_wait();
			continue;
		}
		/* Some never have enough of each other's votes. */
		quiet = heard ? 0 : quiet + 1;
		turns++;
	}
}

static inline void
later(uint64_t ms)
{
	fuzz_clock_advance_ms(ms);
	turn();
}

static inline void
begin(enum disk which)
{
	static bool begun, ready;
	struct wire_msg link;
	uint32_t i;

	if (!begun) {
		begun = true;
		fuzz_error_allowed = "a member's history differs from this leader's";
		for (i = 0; i <= PEERS; i++)
			peers[i].fd = -1;
		for (i = 0; i < RIVALS; i++)
			rival_new(&rivals[i], i + 2);
		choose_place();
		make_disk(DISK_NEW);
		make_disk(DISK_USED);
		atexit(remove_disks);
		conf.members = ensemble;
		conf.nmembers = 3;
	}
	disk = which;
	serials = 0;
	for (i = 0; i <= PEERS; i++)
		peers[i].session = peers[i].seen = 0;
	peer_run(fill, &ready);
	first_new = tree_next_id(replica->tree);
	if (members_hash != 0)
		return;
	/* It answers any LINK with its own. */
	rival_connect(&rivals[0]);
	link = rival_link(&rivals[0]);
	rival_say(&rivals[0], &link, 0, 0);
	idle();
	CHECK(members_hash != 0);
	rival_forget(&rivals[0]);
}

#endif
