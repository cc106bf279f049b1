/*
 * The simulator's world: members that run the core that ships (replica/zab)
 * over a network, disks and processes that fail, all driven by one event heap
 * and one seed. No clock, no threads: a seed replays exactly.
 *
 *   random.c   the seed's numbers          heap.c    events in order of time
 *   net.c      connections, partitions     disk.c    logs, crashes, lost disks
 *   member.c   does what the core says     check.c   what must hold, always
 *   faults.c   what goes wrong, and when   wild.c    elections that lie
 *   world.c    a run: faults, heal, converge
 *   main.c     seeds, processes, progress, shrinking
 */
#ifndef ZABFS_SIM_H
#define ZABFS_SIM_H

#include "replica/zab/zab.h"

#include <stdio.h>

#define MEMBERS_MAX 9
#define MS UINT64_C(1000000)
#define S (1000 * MS)

/* What a seed draws; every field can be set by hand to replay a smaller case. */
struct options {
	uint64_t seed;
	uint32_t voters, observers;
	uint32_t writes;      /* tried before the heal */
	uint32_t faults;      /* likewise */
	uint32_t kinds;	      /* 1 << enum fault, those that may happen */
	uint32_t duration_ms; /* until the heal */
	uint32_t delay_us;    /* of a message, at most; some are ten times as late */
	uint32_t disk_us;     /* of a log order, at most */
	uint32_t keep_rows;   /* retention: a small one makes snapshots */
	uint32_t image_ms;    /* between images of the tree */
	uint32_t rollover;    /* the counter is near its end */
	uint32_t wild;	      /* elections lie (wild.c) */
};

enum fault {
	FAULT_CRASH,	 /* a process, at the boundary of an action */
	FAULT_CRASH_ALL, /* every process at once */
	FAULT_RESET,	 /* a connection; any suffix of each direction is lost, or all from now on */
	FAULT_PARTITION, /* halves, one member, a bridge, a ring of majorities */
	FAULT_ONE_WAY,	 /* what one member sends arrives nowhere, or what is sent to it */
	FAULT_LEADER,	 /* the leader is cut off */
	FAULT_PAUSE,	 /* a process stands still */
	FAULT_FULL,	 /* a disk takes nothing for a while */
	FAULT_EIO,	 /* an order fails, the process exits */
	FAULT_SLOW,	 /* a disk takes seconds */
	FAULT_WIPE,	 /* a disk is replaced by an empty one */
	FAULT_TAIL,	 /* acknowledged rows are gone, and known to be (high-water mark) */
	FAULT_HAND_OVER, /* not a fault, but as disturbing */
	FAULTS
};

struct row {
	uint64_t zxid, prev, hash, value;
};

/* A log order on its way to the disk. */
struct order {
	enum zab_action_type type;
	uint64_t op;
	struct row row;
	uint64_t zxid, hash, index, state;
	uint64_t accepted_epoch, accepted_sid, current_epoch;
};

struct disk {
	/* Durable. */
	uint64_t accepted_epoch, accepted_sid, current_epoch;
	bool voter;
	uint64_t base_zxid, base_hash;
	struct row *rows;
	uint32_t nrows, space;
	/* The tree's image: as many of the history's transactions, and their hash. */
	uint64_t image_zxid, image_index, image_state;

	/* On their way; a synchronisation is staged among them. */
	struct order *orders;
	uint32_t norders, orders_space;
	uint32_t in_flight; /* of the orders: in the transaction that is being written */
	uint64_t full_until, slow_until;
};

struct conn {
	uint32_t a, b; /* indexes of members */
	bool a_open, b_open;
	bool hole; /* nothing arrives any more, nobody is told */
	uint64_t a_last, b_last; /* time of the last delivery to each */
};

enum event_kind {
	EVENT_CONNECTED,
	EVENT_DISCONNECTED,
	EVENT_MESSAGE,
	EVENT_TIMER,
	EVENT_DISK, /* what is in flight is durable */
	EVENT_IMAGE,
	EVENT_RESTART,
	EVENT_DIAL,
	EVENT_WRITE,
	EVENT_FAULT,
	EVENT_MEND, /* a partition ends */
	EVENT_LIE,    /* somebody is made to leave (wild.c) */
	EVENT_HONEST, /* elections don't lie any more */
	EVENT_HEAL  /* all of them do, and nothing fails any more */
};

struct event {
	uint64_t time, seq;
	enum event_kind kind;
	uint32_t member, life; /* void for another life of the member */
	bool arrived; /* and waits for the process to go on */
	uint32_t peer;
	uint64_t conn;
	struct zab_message message;
	struct row row;
	uint64_t index, state; /* of a snapshot */
};

struct member {
	uint32_t sid;
	bool observer;
	bool up;
	bool dead;     /* stays down after the heal */
	bool amnesiac; /* its disk has lost what it acknowledged, and it knows that */
	uint32_t life;
	uint64_t paused_until;
	uint64_t timer; /* the earliest one set; 0: none */
	struct zab *zab;
	uint64_t generation;
	uint64_t settle_op; /* RECOVER waits for the orders before it */
	bool settling;
	bool sick; /* its log has failed to take something, and has taken nothing since */
	struct disk disk;
	/* The tree. */
	uint64_t delivered, index, state;
	/* A snapshot that is coming in. */
	uint64_t snap_index, snap_state;
	uint64_t conn_to[MEMBERS_MAX]; /* open here; 0: none */
	uint64_t lied_window, lied_round; /* wild.c */
	uint64_t heard_epoch;	       /* the greatest that a CEPOCH told it while it led */
};

/* What was delivered somewhere: the one history. */
struct history {
	struct row *rows;
	uint64_t *states; /* after each */
	uint64_t count, space;
};

struct confirm {
	uint64_t number, needed; /* index that the leader must have committed */
	uint32_t member;
};

struct world {
	struct options options;
	uint64_t random[4];
	uint64_t now, seq;
	struct event *heap;
	size_t nheap, heap_space;

	uint32_t count;
	struct member members[MEMBERS_MAX];
	struct conn *conns;
	size_t nconns, conns_space;
	bool cut[MEMBERS_MAX][MEMBERS_MAX]; /* from, to */
	uint64_t cut_until[MEMBERS_MAX][MEMBERS_MAX];

	struct history history;
	uint64_t epoch_leader[4096]; /* index + 1 of the member that served as leader in it */
	uint64_t values;	     /* the last one proposed */
	uint32_t writes, faults;
	bool healed;
	uint64_t confirms;
	struct confirm confirm[64];

	uint64_t steps, messages;
	uint64_t coverage[32]; /* how often which role changes and repairs happened */
	FILE *trace;
	char failure[256];
};

/* random.c: uniform below n; one in n. */
void random_seed(struct world *world, uint64_t seed);
uint64_t random_next(struct world *world);
uint64_t random_below(struct world *world, uint64_t n);
bool random_one_in(struct world *world, uint64_t n);

/* heap.c */
struct event *heap_add(struct world *world, uint64_t time, enum event_kind kind);
void heap_postpone(struct world *world, const struct event *event, uint64_t time);
bool heap_take(struct world *world, struct event *out);

/* net.c */
void net_send(
    struct world *world, uint32_t from, uint32_t to, uint64_t conn, const struct event *message);
void net_dial(struct world *world, uint32_t a, uint32_t b);
void net_reset(struct world *world, uint64_t conn);
void net_hole(struct world *world, uint64_t conn);
void net_close(struct world *world, uint32_t member, uint64_t conn);
void net_crashed(struct world *world, uint32_t member);
void net_cut(struct world *world, uint32_t from, uint32_t to, uint64_t until);
void net_mend(struct world *world, bool all);

/* disk.c */
void disk_order(struct world *world, struct member *member, const struct order *order);
void disk_done(struct world *world, struct member *member);
void disk_crash(struct world *world, struct member *member);
void disk_image(struct world *world, struct member *member);
void disk_settle(struct world *world, struct member *member);
uint64_t disk_last(const struct disk *disk);
uint64_t disk_last_hash(const struct disk *disk);
const struct row *disk_row(const struct disk *disk, uint64_t zxid);
/* The greatest row at or below, those on their way included; false: it is below the base. */
bool disk_look_up(const struct disk *disk, uint64_t zxid, uint64_t *found, uint64_t *hash);
/* The first row above, those on their way included; NULL: none. */
const struct row *disk_after(const struct disk *disk, uint64_t zxid);
void disk_free(struct disk *disk);

/* member.c */
void member_start(struct world *world, struct member *member);
void member_crash(struct world *world, struct member *member);
void member_step(struct world *world, struct member *member, struct zab_event *event,
    const struct event *message);
void member_timer(struct world *world, struct member *member);

/* check.c */
void fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_delivered(struct world *world, struct member *member, const struct row *row);
void check_snapshot(struct world *world, struct member *member, uint64_t index, uint64_t state);
void check_changed(struct world *world, struct member *member, const struct zab_action *action);
void check_durable(struct world *world, struct member *member, const struct zab_action *action);
void check_truncated(struct world *world, struct member *member, uint64_t zxid);
void check_confirmed(struct world *world, struct member *member, uint64_t number);
uint64_t state_next(uint64_t state, const struct row *row);

void check_heard(struct member *member, const struct zab_message *message);
void check_hand_over(struct world *world, struct member *member, const struct zab_action *action);
void check_epoch(struct world *world, struct member *member, const struct zab_action *action);

/* wild.c */
bool wild_now(const struct world *world);
void wild_vote(struct world *world, struct member *member, struct zab_message *message);
void wild_shake(struct world *world);
void wild_end(struct world *world);

/* faults.c */
void fault_inject(struct world *world);
struct member *world_leader(struct world *world);

/* world.c */
bool world_run(const struct options *options, FILE *trace, struct world *out);
void world_free(struct world *world);
void options_draw(uint64_t seed, struct options *out);
void trace(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
