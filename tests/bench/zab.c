/*
 * The core alone: three members in one process, joined by queues, a leader that
 * proposes as fast as it may. Nothing is written and nothing is sent, but each
 * row's payload of 1 KiB is copied once for each member that gets it, as a
 * connection would. Prints the messages and the committed transactions of a
 * second of processor time: others' load on the machine counts little. Called by tests/bench/run.
 */
#include "replica/lib/check.h"
#include "replica/zab/zab.h"
#include "tests/bench/measure.h"

#include <string.h>

#define MEMBERS 3u
#define PAYLOAD 1024u
#define QUEUE 1024u /* events that wait; a power of two */
#define WINDOW 64u  /* proposals under way */
#define MS UINT64_C(1000000)
#define BLOCKS 20u

struct queued {
	uint32_t to;
	struct zab_event event;
	uint8_t payload[PAYLOAD];
};

struct member {
	struct zab *zab;
	uint64_t logged_op, logged_zxid; /* asked of the log, and not yet said to be durable */
	bool unsaid;
	uint64_t accepted_epoch, accepted_sid, current_epoch, last_zxid, delivered;
	uint8_t row[PAYLOAD]; /* the last one taken: as if it were the log */
};

static struct member members[MEMBERS];
static struct queued *queue;
static uint32_t head, tail;
static uint64_t now_ns = 1000 * MS, sent, proposed;
static uint8_t payload[PAYLOAD];

static void step(uint32_t self, struct zab_event *event, const uint8_t *row);

static void
put(uint32_t from, const struct zab_action *action, const uint8_t *row)
{
	struct queued *queued = &queue[tail++ % QUEUE];

	CHECK(tail - head <= QUEUE);
	queued->to = action->peer - 1;
	memset(&queued->event, 0, sizeof queued->event);
	queued->event.type = ZAB_EVENT_MESSAGE;
	queued->event.peer = from + 1;
	queued->event.conn = 1;
	queued->event.message = action->message;
	if (action->message.type == ZAB_ROW)
		memcpy(queued->payload, row, PAYLOAD);
	sent++;
}

static void
start(uint32_t self, uint64_t generation)
{
	struct member *member = &members[self];
	struct zab_event event = { .type = ZAB_EVENT_START };

	event.start.generation = generation;
	event.start.nonce = self + 1;
	event.start.accepted_epoch = member->accepted_epoch;
	event.start.accepted_sid = member->accepted_sid;
	event.start.current_epoch = member->current_epoch;
	event.start.last_zxid = member->last_zxid;
	event.start.delivered = member->delivered;
	event.start.voter = true;
	step(self, &event, NULL);
}

/* One proposal's row for each follower, as ROW messages. */
static void
send_row(uint32_t self, const struct zab_action *action)
{
	struct zab_action row = *action;

	/* Members begin empty and together: there is never more than the newest row to send. */
	CHECK(action->zxid == members[self].last_zxid || action->zxid == action->from);
	if (action->zxid == action->from)
		return;
	row.message = (struct zab_message){ .type = ZAB_ROW,
		.attempt = action->attempt,
		.zxid = action->zxid,
		.prev = action->from };
	put(self, &row, members[self].row);
}

static void
act(uint32_t self, const struct zab_action *action, const uint8_t *row, uint64_t *recover)
{
	struct member *member = &members[self];
	struct zab_event found = { .type = ZAB_EVENT_LOOKED_UP };

	switch (action->type) {
	case ZAB_SEND:
		put(self, action, NULL);
		break;
	case ZAB_SEND_ROWS:
		send_row(self, action);
		break;
	case ZAB_LOG_EPOCHS:
		member->accepted_epoch = action->accepted_epoch;
		member->accepted_sid = action->accepted_sid;
		member->current_epoch = action->current_epoch;
		break;
	case ZAB_LOG_ROW:
		memcpy(member->row, row, PAYLOAD);
		member->last_zxid = action->zxid;
		break;
	case ZAB_LOG_SYNC_COMMIT:
		member->current_epoch = action->current_epoch;
		break;
	case ZAB_DELIVER:
		member->delivered = action->zxid;
		break;
	case ZAB_RECOVER:
		*recover = action->generation + 1;
		break;
	case ZAB_LOOK_UP:
		found.peer = action->peer;
		found.attempt = action->attempt;
		found.found = true; /* of an empty log: its beginning */
		step(self, &found, NULL);
		break;
	case ZAB_SEND_SNAP:
	case ZAB_LOG_SYNC_SNAP:
	case ZAB_ALARM:
	case ZAB_FATAL:
		errx(1, "member %u: action %d of an ensemble that began empty", self + 1,
		    (int)action->type);
	default:
		break;
	}
	if (action->op > member->logged_op) {
		member->logged_op = action->op;
		member->unsaid = true;
	}
}

static void
step(uint32_t self, struct zab_event *event, const uint8_t *row)
{
	struct member *member = &members[self];
	struct zab_output *out = malloc(sizeof *out);
	uint64_t recover = 0;
	uint32_t i;

	CHECK(out != NULL);
	event->now_ns = now_ns;
	zab_step(member->zab, event, out);
	for (i = 0; i < out->count; i++)
		act(self, &out->actions[i], row, &recover);
	free(out);
	if (recover != 0)
		start(self, recover - 1);
}

/* What waited for the log is durable: one completion for all of it. */
static bool
log_done(uint32_t self)
{
	struct member *member = &members[self];
	struct zab_event event = {
		.type = ZAB_EVENT_LOGGED, .op = member->logged_op, .zxid = member->last_zxid
	};

	if (!member->unsaid)
		return false;
	member->unsaid = false;
	step(self, &event, NULL);
	return true;
}

/* Everything that waits now, each message a step; the logs complete once for all of it. */
static bool
turn(void)
{
	uint32_t end = tail, i;
	bool any = head != end;

	for (; head != end; head++) {
		struct queued *queued = &queue[head % QUEUE];

		step(queued->to, &queued->event, queued->payload);
	}
	for (i = 0; i < MEMBERS; i++)
		any |= log_done(i);
	return any;
}

static void
tick(void)
{
	struct zab_event event;
	uint32_t i;

	for (i = 0; i < MEMBERS; i++) {
		event = (struct zab_event){ .type = ZAB_EVENT_TICK };
		if (zab_timer_ns(members[i].zab) <= now_ns)
			step(i, &event, NULL);
	}
}

static void
begin(void)
{
	struct zab_config config = { .count = MEMBERS,
		.tick_ns = 200 * MS,
		.init_limit = 10,
		.sync_limit = 5,
		.finalize_ns = 50 * MS };
	struct zab_event event;
	uint32_t i, peer;

	for (i = 0; i < MEMBERS; i++)
		config.members[i].sid = i + 1;
	for (i = 0; i < MEMBERS; i++) {
		config.self = i + 1;
		members[i].zab = malloc(zab_size());
		CHECK(members[i].zab != NULL);
		zab_init(members[i].zab, &config);
		start(i, 0);
	}
	for (i = 0; i < MEMBERS; i++) {
		for (peer = 1; peer <= MEMBERS; peer++) {
			event = (struct zab_event){
				.type = ZAB_EVENT_CONNECTED, .peer = peer, .conn = 1
			};
			if (peer != i + 1)
				step(i, &event, NULL);
		}
	}
}

/* Until all three serve; the leader's index. */
static uint32_t
elect(void)
{
	struct zab_learner_status learner;
	uint32_t tries, i, sid, following;

	for (tries = 0; tries < 10000; tries++) {
		while (turn())
			continue;
		now_ns += MS;
		tick();
		for (i = 0; i < MEMBERS; i++) {
			if (zab_next_zxid(members[i].zab) == 0)
				continue;
			following = 0;
			for (sid = 1; sid <= MEMBERS; sid++)
				following += zab_learner_status(members[i].zab, sid, &learner) &&
					     learner.synchronised;
			if (following >= MEMBERS - 1 && !turn())
				return i;
		}
	}
	errx(1, "no leader");
}

static void
propose(uint32_t leader)
{
	struct zab_event event = { .type = ZAB_EVENT_PROPOSE };

	event.zxid = zab_next_zxid(members[leader].zab);
	CHECK(event.zxid != 0);
	step(leader, &event, payload);
	proposed++;
}

static int64_t
processor_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* The leader's broadcast, `count` transactions, all delivered everywhere; nanoseconds. */
static int64_t
broadcast(uint32_t leader, uint64_t count)
{
	uint64_t until = proposed + count;
	int64_t began = processor_ns();
	uint32_t i;

	while (proposed < until) {
		for (i = 0; i < WINDOW && proposed < until; i++)
			propose(leader);
		while (turn())
			continue;
		now_ns += MS;
		tick();
	}
	while (turn())
		continue;
	for (i = 0; i < MEMBERS; i++)
		CHECK(members[i].delivered == members[leader].last_zxid);
	return processor_ns() - began;
}

int
main(int argc, char **argv)
{
	uint64_t count, before;
	uint32_t leader, i;
	int64_t ns;

	if (argc != 2)
		errx(64, "usage: bench_zab TRANSACTIONS");
	count = measure_number(argv[1], 100000000) / BLOCKS;
	memset(payload, 'x', sizeof payload);
	queue = malloc(QUEUE * sizeof *queue);
	if (queue == NULL)
		err(1, "the queue");
	begin();
	leader = elect();
	broadcast(leader, count);
	for (i = 0; i < BLOCKS; i++) {
		before = sent;
		ns = broadcast(leader, count);
		printf("messages %.0f\n", (double)(sent - before) * NS_PER_S / (double)ns);
		printf("transactions %.0f\n", (double)count * NS_PER_S / (double)ns);
	}
	for (i = 0; i < MEMBERS; i++)
		free(members[i].zab);
	free(queue);
	return 0;
}
