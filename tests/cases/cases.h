/*
 * Transcripts: members that run the core that ships (replica/zab) over a
 * network and disks that do only what a file of commands says. The file has
 * below each command what the members did; the runner compares. Nothing is
 * random, nothing happens on its own. tests/README.md has the commands.
 *
 *   main.c     files, comparison, UPDATE=1      script.c   the commands
 *   setup.c    members, what their disks hold    say.c      `say`
 *   expect.c   `expect`                         world.c    network, time
 *   member.c   does what the core says          disk.c     logs
 *   trace.c    what a reader sees
 */
#ifndef ZABFS_CASES_H
#define ZABFS_CASES_H

#include "replica/zab/zab.h"

#include <stdio.h>

#define SIDS_MAX 8 /* members have the numbers 1 to 7 */
#define ROWS_MAX 256
#define ITEMS_MAX 1024
#define ORDERS_MAX 66000 /* more than ZAB_OUTSTANDING_MAX */
#define WORDS_MAX 64
#define MS UINT64_C(1000000)

struct row {
	uint64_t zxid, prev, hash, value;
};

/* A log order on its way to the disk. */
struct order {
	enum zab_action_type type;
	uint64_t seq, op;
	struct row row;
	uint64_t zxid, hash;
	uint64_t accepted_epoch, accepted_sid, current_epoch;
};

struct disk {
	uint64_t accepted_epoch, accepted_sid, current_epoch;
	bool voter;
	uint64_t base_zxid, base_hash; /* rows up to it are gone */
	struct row rows[ROWS_MAX];
	uint32_t nrows;
	uint64_t image_zxid; /* what the tree has after a restart */
	struct order orders[ORDERS_MAX];
	uint32_t norders;
};

struct member {
	uint32_t sid; /* 0: no such member */
	bool observer;
	bool stranger; /* not in the others' configuration */
	bool up, paused;
	bool disk_held, look_up_held;
	uint32_t lives;
	struct zab *zab;
	uint64_t generation;
	bool settling; /* RECOVER: starts again when its log has finished */
	struct disk disk;
	uint64_t delivered;
	uint64_t conn[SIDS_MAX];			      /* to each other; 0: none */
	uint64_t attempt[SIDS_MAX], attempt_before[SIDS_MAX]; /* the last it named to each */
};

enum item_kind { ITEM_MESSAGE, ITEM_CLOSED, ITEM_LOOK_UP };

/* Something on its way to a member. */
struct item {
	enum item_kind kind;
	uint64_t seq;
	uint32_t from, to;
	uint64_t conn;
	bool own; /* CLOSED: by itself, no network is in between */
	struct zab_message message;
	struct row row;	  /* ROW */
	uint64_t zxid;	  /* LOOK_UP */
	uint64_t attempt; /* likewise */
};

struct world {
	uint64_t now_ns, seq, conns, values, confirms;
	uint32_t counter_max; /* as in zab_config */
	struct member members[SIDS_MAX];
	struct item items[ITEMS_MAX];
	uint32_t nitems;
	bool held[SIDS_MAX][SIDS_MAX];		/* from, to */
	uint32_t held_type[SIDS_MAX][SIDS_MAX]; /* from the first of these on; 0: of any */
	struct row history[ROWS_MAX];		/* what was delivered anywhere */
	uint32_t nhistory;
	uint32_t epoch_leader[64];
	uint32_t hidden; /* 1 << enum zab_type */
	bool quiet;
	bool failed;
	FILE *out;
};

/* trace.c */
extern const char *const role_names[];
void trace(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint32_t type_of(const char *name);   /* 0: no such message */
const char *zxid_text(uint64_t zxid); /* in one of some buffers */
void print_message(FILE *to, const struct zab_message *message);
void print_action(FILE *to, const struct zab_action *action);
void print_status(struct world *world, const struct member *member);

/* disk.c */
uint64_t row_hash(uint64_t before, const struct row *row);
void disk_order(struct world *world, struct member *member, const struct zab_action *action,
    const struct item *item);
uint32_t disk_writable(const struct disk *disk);
void disk_write(struct world *world, struct member *member, uint32_t count);
void disk_lose(struct world *world, struct member *member);
void disk_settle(struct world *world, struct member *member);
void disk_append(struct disk *disk, const struct row *row);
uint64_t disk_last(const struct disk *disk);
bool disk_look_up(const struct disk *disk, uint64_t zxid, uint64_t *found, uint64_t *hash);
const struct row *disk_after(const struct disk *disk, uint64_t zxid);

/* member.c: `what` heads the trace of the step; hidden: unless it did something */
void member_step(struct world *world, struct member *member, struct zab_event *event,
    const struct item *item, bool hidden, const char *what);
void member_start(struct world *world, struct member *member);
void member_begin(struct world *world, struct member *member);
void member_crash(struct world *world, struct member *member);

/* world.c */
struct item *world_add(struct world *world, enum item_kind kind, uint32_t from, uint32_t to);
void world_take(struct world *world, uint32_t index);
void world_arrive(struct world *world, const struct item *item);
void world_run(struct world *world);
void world_run_for(struct world *world, uint64_t ns);
void world_connect(struct world *world, uint32_t a, uint32_t b);
void world_disconnect(struct world *world, uint32_t a, uint32_t b, bool both);
void world_forget(struct world *world, uint32_t from, uint32_t to);

/* script.c: one line's command; false: there is no such */
bool script_command(struct world *world, char *line);
bool parse_number(const char *word, uint64_t *out);
bool parse_zxid(const char *word, uint64_t *out);
struct member *parse_member(struct world *world, const char *word);

/* setup.c, say.c, expect.c: the command of that name; words[0] is it */
bool setup_members(struct world *world, char **words, uint32_t count);
bool setup_disk(struct world *world, char **words, uint32_t count);
bool say_command(struct world *world, char **words, uint32_t count);
bool expect_command(struct world *world, char **words, uint32_t count);

#endif
