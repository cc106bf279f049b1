/*
 * The script: founding, groups of rows, epochs, fuzzy passes, retention,
 * synchronisations that truncate, one big enough to leave the cache, snapshots,
 * one of them undone, a clean end and a new beginning. It goes on after a full
 * disk. What it asked for and what it heard is in struct world.
 */
#include "tests/storage/storage.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <poll.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DEADLINE_MS 20000
#define SNAP_HASH 4711

struct world *
world_new(const char *dir)
{
	struct world *world =
	    mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(world != MAP_FAILED);
	snprintf(world->dir, sizeof world->dir, "%s", dir);
	world->nstates = 1;
	world->tag = 1;
	return world;
}

uint64_t
random_next(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

struct blob
world_bytes(uint64_t zxid, uint32_t tag, uint8_t buffer[BYTES_MAX])
{
	uint64_t seed = zxid * 31 + tag, word;
	uint32_t len = 16 + (uint32_t)(random_next(&seed) % 900), i;

	/* Some don't fit into a page. */
	if (zxid % 7 == 0)
		len += 3000;
	for (i = 0; i < len; i += 8) {
		word = random_next(&seed);
		memcpy(buffer + i, &word, 8);
	}
	memcpy(buffer, &zxid, sizeof zxid);
	memcpy(buffer + 8, &tag, sizeof tag);
	return (struct blob){ buffer, len };
}

void
world_apply(struct sslot slots[SLOTS], uint64_t zxid, uint32_t tag)
{
	struct sslot *slot = &slots[zxid % SLOTS];

	/* The session, the last slot, is never removed. */
	*slot = (struct sslot){ zxid, tag };
	if (zxid % 11 == 0 && zxid % SLOTS != SLOTS - 1)
		*slot = (struct sslot){ 0, 0 };
}

void
world_slots(const struct sstate *state, uint64_t upto, struct sslot slots[SLOTS])
{
	uint32_t i;

	memcpy(slots, state->slots, sizeof state->slots);
	for (i = 0; i < state->nrows && state->rows[i].zxid <= upto; i++)
		world_apply(slots, state->rows[i].zxid, state->rows[i].tag);
}

struct store_batch *
world_batch(const struct sslot slots[SLOTS], uint32_t from, uint32_t to)
{
	struct store_batch *batch = store_batch_new();
	struct store_session session = { .id = 99, .timeout_ms = 5 };
	struct store_node node = { .parent = 1, .mode = 0100644, .name = { (uint8_t *)"n", 1 } };
	uint8_t buffer[BYTES_MAX];
	uint32_t i;

	for (i = from; i < to; i++) {
		node.id = 10 + i;
		node.mzxid = session.acked = slots[i].zxid;
		node.version = slots[i].tag;
		node.value = session.results = world_bytes(slots[i].zxid, slots[i].tag, buffer);
		if (slots[i].zxid == 0 && i == SLOTS - 1)
			store_batch_session_gone(batch, session.id);
		else if (slots[i].zxid == 0)
			store_batch_node_gone(batch, node.id);
		else if (i == SLOTS - 1)
			store_batch_session(batch, &session);
		else
			store_batch_node(batch, &node);
	}
	return batch;
}

static void
changed(struct world *world)
{
	if (world->changed != NULL)
		world->changed(world);
}

static struct sstate *
now(struct world *world)
{
	return &world->states[world->nstates - 1];
}

/* The state that the next call leads to; issued when it is complete. */
static struct sstate *
next(struct world *world)
{
	CHECK(world->nstates < STATES_MAX);
	world->states[world->nstates] = *now(world);
	return &world->states[world->nstates];
}

static uint64_t
issue(struct world *world, struct sstate *state)
{
	state->op = ++world->op;
	world->nstates++;
	changed(world);
	return state->op;
}

static uint64_t
last_of(const struct sstate *state)
{
	return state->nrows == 0 ? state->base : state->rows[state->nrows - 1].zxid;
}

static bool done_pass, done_full;

static void
heard(struct world *world, const struct store_done *done)
{
	switch (done->type) {
	case STORE_LOGGED:
		while (world->acked + 1 < world->nstates &&
		       world->states[world->acked + 1].op <= done->op)
			world->acked++;
		CHECK(last_of(&world->states[world->acked]) == done->durable.last_zxid);
		break;
	case STORE_FULL:
		world->nstates = world->acked + 1;
		CHECK(last_of(now(world)) == done->durable.last_zxid);
		world->fulls++;
		done_full = true;
		break;
	case STORE_PASSED:
		done_pass = true;
		break;
	case STORE_PASS_FAILED:
		world->pass_fails++;
		done_pass = done_full = true;
		break;
	}
	changed(world);
}

static bool
next_done(struct world *world, struct store *store)
{
	struct pollfd fd = { .fd = store_wake_fd(store), .events = POLLIN };
	struct store_done done;
	int tries;

	for (tries = 0; tries < DEADLINE_MS / 10; tries++) {
		if (store_poll(store, &done)) {
			heard(world, &done);
			return true;
		}
		poll(&fd, 1, 10);
	}
	CHECK(!"a completion came in time");
	return false;
}

/* Until all that was called for is reported. False: the disk was full. */
static bool
settle(struct world *world, struct store *store)
{
	done_full = false;
	while (!done_full && world->states[world->acked].op < world->op)
		next_done(world, store);
	return !done_full;
}

/* Adds a row to the state; its number is the world's next. */
static struct srow
add_row(struct world *world, struct sstate *state, uint64_t zxid)
{
	struct srow row = { zxid, last_of(state), world->tag };

	CHECK(state->nrows < ROWS_MAX);
	state->rows[state->nrows++] = row;
	state->op = ++world->op;
	return row;
}

static void
send_row(struct store *store, uint64_t op, struct srow row)
{
	uint8_t buffer[BYTES_MAX];
	struct store_row sent = { .zxid = row.zxid,
		.prev_zxid = row.prev,
		.payload = world_bytes(row.zxid, row.tag, buffer) };
	uint64_t hash;

	CHECK(store_append(store, op, &sent, &hash) == 0);
}

static void
put_row(struct world *world, struct store *store, struct sstate *state, uint64_t zxid)
{
	struct srow row = add_row(world, state, zxid);

	send_row(store, state->op, row);
}

static uint64_t
following(const struct sstate *state, uint64_t epoch)
{
	uint64_t last = last_of(state);

	return last >> 32 == epoch ? last + 1 : epoch << 32 | 1;
}

static bool
append(struct world *world, struct store *store, uint32_t count)
{
	struct sstate *state;
	struct srow row;

	while (count-- > 0) {
		state = next(world);
		row = add_row(world, state, following(state, state->current));
		/* Asked for before the store knows. */
		world->nstates++;
		changed(world);
		send_row(store, state->op, row);
	}
	return settle(world, store);
}

/* Again, where the disk was full: what follows is only right with them. */
static void
epochs(struct world *world, struct store *store, uint64_t accepted, uint64_t current)
{
	struct sstate *state;

	do {
		state = next(world);
		state->accepted = accepted;
		state->sid = accepted * 7;
		state->current = current;
		issue(world, state);
		store_set_epochs(store, state->op, accepted, accepted * 7, current);
	} while (!settle(world, store));
}

static bool
voter(struct world *world, struct store *store)
{
	struct sstate *state = next(world);

	state->voter = true;
	issue(world, state);
	store_set_voter(store, state->op);
	return settle(world, store);
}

/* Two batches, with rows between them; what it shows was durable before. */
static void
pass(struct world *world, struct store *store)
{
	struct sslot slots[SLOTS];
	uint64_t applied = last_of(now(world));

	world_slots(now(world), UINT64_MAX, slots);
	store_pass_put(store, world_batch(slots, 0, 3), applied);
	append(world, store, 3);
	world_slots(now(world), UINT64_MAX, slots);
	world->shown = last_of(now(world));
	store_pass_put(store, world_batch(slots, 3, SLOTS), world->shown);
	store_pass_end(store, applied, 7, 0);
	done_pass = done_full = false;
	while (!done_pass)
		next_done(world, store);
	if (done_full)
		return;
	world->applied = applied;
	changed(world);
}

/* A pass that is given up. */
static void
pass_aborted(struct world *world, struct store *store)
{
	struct sslot slots[SLOTS];

	world_slots(now(world), UINT64_MAX, slots);
	world->shown = last_of(now(world));
	store_pass_put(store, world_batch(slots, 1, 4), world->shown);
	store_pass_abort(store);
}

/* The last `back` rows go, `count` of another leader come. */
static void
sync_rows(struct world *world, struct store *store, uint32_t back, uint32_t count, uint64_t epoch,
    bool commit)
{
	struct sstate *state = next(world);
	uint64_t zxid;

	/* After a full disk there may be fewer: what is committed stays. */
	while (back > 0 &&
	       (state->nrows <= back || state->rows[state->nrows - 1 - back].zxid < world->shown))
		back--;
	state->nrows -= back;
	world->tag++;
	store_sync_begin(store, ++world->op, last_of(state));
	state->current = epoch;
	while (count-- > 0) {
		zxid = following(state, epoch);
		put_row(world, store, state, zxid);
	}
	if (commit) {
		issue(world, state);
		store_sync_commit(store, state->op, epoch);
	} else {
		issue(world, next(world));
		store_sync_abort(store, world->op);
	}
	settle(world, store);
}

static void
snapshot(struct world *world, struct store *store, uint64_t zxid, uint64_t epoch, bool commit)
{
	struct sstate *state = next(world);
	struct sslot shown[SLOTS];
	uint32_t i;

	world->tag++;
	state->base = zxid;
	state->base_hash = SNAP_HASH + zxid;
	state->nrows = 0;
	state->current = epoch;
	for (i = 0; i < SLOTS; i++)
		world_apply(state->slots, zxid - i, world->tag);
	/* Fuzzy: some of its nodes are ahead, by rows that are still to come. */
	memcpy(shown, state->slots, sizeof shown);
	for (i = 1; i <= 5 && commit; i++) {
		world->promised[world->npromised++] =
		    (struct srow){ zxid + i, zxid + i - 1, world->tag };
		if (i % 2 == 1)
			world_apply(shown, zxid + i, world->tag);
	}
	store_snap_begin(store, ++world->op, zxid, state->base_hash);
	store_snap_put(store, world_batch(shown, 0, 3));
	put_row(world, store, state, zxid + 1);
	store_snap_put(store, world_batch(shown, 3, SLOTS));
	put_row(world, store, state, zxid + 2);
	if (commit) {
		store_snap_end(store, zxid + 5, 9);
		issue(world, state);
		store_sync_commit(store, state->op, epoch);
	} else {
		issue(world, next(world));
		store_sync_abort(store, world->op);
	}
	if (settle(world, store) && commit) {
		world->applied = zxid;
		world->shown = zxid;
		changed(world);
	}
}

static struct store *
open_store(struct world *world)
{
	struct store_options options = { .dir = world->dir,
		.replaceable = true,
		.member = 1,
		.cluster = "c",
		.log_rows_min = 10 };
	struct store *store = NULL;
	char err[512];

	world->refused = store_open(&options, &store, err, sizeof err);
	if (world->refused != 0)
		return NULL;
	world->opened++;
	changed(world);
	return store;
}

static void
first_life(struct world *world, struct store *store)
{
	epochs(world, store, 1, 1);
	voter(world, store);
	append(world, store, 1);
	append(world, store, 9);
	pass(world, store);
	epochs(world, store, 2, 1);
	append(world, store, 4);
	sync_rows(world, store, 2, 6, 2, true);
	append(world, store, 12);
	/* Nothing in their place: the log ends below what it had acknowledged. */
	sync_rows(world, store, 2, 0, 2, true);
	append(world, store, 2);
	pass(world, store);
	pass_aborted(world, store);
	sync_rows(world, store, 1, 3, 2, false);
	append(world, store, 2);
	epochs(world, store, 3, 2);
	snapshot(world, store, UINT64_C(3) << 32 | 20, 3, true);
	append(world, store, 2);
	/* So that no row above the pass sets the session again: it is the image's alone. */
	append(world, store, 5);
	pass(world, store);
}

static void
second_life(struct world *world, struct store *store)
{
	append(world, store, 3);
	epochs(world, store, 4, 3);
	/* More than the cache may hold: rows go to the WAL before the commit. */
	sqlite3_soft_heap_limit64(200000);
	sync_rows(world, store, 2, 40, 4, true);
	sqlite3_soft_heap_limit64(0);
	append(world, store, 2);
	snapshot(world, store, UINT64_C(5) << 32 | 40, 4, false);
	pass(world, store);
	epochs(world, store, 5, 4);
	snapshot(world, store, UINT64_C(5) << 32 | 60, 5, true);
	append(world, store, 5);
}

void
world_run(struct world *world)
{
	struct store *store = open_store(world);

	if (store == NULL)
		return;
	first_life(world, store);
	store_close(store);
	store = open_store(world);
	if (store == NULL)
		return;
	second_life(world, store);
	store_close(store);
}

void
world_install(void)
{
	vfs_install();
	if (getenv("V") == NULL)
		CHECK(freopen("/dev/null", "w", stderr) != NULL);
}

struct world *
world_record(void (*changed_)(const struct world *world))
{
	struct world *world;
	char dir[128];

	world_install();
	folder_make(dir, "storage");
	world = world_new(dir);
	world->changed = changed_;
	changed_(world);
	disk_record(true);
	world_run(world);
	disk_record(false);
	folder_remove(dir);
	return world;
}
