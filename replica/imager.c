/*
 * The fuzzy passes: every pass_interval the znodes that changed since the last
 * pass go to tree-N.db in small batches, while service goes on; then the log
 * may be cut. A turn of the loop hands over one batch, and only as fast as the
 * image thread writes them.
 */
#include "replica/replica.h"

#include "replica/lib/log.h"

#define NS_PER_S UINT64_C(1000000000)
#define BATCH_BYTES (256u << 10)

static void
begin(struct replica *replica)
{
	log_debug("pass begins rows=%llu", (unsigned long long)image_dirty(replica->tree));
	replica->pass = image_pass_begin(replica->tree);
	replica->figures.pass_ns = replica_now_ns();
}

static void
feed(struct replica *replica)
{
	uint64_t applied = image_pass_applied(replica->pass);
	struct store_batch *batch;
	bool more = true;

	while (more && store_pass_queued(replica->store) < IMAGER_BATCHES_MAX) {
		batch = store_batch_new();
		more = image_pass_next(replica->tree, replica->pass, batch, BATCH_BYTES);
		store_pass_put(replica->store, batch, tree_applied(replica->tree));
	}
	if (more)
		return;
	replica->pass = NULL;
	replica->pass_ending = true;
	store_need(replica->store, outbox_needed(replica));
	store_pass_end(
	    replica->store, applied, tree_next_id(replica->tree), tree_nodes(replica->tree));
}

void
imager_tick(struct replica *replica, uint64_t now_ns)
{
	/* A tree that is still fuzzy is no image. */
	if (replica->pass_ending || replica->catch_up != 0 || replica->snap != NULL)
		return;
	if (replica->pass == NULL) {
		if (now_ns < replica->pass_next_ns || image_dirty(replica->tree) == 0)
			return;
		begin(replica);
	}
	feed(replica);
}

void
imager_abort(struct replica *replica)
{
	if (replica->pass == NULL)
		return;
	image_pass_abort(replica->tree, replica->pass);
	replica->pass = NULL;
	store_pass_abort(replica->store);
}

void
imager_done(struct replica *replica, bool ok)
{
	uint64_t now_ns = replica_now_ns();

	replica->pass_next_ns = now_ns + replica->conf->pass_interval * NS_PER_S;
	if (ok)
		metrics_observe(&replica->figures.passes, now_ns - replica->figures.pass_ns);
	else
		replica->figures.passes_failed++;
	if (!ok) {
		log_warn("disk full, the image pass will be tried again");
		if (replica->pass != NULL)
			image_pass_abort(replica->tree, replica->pass);
		replica->pass = NULL;
		image_mark_all(replica->tree);
	}
	replica->pass_ending = false;
}
