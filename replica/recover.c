/*
 * Start-up: the store is opened, the image loaded, the log above it replayed.
 * Nothing in memory is ahead of the log afterwards. Called by replica_new.
 */
#include "replica/replica.h"

#include "replica/lib/log.h"

#include <stdio.h>
#include <sysexits.h>

#define NS_PER_S UINT64_C(1000000000)
#define PROGRESS_NS (2 * NS_PER_S)

struct loading {
	struct replica *replica;
	uint64_t rows, said_ns;
	const char *what;
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
		if (txn.head.time_ns > replica->time_ns)
			replica->time_ns = txn.head.time_ns;
	}
	msgpack_zone_clear(replica->zone);
	return !loading->broken;
}

static int
damaged(const char *dir, const char *file, char *err, size_t errlen)
{
	snprintf(err, errlen, "%s: %s is damaged: restore it from another member or a backup", dir,
	    file);
	return EX_DATAERR;
}

int
recover(struct replica *replica, const struct replica_options *options, char *err, size_t errlen)
{
	struct store_options store = {
		.dir = options->dir,
		.found = options->found,
		.member = options->member,
		.cluster = options->conf->cluster,
		.log_rows_min = options->conf->log_rows_min,
		.log_tree_percent = options->conf->log_tree_percent,
	};
	struct loading loading = {
		.replica = replica, .said_ns = replica_now_ns(), .what = "image"
	};
	uint64_t begun_ns = replica_now_ns(), replayed;
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

	loading.what = "log";
	loading.rows = 0;
	if (store_read(replica->store, state->applied, replay, &loading) != 0 || loading.broken ||
	    tree_applied(replica->tree) != state->durable.last_zxid)
		return damaged(options->dir, "log.db", err, errlen);
	replayed = loading.rows;
	tree_recovery_end(replica->tree);
	log_info("recovered nodes=%llu zxid=0x%llx replayed=%llu ms=%llu",
	    (unsigned long long)tree_nodes(replica->tree),
	    (unsigned long long)tree_applied(replica->tree), (unsigned long long)replayed,
	    (unsigned long long)((replica_now_ns() - begun_ns) / 1000000));
	return 0;
}
