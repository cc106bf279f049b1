/*
 * The simulator's world: members that run what ships (replica/zab, replica/tree
 * and the rooms of replica/) over a network, disks, clocks and front ends that
 * fail, all driven by one event heap and one seed. No clock, no threads: a seed
 * replays exactly. The simulator stands in for replica/net, replica/store,
 * loop.c, clock.c and lib/log.c, behind their own headers.
 *
 *   random.c   the seed's numbers          heap.c    events in order of time
 *   net.c      connections, partitions     disk.c    logs, crashes, lost disks
 *   store.c    store.h over a disk         image.c   the tree's image on it
 *   machine.c  link.h, loop, clock, log    front.c   front.h
 *   member.c   a process: what happens to it, and what zab says, watched
 *   client.c   a session: requests, retries client_io.c  its connection
 *   qualified.c  what is asked for through modifiers
 *   quotas.c   limits that they set
 *   client_lock.c its locks                 locks.c   what it was told of them
 *   check.c    what must hold, always      check_wiring.c … around the core
 *   history.c  what clients were told      reads.c   what they have read
 *   linear.c   a second opinion on that
 *   wild.c     elections that lie          faults.c  what goes wrong
 *   trap.c     … just then                 options.c what a seed draws
 *   world.c    a run: faults, heal, converge
 *   main.c     seeds, processes, progress, shrinking
 */
#ifndef ZABFS_SIM_H
#define ZABFS_SIM_H

#include "replica/replica.h"

#include <stdio.h>

#define MEMBERS_MAX 9
#define CLIENTS_MAX 4
#define SENT_MAX 30	  /* rows that a log keeps for who is being sent them */
#define OUTSTANDING_MAX 4 /* requests of a client */
#define NAMES 10	  /* what they use: client.c */
#define MADE 4		  /* of a sequence, that a client remembers */
#define MS UINT64_C(1000000)
#define S (1000 * MS)
/* Request ids of what comes on an older connection; below: the epoch, and a number. */
#define LATE_BIT (UINT64_C(1) << 62)
#define TOLD_RID UINT64_MAX /* told.c: its one question */
#define LATE_EPOCH 8

/* What a seed draws; every field can be set by hand to replay a smaller case. */
struct options {
	uint64_t seed;
	uint32_t voters, observers;
	uint32_t clients;
	uint32_t writes;      /* requests tried before the heal */
	uint32_t faults;      /* likewise */
	uint32_t kinds;	      /* 1 << enum fault, those that may happen */
	uint32_t duration_ms; /* until the heal */
	uint32_t delay_us;    /* of a message, at most; some are ten times as late */
	uint32_t disk_us;     /* of a log order, at most */
	uint32_t keep_rows;   /* retention: a small one makes snapshots */
	uint32_t image_s;     /* between images of the tree, 0: each tick */
	uint32_t rollover;    /* the counter's end; 0: far away */
	uint32_t wild; /* ms, elections lie and tell the same for so long (wild.c); 0: don't */
	uint32_t pretenders; /* among so many they choose; 0: all voters */
	uint32_t traps;	     /* trap.c */
	uint32_t restart_ms; /* until who has crashed comes back, at most */
	uint32_t dial_ms;    /* until it is tried again to connect, at least; six times, at most */
	uint32_t lasts_ms;   /* a fault that ends, at most */
	uint32_t crowd_ms;   /* a connection takes nothing, at most; 0: as the delay is */
	uint32_t skew;	     /* members lose patience at different times */
	uint32_t lame;	     /* a member whose disk is slower than the others'; 0: none's is */
	uint32_t sticky;     /* clients prefer one member */
	uint32_t leave;	     /* before one in so many requests a client ends its session */
	uint32_t apart;	     /* who is not needed at the end is not dead but far away (world.c) */
	uint32_t sessions;   /* at most; 0: more than there can be */
	uint32_t big;	     /* values that make a snapshot several pieces */
	uint32_t told;	     /* clients read events (told.c) */
	uint32_t tight;	     /* they limit themselves all the time (quotas.c) */
	uint32_t room;	     /* bytes, of a leader for what is proposed; 0: as it is */
	uint32_t piece;	     /* rows that are applied in one turn, at most; 0: as it ships */
};

enum fault {
	FAULT_CRASH,	 /* a process, at the boundary of an action */
	FAULT_CRASH_ALL, /* every process at once */
	FAULT_RESET, /* a connection; any suffix of each direction is lost, or all from now on */
	FAULT_PARTITION, /* halves, one member, a bridge, a ring of majorities */
	FAULT_ONE_WAY,	 /* what one member sends arrives nowhere, or what is sent to it */
	FAULT_LEADER,	 /* the leader is cut off, alone or with the observers */
	FAULT_PAUSE,	 /* a process stands still */
	FAULT_FULL,	 /* a disk takes nothing for a while */
	FAULT_EIO,	 /* the next write or read of a disk fails, and the process exits */
	FAULT_SLOW,	 /* a disk takes seconds */
	FAULT_WIPE,	 /* a disk is replaced by an empty one */
	FAULT_TAIL, /* acknowledged rows are gone, or others, and known to be (high-water mark) */
	FAULT_HAND_OVER, /* not a fault, but as disturbing */
	FAULT_MOVE,	 /* a client goes to another member, its old connection goes on */
	FAULTS
};

/* Bytes that live as long as the world. */
struct bytes {
	uint32_t len;
	uint8_t data[];
};

struct row {
	uint64_t zxid, prev, hash, value; /* value: a hash of the payload */
	const struct bytes *payload;
};

/* A log order on its way to the disk. */
struct order {
	enum zab_action_type type;
	bool nothing; /* only to be reported */
	uint64_t op;
	struct row row;
	uint64_t zxid, hash, index, state;
	uint64_t accepted_epoch, accepted_sid, current_epoch;
};

/* A fuzzy image: rows by id; blobs live as long as the world. */
struct image {
	struct store_node *nodes;
	struct store_session *sessions;
	uint32_t nnodes, nsessions;
	uint64_t applied, upto, next_id;
};

/* What a batch does to an image, or the end of a pass. */
struct batch_row {
	bool session, gone;
	struct store_node node;
	struct store_session row;
};
struct store_batch {
	struct batch_row *rows;
	uint32_t count;
	size_t bytes;
};
struct image_order {
	struct store_batch *batch; /* NULL: the end */
	uint64_t upto, applied, next_id;
};

struct disk {
	/* Durable. */
	uint64_t accepted_epoch, accepted_sid, current_epoch;
	bool voter;
	uint64_t base_zxid, base_hash;
	struct row *rows;
	uint32_t nrows, space;
	struct image image;

	/* On their way; a synchronisation is staged among them. */
	struct order *orders;
	uint32_t norders, orders_space;
	uint32_t in_flight; /* of the orders: in the transaction that is being written */
	struct image snap;  /* takes the image's place with the synchronisation's commit */
	struct image_order *images;
	uint32_t nimages, images_space;
	bool image_failed;
	bool cut_short; /* it has dropped what somebody was being sent */
	bool failing;	/* whatever is asked of it next */
	uint64_t full_until, slow_until;
};

struct conn {
	uint32_t a, b; /* indexes of members */
	bool a_open, b_open;
	bool hole;		 /* nothing arrives any more, nobody is told */
	bool paused_a, paused_b; /* nothing is read from it */
	uint64_t held_a, held_b; /* what came is looked at again then */
	uint64_t a_last, b_last; /* time of the last delivery to each */
};

enum event_kind {
	EVENT_CONNECTED,
	EVENT_DISCONNECTED,
	EVENT_MESSAGE,
	EVENT_TIMER,
	EVENT_TICK,
	EVENT_DELIVER, /* the next piece of what is committed */
	EVENT_DRAINED, /* its connections take more again */
	EVENT_DISK,    /* what is in flight is durable */
	EVENT_IMAGE,   /* an image order is done */
	EVENT_FRONT,   /* from a client; bytes NULL: its connection is gone */
	EVENT_RESTART,
	EVENT_CLIENT, /* to a client; bytes NULL: likewise */
	EVENT_CLIENT_TICK,
	EVENT_DIAL,
	EVENT_WRITE,
	EVENT_FAULT,
	EVENT_TRAP,   /* a trap has been sprung: conn, or 0; index: enum fault */
	EVENT_MEND,   /* a partition ends */
	EVENT_LIE,    /* somebody is made to leave (wild.c) */
	EVENT_HONEST, /* elections don't lie any more */
	EVENT_HEAL    /* all of them do, and nothing fails any more */
};

struct event {
	uint64_t time, seq;
	enum event_kind kind;
	uint32_t member, life; /* void for another life of the member */
	bool arrived;	       /* and waits for the process to go on */
	uint32_t peer;	       /* or a client */
	uint64_t conn;
	struct zab_message message; /* type 0: bytes are the message */
	const struct bytes *bytes;
	uint64_t index, state; /* of a snapshot */
	struct event *next;    /* spare */
};

/* An event's place in the heap. */
struct slot {
	uint64_t time, seq;
	struct event *event;
};

/* The store of one life of a member. */
struct store {
	struct store_state state;
	struct store_done done[64];
	uint32_t first, last;
	uint64_t last_zxid, last_hash;
	uint64_t needed; /* rows above it are kept, SENT_MAX of them at most */
};

struct member {
	struct conf conf;
	uint32_t sid;
	bool observer;
	bool up;
	bool dying;	 /* crashes as soon as it is left: nothing that it does counts */
	bool dead;	 /* stays down after the heal */
	bool aside;	 /* or reaches one other only … */
	bool befriended; /* … which no other reaches only, or those would be a choice, too */
	bool amnesiac;	 /* its disk has lost what it acknowledged, and it knows that … */
	uint64_t had;	 /* … which ended here */
	bool altered;	 /* it had something else instead */
	uint32_t life;
	uint64_t paused_until;
	uint32_t piece;	  /* rows that it may still apply in this turn, if they are counted */
	uint64_t timer;	  /* the earliest one set; 0: none */
	uint64_t crowded; /* its connections take nothing until then; 0: they do */
	struct replica *replica;
	struct zab *zab; /* its */
	struct store store;
	TAILQ_HEAD(, front) fronts;
	bool sick; /* its log has failed to take something, and has taken nothing since */
	struct disk disk;
	/* What it has delivered: as many of the history's transactions, and their hash. */
	uint64_t delivered, index, state;
	/* A snapshot that is coming in. */
	uint64_t snap_index, snap_state;
	uint64_t conn_to[MEMBERS_MAX];	  /* open here; 0: none */
	uint64_t lied_window, lied_round; /* wild.c */
	bool leads;
	uint64_t led;			 /* when it last ceased to */
	bool cramped;			 /* it has options.room alone */
	uint64_t heard_epoch;		 /* the greatest that a CEPOCH told it while it led */
	uint64_t introduced;		 /* the attempt of its last CEPOCH; 0: it was answered */
	uint64_t tried, tried_ns, tries; /* connection; begins to follow in this second */
};

/* A client's connection, on the member's side (front.c). */
struct front {
	TAILQ_ENTRY(front) next;
	struct member *member;
	uint32_t client;
	uint64_t conn;
	enum { FRONT_GREETED, FRONT_WELCOMED, FRONT_RESUMING, FRONT_SERVING, FRONT_ENDED } state;
	uint64_t session, seen;
	uint64_t last; /* the latest arrival at the client */
};

/* A request, and what became of it (client.c, history.c). */
struct done {
	enum wire_type type;
	uint64_t session, rid;
	uint32_t client;
	uint64_t begun, ended; /* ended 0: it has not */
	uint64_t needed;       /* of a read: the greatest zxid it must have seen */
	int32_t code;
	uint64_t zxid;
	uint64_t node, value, stat;  /* of a read: what it has seen; value, stat: hashes */
	uint64_t key, written;	     /* a name's number, or a node; linear.c */
	uint64_t parent;	     /* of a look-up, or a removal by name */
	int64_t version;	     /* the only one that is meant; -1: any */
	bool sequence;		     /* a creation of one */
	const struct bytes *steps;   /* of a MULTI */
	const struct bytes *request; /* as it was asked for */
	bool again;		     /* it was asked for more than once */
	bool synced;		     /* a read that began after a sync of the same client */
	bool given_up;		     /* it was not executed, nor will be */
};

struct pending {
	uint32_t done; /* its index + 1; 0: unused */
	bool sent;
	bool once; /* since it was asked for */
	const struct bytes *bytes;
};

/* A lock, as far as its client knows. */
#define CLAIMS 2
struct claim {
	enum { CLAIM_NONE, CLAIM_ASKED, CLAIM_WAITS, CLAIM_HELD, CLAIM_RELEASED } state;
	uint32_t waits; /* how often it has */
	bool believed;	/* that it is held */
	uint32_t how;	/* as asked */
	uint64_t node;
	uint64_t until; /* then it is released */
};

struct client {
	uint32_t index;
	uint32_t member; /* its connection's */
	uint64_t conn;	 /* 0: none */
	bool up;	 /* RESUMED */
	uint64_t serial;
	uint64_t hello, heard, ping; /* times */
	uint64_t last;		     /* the latest arrival of what it has sent on the connection */
	uint64_t stall_from, stall_until; /* what it sends then arrives at the end */
	uint64_t attached;		  /* zxid of the last WELCOME */
	uint64_t old_conn;		  /* one that its member goes on to believe in; 0: none */
	uint32_t old_member, late;
	uint64_t changed, changes; /* so many of this transaction have been told */
	uint64_t answering;	   /* the request whose answer is being heard */
	uint64_t ordered;	   /* history.c: the zxid of a write before */

	uint64_t session, rid, reads;
	uint8_t secret[WIRE_SECRET_LEN];
	uint64_t opened;       /* zxid of its first WELCOME */
	uint64_t seen, said;   /* zxids: of changes; of replies */
	uint64_t deadline;     /* until then the session lives, for all that it knows */
	uint64_t synced_begun; /* while a read behind a sync is made */
	uint64_t ids[NAMES];   /* as far as it knows */
	uint64_t made[MADE];   /* of sequences; 0: none yet */
	uint32_t nmade;
	struct pending pending[OUTSTANDING_MAX];
	uint32_t npending;
	struct claim claims[CLAIMS];
	bool leaving; /* it has asked for its session's end */

	/* told.c: all up to this zxid, so many operations and lines of the next transaction. */
	uint64_t told;
	uint32_t told_ops, told_lines;
	bool told_ever, telling; /* it has a beginning; the question is asked */
};

/* What a row of the history is to clients. */
struct fact {
	uint64_t zxid, session, rid;
	int32_t code;
	uint32_t changes; /* that anyone can see */
	bool echo;	  /* its own session sees them, too */
	uint64_t opener;  /* of an opening: who wanted it (client_io.c) */
	uint64_t ended;	  /* the session that it ends; 0: none */
};

/* What was delivered somewhere: the one history. */
struct history {
	struct row *rows;
	uint64_t *states; /* after each */
	uint64_t *trees;  /* the tree's hash after each; 0: nobody's is known yet */
	uint64_t count, space;
};

struct confirm {
	uint64_t number, needed; /* index that the leader must have committed */
	uint32_t member;
};

/* On what (trap.c), of whom (MEMBERS_MAX and up: of anyone), after how many, how often. */
#define TRAPS_MAX 6
struct trap {
	uint32_t on, type, member, skip, times;
	uint32_t kind; /* enum fault */
	bool other;    /* happens to the one that gets the message */
};

/* How often what happened; the roles come first (enum zab_role), the reasons last. */
enum cover {
	COVER_REGISTER = 11, /* a history that was small enough for linear.c */
	COVER_EXPIRED,	     /* sessions */
	COVER_GAP,	     /* resumptions that the log did not reach back to */
	COVER_IMAGE,	     /* passes that were completed */
	COVER_CONFIRMED,     /* rounds that confirmed a leader */
	COVER_SNAP,	     /* snapshots sent */
	COVER_HANDED,	     /* leaderships that a client asked for, and got */
	COVER_TRAP,	     /* traps sprung */
	COVER_REAPED,	     /* nodes that the leader has removed */
	COVER_NUMBERED,	     /* of sequences */
	COVER_VERSION,	     /* writes that were for another version */
	COVER_LOCKED,	     /* locks that were had at once */
	COVER_WAITED,	     /* those that were waited for */
	COVER_SEVERAL,	     /* MULTIs that did all */
	COVER_NONE_OF_THEM,  /* and nothing */
	COVER_TOLD,	     /* answers with events */
	COVER_LOST,	     /* and such as say that some are lost */
	COVER_NO_ROOM,	     /* writes that a quota refused */
	COVER_REASONS,
	COVERS = 48
};

struct chunk {
	struct chunk *next;
	size_t used, size;
};

struct world {
	struct options options;
	struct conf conf;
	struct conf_member conf_members[MEMBERS_MAX];
	uint64_t random[4];
	uint64_t now, seq;
	struct slot *heap;
	size_t nheap, heap_space;
	struct event *spare;
	struct chunk *chunks;

	uint32_t count;
	struct member members[MEMBERS_MAX];
	struct member *running;
	bool stepping; /* its core */
	struct conn *conns;
	size_t nconns, conns_space;
	bool cut[MEMBERS_MAX][MEMBERS_MAX]; /* from, to */
	uint64_t cut_until[MEMBERS_MAX][MEMBERS_MAX];

	struct client clients[CLIENTS_MAX];
	uint64_t fronts; /* connections of clients so far */
	struct done *dones;
	uint32_t ndones, dones_space;
	struct fact *facts;
	uint64_t nfacts, facts_space;
	int64_t time_ns;       /* of the last fact that anyone can see */
	uint64_t acknowledged; /* the greatest zxid of a write that was answered */
	uint64_t values;       /* written so far */

	struct history history;
	struct row *proposed; /* by any leader */
	uint64_t nproposed, proposed_space;
	uint64_t epoch_leader[4096]; /* index + 1 of the member that served as leader in it */
	uint32_t writes, faults;
	struct trap traps[TRAPS_MAX];
	bool healed;
	uint64_t confirms;
	struct confirm confirm[64];

	uint64_t steps, messages;
	uint64_t coverage[COVERS]; /* enum cover */
	FILE *trace;
	char failure[256];
};

/* The one that runs: what stands in for the machine has no other way to know. */
extern struct world *the_world;

/* random.c: uniform below n; one in n. */
void random_seed(struct world *world, uint64_t seed);
uint64_t random_next(struct world *world);
uint64_t random_below(struct world *world, uint64_t n);
bool random_one_in(struct world *world, uint64_t n);

/* heap.c */
struct event *heap_add(struct world *world, uint64_t time, enum event_kind kind);
void heap_postpone(struct world *world, const struct event *event, uint64_t time);
bool heap_take(struct world *world, struct event *out);
/* Memory until world_free. */
struct bytes *bytes_new(struct world *world, const void *data, size_t len);

/* net.c */
void net_send(
    struct world *world, uint32_t from, uint32_t to, uint64_t conn, const struct event *message);
void net_dial(struct world *world, uint32_t a, uint32_t b);
void net_reset(struct world *world, uint64_t conn);
void net_hole(struct world *world, uint64_t conn);
void net_half_open(struct world *world, uint64_t conn, uint32_t side);
bool net_is_open(struct world *world, uint32_t side, uint64_t conn);
void net_pause(struct world *world, uint32_t side, uint64_t conn, bool paused);
/* Whether it is not read yet: then it is once more, later. */
bool net_held(struct world *world, const struct event *event);
void net_close(struct world *world, uint32_t member, uint64_t conn);
void net_crashed(struct world *world, uint32_t member);
void net_cut(struct world *world, uint32_t from, uint32_t to, uint64_t until);
void net_part(struct world *world, uint32_t a, uint32_t b, uint64_t until);
void net_mend(struct world *world, bool all);
uint64_t net_delay(struct world *world);

/* disk.c */
void disk_order(struct world *world, struct member *member, const struct order *order);
void disk_done(struct world *world, struct member *member);
void disk_crash(struct world *world, struct member *member);
uint32_t disk_writable(const struct disk *disk);
size_t disk_queued(const struct disk *disk); /* bytes of rows */
void disk_abort(struct world *world, struct member *member, uint64_t op);
uint64_t disk_last(const struct disk *disk);
uint64_t disk_last_hash(const struct disk *disk);
const struct row *disk_row(const struct disk *disk, uint64_t zxid);
bool disk_look_up(const struct disk *disk, uint64_t zxid, uint64_t *found, uint64_t *hash);
/* The first durable row above; NULL: none. */
const struct row *disk_after(const struct disk *disk, uint64_t zxid);
/* Whether what is asked of it fails: the process ends, and nothing that it does counts. */
bool disk_fails(struct world *world, struct member *member);
void disk_trim(struct world *world, struct member *member);
void disk_free(struct disk *disk);

/* image.c */
void image_apply(struct image *image, const struct store_batch *batch);
void image_order(struct world *world, struct member *member, const struct image_order *order);
void image_done(struct world *world, struct member *member);
void image_crash(struct world *world, struct member *member);
void image_void(struct member *member);
void image_clear(struct image *image);

/* store.c */
void store_push(struct member *member, enum store_done_type type, uint64_t op);

/*
 * machine.c: each member's clock of the day is wrong in its own way, and is set every two seconds:
 * it jumps.
 */
int64_t machine_time_ns(const struct world *world, uint32_t sid);

/* member.c */
void member_start(struct world *world, struct member *member);
void member_crash(struct world *world, struct member *member);
/* The process does something: between the two everything that it does is its own. */
bool member_enter(struct world *world, struct member *member);
void member_leave(struct world *world, struct member *member);
void member_message(struct world *world, struct member *member, const struct event *event);
/* A crash may come between any two of its actions: whether it counts. */
bool member_acts(struct world *world, struct member *member);
void member_timer(struct world *world, struct member *member);
uint32_t member_index(const struct world *world, uint32_t sid);

/* front.c: what a client sends arrives. */
void front_arrive(struct world *world, struct member *member, const struct event *event);
void front_crash(struct world *world, struct member *member);

/* client.c, client_io.c */
void client_start(struct world *world, uint32_t index);
void client_request(struct world *world, struct client *client);
void client_move(struct world *world, struct client *client);
void client_tick(struct world *world, struct client *client);
void client_hear(struct world *world, struct client *client, const struct event *event);
void client_answered(struct world *world, struct client *client, const struct wire_reply *reply);
void client_resend(struct world *world, struct client *client);
void client_lost(struct world *world, struct client *client); /* the session is over */
const char *client_name(uint32_t name);
/* Where the name is; 0: not known. */
uint64_t client_parent(const struct client *client, uint32_t name);
/* key, written: struct done. */
void client_ask(struct world *world, struct client *client, struct wire_msg *msg, uint64_t key,
    uint64_t written);
void client_send_bytes(struct world *world, struct client *client, const struct bytes *bytes);
bool client_idle(const struct client *client);

/* qualified.c: what is asked for */
void qualified_owner(struct world *world, struct wire_create *create);
int64_t qualified_version(struct world *world);
void qualified_request(struct world *world, struct client *client, uint32_t name);
void qualified_note(struct done *done, const struct wire_msg *msg);
/* … was given to the client, … */
void qualified_answered(struct world *world, struct done *done, struct blob name);
/* … and was done so: the tree is that of the row before. */
void qualified_row(
    struct world *world, const struct tree *tree, const struct txn *txn, const struct done *done);
/* Who asked for the row; NULL: nobody whose request is known. */
const struct done *qualified_asked(const struct world *world, const struct txn *txn);
/* Whether something should have gone by itself by then. */
bool qualified_overdue(const struct tree *tree, uint64_t dir, int64_t now_ns);

/* quotas.c: one is set; false: on nothing. */
bool quotas_request(struct world *world, struct client *client);
/* What a node takes with all that is below it, counted. */
struct usage quotas_count(const struct tree *tree, const struct znode *node);
/* Whether the tree says the same, of the directory and of those below it. */
bool quotas_right(const struct tree *tree, uint64_t dir);
/* Whether so much more goes beyond a hard limit. */
bool quotas_beyond(const struct quota *quota, const struct usage *used, const struct usage *more);
/* A row, beside the tree before it, and after. done: who asked, or NULL. */
#define QUOTAS_MAX 32
struct quotas {
	struct {
		uint64_t id;
		struct quota quota;
		struct usage used;
	} at[QUOTAS_MAX];
	uint32_t count;
};
void quotas_row(struct world *world, const struct tree *tree, const struct txn *txn,
    const struct done *done, struct quotas *out);
void quotas_applied(struct world *world, const struct tree *tree, const struct txn *txn,
    const struct quotas *before);

/* client_lock.c: asks for something about a lock; false: there is nothing to ask for. */
bool client_lock(struct world *world, struct client *client);
/* LOCK, UNLOCK or AWAIT; given up, too. */
void client_lock_answered(struct world *world, struct client *client, const struct done *done);
void client_lock_tick(struct world *world, struct client *client);
void client_lock_leave(struct client *client);
bool client_lock_idle(const struct client *client);

/* several.c: drawn, … */
void several_request(struct world *world, struct client *client);
/* … answered, … */
void several_answered(struct done *done, const struct wire_reply *reply, bool again);
/* … and done: the tree is that of the row before. */
void several_row(
    struct world *world, const struct tree *tree, const struct txn *txn, const struct done *done);

/* told.c */
void told_ask(struct world *world, struct client *client);
void told_answered(struct world *world, struct client *client, const struct wire_reply *reply);
/* Whether it was told all that anyone can see. */
bool told_all(const struct world *world, const struct client *client);

/* check.c */
void fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_delivered(struct world *world, struct member *member, const struct row *row);
void check_changed(struct world *world, struct member *member, const struct zab_action *action);
void check_durable(struct world *world, struct member *member, const struct zab_action *action);
void check_truncated(struct world *world, const struct member *member, uint64_t zxid);
/* All rows go, a snapshot of everything up to zxid comes. */
void check_replaced(struct world *world, const struct member *member, uint64_t zxid);
/* A leader proposes it; what waits for its disk already. */
void check_proposed(struct world *world, const struct row *row, size_t queued);
void check_confirmed(struct world *world, struct member *member, uint64_t number);
uint64_t state_next(uint64_t state, const struct row *row);
void check_heard(const struct world *world, struct member *member, const struct zab_event *event);
void check_void(struct world *world, const struct member *member, const struct zab_event *event,
    const struct zab_output *out);
void check_answer(struct world *world, struct member *member, const struct zab_event *event,
    const struct zab_output *out);
void check_alarm(struct world *world, const struct member *member, const struct zab_action *action);
void check_hand_over(struct world *world, struct member *member, const struct zab_action *action);
void check_epoch(struct world *world, struct member *member, const struct zab_action *action);

/* check_wiring.c */
void check_tree(struct world *world, struct member *member);
void check_snapshot(struct world *world, struct member *member, uint64_t index, uint64_t state);
void check_outbox(struct world *world, const struct member *member);
void check_pass(struct world *world, const struct member *member);
void check_sessions(struct world *world, const struct member *member);
void check_attended(struct world *world, const struct member *member);
/* Somebody was told that the member leads, having asked for it then. */
void check_led(struct world *world, uint32_t sid, uint64_t since);

/* history.c: at the end of a run. */
void history_check(struct world *world);
/* A new row of the history, as it is delivered for the first time. */
void history_row(struct world *world, const struct row *row);
/*
 * Whatever others changed above `seen` and below zxid has been told to the client, and what it
 * changed itself, unless that was answered.
 */
void history_expect_told(
    struct world *world, const struct client *client, uint64_t seen, uint64_t zxid, bool inclusive);

/* A client has been told that its session is over: an end that is only proposed may be void. */
void history_expect_over(struct world *world, const struct client *client);
/* The first of world->facts above zxid. */
uint64_t history_above(const struct world *world, uint64_t zxid);
/* The transaction; NULL: nobody has delivered it. */
const struct fact *history_fact(const struct world *world, uint64_t zxid);

/* reads.c: likewise. */
void reads_check(struct world *world);
/* Of a LIST's entries: what they say, whatever their order of bytes. */
uint64_t reads_entries(struct blob entries);

/* locks.c: likewise. */
void locks_check(struct world *world);

/* linear.c */
void linear_check(struct world *world);

/* wild.c */
bool wild_now(const struct world *world);
void wild_vote(struct world *world, struct member *member, struct zab_message *message);
void wild_shake(struct world *world);
void wild_end(struct world *world);

/* faults.c */
void fault_inject(struct world *world);
/* conn: that connection; 0: any. */
void fault_do(struct world *world, enum fault kind, struct member *member, uint64_t conn);
uint32_t fault_kind(const struct world *world, uint32_t kind);
void fault_hold(struct world *world, uint32_t from, uint32_t to);
struct member *world_leader(struct world *world);

/* trap.c */
void traps_set(struct world *world);
void trap_message(struct world *world, uint32_t from, uint32_t to, uint64_t conn, uint32_t type);
void trap_logged(struct world *world, uint32_t member, uint32_t type);
void trap_role(struct world *world, uint32_t member, uint32_t role);

/* options.c */
void options_draw(uint64_t seed, struct options *out);

/* world.c */
bool world_run(const struct options *options, FILE *trace, struct world *out);
void world_free(struct world *world);
void trace(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
