/* Opens a store and says whether it is one of those that it may be. See storage.h. */
#include "tests/storage/storage.h"

#include "replica/lib/check.h"
#include "replica/lib/err.h"

#include <poll.h>
#include <string.h>
#include <sysexits.h>

#define WORK_TAG 9999
#define WORK_ROWS 12

bool verify_refused;
static char why[1024];

struct recovered {
	struct store_state state;
	uint32_t nrows;
	struct srow rows[ROWS_MAX + WORK_ROWS];
	struct sslot slots[SLOTS];
	uint64_t base_hash;
	const char *bad; /* what nobody may have given it */
};

static bool
same_bytes(struct blob blob, uint64_t zxid, uint32_t tag)
{
	uint8_t buffer[BYTES_MAX];
	struct blob wanted = world_bytes(zxid, tag, buffer);

	return blob.len == wanted.len && memcmp(blob.data, wanted.data, wanted.len) == 0;
}

static int
load_node(void *arg, const struct store_node *row)
{
	struct recovered *recovered = arg;
	uint64_t slot = row->id - 10;

	if (slot >= SLOTS - 1 || row->mzxid % SLOTS != slot ||
	    !same_bytes(row->value, row->mzxid, row->version)) {
		recovered->bad = "a node has other bytes than it was given";
		return 0;
	}
	recovered->slots[slot] = (struct sslot){ row->mzxid, row->version };
	return 0;
}

static int
load_session(void *arg, const struct store_session *row)
{
	struct recovered *recovered = arg;
	uint32_t tag;

	if (row->results.len < 16) {
		recovered->bad = "a session is cut short";
		return 0;
	}
	memcpy(&tag, row->results.data + 8, sizeof tag);
	if (row->id != 99 || !same_bytes(row->results, row->acked, tag))
		recovered->bad = "a session has other bytes than it was given";
	recovered->slots[SLOTS - 1] = (struct sslot){ row->acked, tag };
	return 0;
}

static bool
read_row(void *arg, uint64_t zxid, struct blob payload)
{
	struct recovered *recovered = arg;
	struct srow *row = &recovered->rows[recovered->nrows];

	if (payload.len < 16 || recovered->nrows == ROWS_MAX + WORK_ROWS) {
		recovered->bad = "a row is cut short, or there are too many";
		return false;
	}
	*row = (struct srow){ .zxid = zxid };
	memcpy(&row->tag, payload.data + 8, sizeof row->tag);
	if (!same_bytes(payload, zxid, row->tag))
		recovered->bad = "a row has other bytes than it was given";
	recovered->nrows++;
	return true;
}

static int
look_at_ends(struct store *store, struct recovered *recovered)
{
	const struct store_state *state = &recovered->state;
	uint64_t zxid, hash;
	int code = store_look_up(store, state->durable.last_zxid, &zxid, &hash);

	if (code != 0)
		return code;
	if (zxid != state->durable.last_zxid || hash != state->last_hash)
		recovered->bad = "the last row is another one when it is looked up";
	code = store_look_up(store, state->base_zxid, &zxid, &recovered->base_hash);
	if (zxid != state->base_zxid)
		recovered->bad = "the base is another one when it is looked up";
	/* A new image, and the script's passes and snapshots. */
	if (state->next_id != 0 && state->next_id != 7 && state->next_id != 9)
		recovered->bad = "the next id is made up";
	return code;
}

/* What is there, or NULL and *error. */
static struct store *
open_it(const char *dir, bool replaceable, struct recovered *recovered, const char **error)
{
	struct store_options options = { .dir = dir,
		.replaceable = replaceable,
		.member = 1,
		.cluster = "c",
		.log_rows_min = 10 };
	struct store *store = NULL;
	char err[700] = "";
	int code = store_open(&options, &store, err, sizeof err);

	*recovered = (struct recovered){ 0 };
	*error = NULL;
	if (code != 0) {
		snprintf(why, sizeof why, "refused with %d: %s", code, err);
		verify_refused = true;
		*error = code == EX_NOINPUT ? "" : why;
		return NULL;
	}
	recovered->state = *store_state(store);
	if (store_image_load(store, load_node, load_session, recovered) != 0)
		*error = "the image is damaged";
	else if (store_read(store, recovered->state.base_zxid, read_row, recovered) != 0)
		*error = "the log is damaged";
	else if (look_at_ends(store, recovered) != 0)
		*error = "the ends of the log are damaged";
	if (*error != NULL) {
		verify_refused = true;
		store_close(store);
		return NULL;
	}
	return store;
}

static uint64_t
last_of(const struct recovered *recovered)
{
	return recovered->nrows == 0 ? recovered->state.base_zxid
				     : recovered->rows[recovered->nrows - 1].zxid;
}

static bool
promised(const struct world *world, const struct sslot *slot)
{
	uint32_t i;

	for (i = 0; i < world->npromised; i++)
		if (world->promised[i].zxid == slot->zxid && world->promised[i].tag == slot->tag)
			return true;
	return false;
}

/* A snapshot may show what a row makes of the slot that is still to come. */
static bool
ahead(const struct recovered *recovered, const struct world *world, uint32_t slot,
    const struct sslot *got)
{
	struct sslot slots[SLOTS];
	uint32_t i;

	for (i = 0; i < world->npromised; i++) {
		const struct srow *row = &world->promised[i];

		if (row->zxid <= last_of(recovered) || row->zxid > recovered->state.image_upto ||
		    row->zxid % SLOTS != slot)
			continue;
		world_apply(slots, row->zxid, row->tag);
		if (slots[slot].zxid == got->zxid && slots[slot].tag == got->tag)
			return true;
	}
	return false;
}

static bool
slots_match(
    const struct recovered *recovered, const struct sstate *state, const struct world *world)
{
	struct sslot wanted[SLOTS], got[SLOTS];
	uint32_t i;

	world_slots(state, UINT64_MAX, wanted);
	memcpy(got, recovered->slots, sizeof got);
	for (i = 0; i < recovered->nrows; i++)
		if (recovered->rows[i].zxid > recovered->state.applied)
			world_apply(got, recovered->rows[i].zxid, recovered->rows[i].tag);
	for (i = 0; i < SLOTS; i++) {
		if (got[i].zxid == wanted[i].zxid && got[i].tag == wanted[i].tag)
			continue;
		if (ahead(recovered, world, i, &got[i]))
			continue;
		return false;
	}
	return true;
}

static bool
rows_match(const struct recovered *recovered, const struct sstate *state)
{
	uint32_t from = 0, i;

	if (recovered->state.base_zxid != state->base) {
		while (from < state->nrows && state->rows[from].zxid != recovered->state.base_zxid)
			from++;
		if (from++ == state->nrows)
			return false;
	} else if (recovered->base_hash != state->base_hash) {
		return false;
	}
	if (recovered->nrows != state->nrows - from)
		return false;
	for (i = 0; i < recovered->nrows; i++)
		if (recovered->rows[i].zxid != state->rows[from + i].zxid ||
		    recovered->rows[i].tag != state->rows[from + i].tag)
			return false;
	return true;
}

static bool
matches(const struct recovered *recovered, const struct sstate *state, const struct world *world)
{
	const struct store_durable *durable = &recovered->state.durable;

	return durable->accepted_epoch == state->accepted && durable->accepted_sid == state->sid &&
	       durable->current_epoch == state->current && durable->voter == state->voter &&
	       rows_match(recovered, state) && slots_match(recovered, state, world);
}

/* Nothing in it was made up. */
static bool
known(const struct world *world, uint64_t zxid, uint32_t tag)
{
	struct sslot slot = { zxid, tag };
	uint32_t i, j;

	if (zxid == 0 || promised(world, &slot))
		return true;
	for (i = 0; i < world->nstates; i++) {
		for (j = 0; j < SLOTS; j++)
			if (world->states[i].slots[j].zxid == zxid &&
			    world->states[i].slots[j].tag == tag)
				return true;
		for (j = 0; j < world->states[i].nrows; j++)
			if (world->states[i].rows[j].zxid == zxid &&
			    world->states[i].rows[j].tag == tag)
				return true;
	}
	return false;
}

static bool
all_known(const struct recovered *recovered, const struct world *world)
{
	uint32_t i;

	for (i = 0; i < SLOTS; i++)
		if (!known(world, recovered->slots[i].zxid, recovered->slots[i].tag))
			return false;
	for (i = 0; i < recovered->nrows; i++)
		if (!known(world, recovered->rows[i].zxid, recovered->rows[i].tag))
			return false;
	return true;
}

static const char *
judge(const struct recovered *recovered, const struct expectation *e)
{
	const struct store_state *state = &recovered->state;
	uint32_t i;

	if (recovered->bad != NULL)
		return recovered->bad;
	if (state->durable.last_zxid != last_of(recovered))
		return "the rows end elsewhere than it says";
	for (i = e->last + 1; i-- > e->first;)
		if (matches(recovered, &e->world->states[i], e->world)) {
			if (!e->lost && state->applied < e->applied)
				return "a pass that was reported is undone";
			return NULL;
		}
	/* Who knows that it lost something may have less, or the image alone. */
	if (e->lost && !state->durable.voter && all_known(recovered, e->world))
		return NULL;
	snprintf(why, sizeof why,
	    "not one of the states %u to %u: base=0x%llx last=0x%llx rows=%u applied=0x%llx "
	    "upto=0x%llx accepted=%llu current=%llu voter=%d",
	    e->first, e->last, (unsigned long long)state->base_zxid,
	    (unsigned long long)state->durable.last_zxid, recovered->nrows,
	    (unsigned long long)state->applied, (unsigned long long)state->image_upto,
	    (unsigned long long)state->durable.accepted_epoch,
	    (unsigned long long)state->durable.current_epoch, state->durable.voter);
	return why;
}

static bool
wait_for(struct store *store, enum store_done_type type, uint64_t zxid)
{
	struct pollfd fd = { .fd = store_wake_fd(store), .events = POLLIN };
	struct store_done done;
	int tries;

	for (tries = 0; tries < 2000; tries++) {
		while (store_poll(store, &done))
			if (done.type == type &&
			    (type != STORE_LOGGED || done.durable.last_zxid == zxid))
				return true;
		poll(&fd, 1, 10);
	}
	return false;
}

/* Rows of our own, and a pass over all nodes; retention follows. */
static bool
work(struct store *store, const struct recovered *before, struct sslot slots[SLOTS])
{
	uint64_t zxid = last_of(before), hash, first = zxid;
	uint8_t buffer[BYTES_MAX];
	struct store_row row;
	uint64_t op = 0;
	uint32_t i;

	memcpy(slots, before->slots, sizeof before->slots);
	for (i = 0; i < before->nrows; i++)
		if (before->rows[i].zxid > before->state.applied)
			world_apply(slots, before->rows[i].zxid, before->rows[i].tag);
	for (; zxid < first + WORK_ROWS; zxid++) {
		row = (struct store_row){ .zxid = zxid + 1, .prev_zxid = zxid };
		row.payload = world_bytes(row.zxid, WORK_TAG, buffer);
		if (store_append(store, ++op, &row, &hash) != 0)
			return false;
		world_apply(slots, row.zxid, WORK_TAG);
	}
	if (!wait_for(store, STORE_LOGGED, zxid))
		return false;
	store_pass_put(store, world_batch(slots, 0, SLOTS), zxid);
	store_pass_end(store, zxid, 7, 0);
	return wait_for(store, STORE_PASSED, 0);
}

/* The store as it was, and then some, opened again: nothing of it may be lost now. */
static const char *
judge_work(
    const struct recovered *before, const struct recovered *after, const struct sslot slots[SLOTS])
{
	uint32_t have = before->nrows + WORK_ROWS, skip, i;

	if (after->bad != NULL || after->nrows > have || after->nrows < WORK_ROWS - 2)
		return "after work: rows are missing, or differ";
	skip = have - after->nrows;
	for (i = 0; i < after->nrows && skip + i < before->nrows; i++)
		if (after->rows[i].zxid != before->rows[skip + i].zxid ||
		    after->rows[i].tag != before->rows[skip + i].tag)
			return "after work: other rows";
	if (last_of(after) != last_of(before) + WORK_ROWS)
		return "after work: the log ends elsewhere";
	for (i = 0; i < SLOTS; i++)
		if (after->slots[i].zxid != slots[i].zxid || after->slots[i].tag != slots[i].tag)
			return "after work: another image";
	return NULL;
}

const char *
verify(const char *dir, const struct expectation *e)
{
	struct recovered before, after;
	struct sslot slots[SLOTS];
	struct store *store;
	const char *error;
	bool worked;

	verify_refused = false;
	store = open_it(dir, e->replaceable, &before, &error);
	if (store == NULL) {
		if (e->lost || (e->nothing && error[0] == '\0'))
			return NULL;
		return error[0] == '\0' ? "there is no store" : error;
	}
	error = judge(&before, e);
	worked = error == NULL && e->work;
	if (worked && !work(store, &before, slots))
		error = "it does not work on";
	store_close(store);
	if (error != NULL || !worked)
		return error;
	store = open_it(dir, e->replaceable, &after, &error);
	if (store == NULL)
		return e->lost ? NULL : error;
	store_close(store);
	return judge_work(&before, &after, slots);
}
