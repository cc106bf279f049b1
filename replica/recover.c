/*
 * Start-up: the store is opened, the image loaded, and of the log above it
 * replayed what is known to be committed. Nothing in memory is ahead of the log
 * afterwards. Called by replica_new.
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <stdio.h>
#include <sysexits.h>

#define NS_PER_S UINT64_C(1000000000)
#define PROGRESS_NS (2 * NS_PER_S)

struct loading {
	struct replica *replica;
	uint64_t rows, said_ns;
	const char *what;
	uint64_t upto; /* the log's */
	bool broken;
};

/* Long work says how far it is, at least every 2 s. */
static void
progress(struct loading *loading)
{
	uint64_t now_ns;

	if (++loading->rows % 4096 != 0)
		return;
	now_ns = replica_now_ns();
	if (now_ns - loading->said_ns < PROGRESS_NS)
		return;
	loading->said_ns = now_ns;
	log_info("recovering %s rows=%llu", loading->what, (unsigned long long)loading->rows);
}

static int
load_node(void *arg, const struct store_node *row)
{
	struct loading *loading = arg;

	progress(loading);
	/* The log may begin above the transaction that was the last to change something. */
	write_time_seen(loading->replica, row->ctime_ns);
	return image_load_node(loading->replica->tree, row);
}

static int
load_session(void *arg, const struct store_session *row)
{
	struct loading *loading = arg;

	return image_load_session(loading->replica->tree, row);
}

static bool
replay(void *arg, uint64_t zxid, struct blob payload)
{
	struct loading *loading = arg;
	struct replica *replica = loading->replica;
	struct txn txn;

	progress(loading);
	loading->broken = txn_unpack(payload, zxid, replica->zone, &txn) != 0;
	if (!loading->broken) {
		tree_apply(replica->tree, &txn);
		write_time_seen(replica, txn.head.time_ns);
	}
	msgpack_zone_clear(replica->zone);
	return !loading->broken && zxid < loading->upto;
}

static void
end(struct replica *replica)
{
	if (!tree_recovery_end(replica->tree))
		fatal(EX_DATAERR, "the image and the rows behind it make no tree zxid=0x%llx",
		    (unsigned long long)replica->catch_up);
	replica->catch_up = 0;
}

void
recover_caught_up(struct replica *replica)
{
	if (replica->catch_up != 0 && tree_applied(replica->tree) >= replica->catch_up)
		end(replica);
}

void
recover_catch_up(struct replica *replica, uint64_t upto)
{
	replica->catch_up = upto;
	/* Nothing had happened yet: there is no row to wait for. */
	if (upto == 0)
		end(replica);
	recover_caught_up(replica);
}

/*
 * What the image may have caught was committed, and so was everything in the
 * log of an ensemble of one. What else there is the leader has to say.
 */
static int
replay_log(struct replica *replica, struct loading *loading)
{
	const struct store_state *state = store_state(replica->store);

	loading->what = "log";
	loading->rows = 0;
	loading->upto = replica->alone || state->image_upto > state->durable.last_zxid
			    ? state->durable.last_zxid
			    : state->image_upto;
	if (loading->upto > state->applied &&
	    (store_read(replica->store, state->applied, replay, loading) != 0 || loading->broken ||
		tree_applied(replica->tree) != loading->upto))
		return -1;
	recover_catch_up(replica, state->image_upto);
	return 0;
}

static int
damaged(const char *dir, const char *file, char *err, size_t errlen)
{
	snprintf(err, errlen, "%s: %s is damaged: restore it from another member or a backup", dir,
	    file);
	return EX_DATAERR;
}

/* What makes it a voter again: it does nothing else, and who waits for it may wait in vain. */
static void
warn_of_no_vote(const struct replica *replica)
{
	if (store_state(replica->store)->durable.voter || replica->observer)
		return;
	log_warn("no vote until a leader has synchronised this member needed=%u others=%u",
	    (unsigned)(replica->voters / 2 + 1), (unsigned)(replica->voters - 1));
}

int
recover(struct replica *replica, const struct replica_options *options, char *err, size_t errlen)
{
	struct store_options store = {
		.dir = options->dir,
		.found = options->found,
		.replaceable = !replica->alone,
		.member = options->member,
		.cluster = options->conf->cluster,
		.log_rows_min = options->conf->log_rows_min,
		.log_tree_percent = options->conf->log_tree_percent,
		.log_rows_sent = OUTBOX_ROWS_MAX,
	};
	struct loading loading = {
		.replica = replica, .said_ns = replica_now_ns(), .what = "image"
	};
	uint64_t begun_ns = replica_now_ns();
	const struct store_state *state;
	int code;

	code = store_open(&store, &replica->store, err, errlen);
	if (code != 0)
		return code;
	state = store_state(replica->store);
	replica->tree = tree_new();
	tree_recovery_begin(replica->tree);
	if (store_image_load(replica->store, load_node, load_session, &loading) != 0)
		return damaged(options->dir, "the tree's image", err, errlen);
	image_load_done(replica->tree, state->applied, state->next_id);

	if (replay_log(replica, &loading) != 0)
		return damaged(options->dir, "log.db", err, errlen);
	log_info("recovered nodes=%llu zxid=0x%llx logged=0x%llx replayed=%llu ms=%llu",
	    (unsigned long long)tree_nodes(replica->tree),
	    (unsigned long long)tree_applied(replica->tree),
	    (unsigned long long)state->durable.last_zxid, (unsigned long long)loading.rows,
	    (unsigned long long)((replica_now_ns() - begun_ns) / 1000000));
	warn_of_no_vote(replica);
	return 0;
}
