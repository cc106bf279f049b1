/*
 * The tree from one member to another, in pieces, while service goes on: no
 * single point in time, so the one who gets it applies the rows that follow as
 * in recovery, until it has what the last piece may have caught. What comes in
 * is invisible, in memory and on disk, until the synchronisation is committed.
 * Called by outbox.c (out), order.c and replica.c (in).
 */
#include "replica/replica.h"

#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <inttypes.h>
#include <stdlib.h>

#define PIECE_BYTES (256u << 10)
#define PROGRESS_NS UINT64_C(2000000000)

#define NODE_FIELDS 21
#define SESSION_FIELDS 6
#define FIELD(type, name, max)                                                                     \
	{                                                                                          \
		FIELD_##type, offsetof(struct ROW, name), max, #name                               \
	}

#define ROW store_node
static const struct field node_fields[NODE_FIELDS] = { FIELD(u64, id, 0), FIELD(u64, parent, 0),
	FIELD(u64, czxid, 0), FIELD(u64, mzxid, 0), FIELD(u64, pzxid, 0), FIELD(u64, owner, 0),
	FIELD(u64, handle, 0), FIELD(u32, mode, 0), FIELD(u32, uid, 0), FIELD(u32, gid, 0),
	FIELD(u32, version, 0), FIELD(u32, cversion, 0), FIELD(u32, aversion, 0),
	FIELD(i64, birth_ns, 0), FIELD(i64, mtime_ns, 0), FIELD(i64, ctime_ns, 0),
	FIELD(i64, quota_nodes, 0), FIELD(i64, quota_bytes, 0), FIELD(u32, quota_hard, 0),
	FIELD(blob, name, WIRE_NAME_MAX), FIELD(blob, value, WIRE_VALUE_MAX) };
#undef ROW
#define ROW store_session
static const struct field session_fields[SESSION_FIELDS] = { FIELD(u64, id, 0),
	FIELD(u64, acked, 0), FIELD(u32, timeout_ms, 0), FIELD(blob, secret, WIRE_SECRET_LEN),
	FIELD(blob, identity, WIRE_IDENTITY_MAX), FIELD(blob, results, WIRE_VALUE_MAX) };
#undef ROW
static const struct schema node_schema = { "node", node_fields, NODE_FIELDS,
	sizeof(struct store_node) };
static const struct schema session_schema = { "session", session_fields, SESSION_FIELDS,
	sizeof(struct store_session) };

struct snap_out {
	uint64_t attempt;
	uint64_t session, node; /* the last ones sent */
	bool sessions_done;
};

struct snap_in {
	struct peer *peer;
	uint64_t conn, attempt, zxid;
	struct tree *tree;
	uint64_t upto, rows, said_ns;
	uint64_t total;	 /* rows, about */
	int64_t time_ns; /* of the latest change in it */
	bool complete, paused;
};

struct snap_out *
snap_out_new(uint64_t attempt)
{
	struct snap_out *snap = calloc(1, sizeof *snap);

	CHECK(snap != NULL);
	snap->attempt = attempt;
	return snap;
}

void
snap_out_free(struct snap_out *snap)
{
	free(snap);
}

/* Sessions first: an ephemeral's row needs its owner. False: nothing is left. */
static bool
pack_row(
    struct replica *replica, struct snap_out *snap, msgpack_packer *pk, msgpack_sbuffer *results)
{
	struct store_session session;
	struct store_node node;

	if (!snap->sessions_done &&
	    image_next_session(replica->tree, snap->session, results, &session)) {
		snap->session = session.id;
		codec_pack(pk, &session_schema, &session);
		return true;
	}
	snap->sessions_done = true;
	if (!image_next_node(replica->tree, snap->node, &node))
		return false;
	snap->node = node.id;
	codec_pack(pk, &node_schema, &node);
	return true;
}

/* Whether the next row may make the piece too long: then it goes alone. */
static bool
is_full(const struct replica *replica, const struct snap_out *snap, size_t bytes)
{
	struct store_node node;

	if (bytes == 0)
		return false;
	if (bytes >= PIECE_BYTES)
		return true;
	return snap->sessions_done && image_next_node(replica->tree, snap->node, &node) &&
	       node.value.len > PIECE_BYTES;
}

/* What may show: the tree itself may be a snapshot whose last rows are not applied yet. */
static uint64_t
shown_upto(const struct replica *replica)
{
	uint64_t applied = tree_applied(replica->tree);

	return replica->catch_up > applied ? replica->catch_up : applied;
}

bool
snap_out_next(struct replica *replica, struct snap_out *snap, const struct peer *peer)
{
	struct wire_msg msg = { .type = WIRE_T_PIECE, .piece.attempt = snap->attempt };
	msgpack_sbuffer rows, results;
	msgpack_packer pk;
	bool more = true;

	msgpack_sbuffer_init(&rows);
	msgpack_sbuffer_init(&results);
	msgpack_packer_init(&pk, &rows, msgpack_sbuffer_write);
	while (more && !is_full(replica, snap, rows.size))
		more = pack_row(replica, snap, &pk, &results);
	msg.piece.last = !more;
	msg.piece.upto = shown_upto(replica);
	msg.piece.next_id = tree_next_id(replica->tree);
	msg.piece.total = tree_nodes(replica->tree);
	msg.piece.rows = (struct blob){ (const uint8_t *)rows.data, (uint32_t)rows.size };
	links_send(replica->links, peer->sid, peer->conn, &msg, (struct blob){ 0 });
	msgpack_sbuffer_destroy(&rows);
	msgpack_sbuffer_destroy(&results);
	if (!more)
		log_info("snapshot sent member=%u nodes=%" PRIu64 " zxid=0x%" PRIx64,
		    (unsigned)peer->sid, tree_nodes(replica->tree), msg.piece.upto);
	return more;
}

void
snap_in_begin(struct replica *replica, struct peer *peer, uint64_t attempt, uint64_t zxid)
{
	CHECK(replica->snap == NULL);
	replica->snap = calloc(1, sizeof *replica->snap);
	CHECK(replica->snap != NULL);
	*replica->snap = (struct snap_in){ .peer = peer,
		.conn = peer->conn,
		.attempt = attempt,
		.zxid = zxid,
		.tree = tree_new(),
		.said_ns = replica_now_ns() };
	tree_recovery_begin(replica->snap->tree);
	log_info("snapshot begins member=%u zxid=0x%" PRIx64, (unsigned)peer->sid, zxid);
}

/* One row, to memory and to the batch. False: no member has sent that. */
static bool
take_row(struct snap_in *snap, struct store_batch *batch, const msgpack_object *fields, uint32_t n)
{
	struct store_session session;
	struct store_node node;

	if (n == NODE_FIELDS) {
		if (codec_unpack(&node_schema, fields, n, &node) != 0 ||
		    image_load_node(snap->tree, &node) != 0)
			return false;
		store_batch_node(batch, &node);
		if (node.ctime_ns > snap->time_ns)
			snap->time_ns = node.ctime_ns;
		return true;
	}
	if (codec_unpack(&session_schema, fields, n, &session) != 0 ||
	    image_load_session(snap->tree, &session) != 0)
		return false;
	store_batch_session(batch, &session);
	return true;
}

static bool
take_rows(struct snap_in *snap, struct store_batch *batch, struct blob rows)
{
	msgpack_object fields[NODE_FIELDS];
	size_t off = 0;
	uint32_t n;

	while (off < rows.len) {
		if (codec_flat(rows.data, rows.len, &off, fields, NODE_FIELDS, &n) != 0 ||
		    !take_row(snap, batch, fields, n))
			return false;
		snap->rows++;
	}
	return true;
}

/* The image is complete: fuzzy, but no row of it is from later, no id above what it says. */
static bool
take_end(struct replica *replica, struct snap_in *snap, const struct wire_piece *piece)
{
	struct zab_status status;

	zab_status(replica->zab, &status);
	if (piece->upto < snap->zxid || zab_zxid_epoch(piece->upto) > status.epoch ||
	    piece->next_id > TREE_ID_MAX + 1 || tree_last_id(snap->tree) >= piece->next_id)
		return false;
	image_load_done(snap->tree, snap->zxid, piece->next_id);
	snap->upto = piece->upto;
	return true;
}

static void
progress(struct snap_in *snap)
{
	uint64_t now_ns = replica_now_ns();

	if (now_ns - snap->said_ns < PROGRESS_NS)
		return;
	snap->said_ns = now_ns;
	log_info("snapshot comes in rows=%" PRIu64 " of=%" PRIu64, snap->rows, snap->total);
}

bool
snap_in_piece(
    struct replica *replica, struct peer *peer, uint64_t conn, const struct wire_piece *piece)
{
	struct snap_in *snap = replica->snap;
	struct store_batch *batch;

	/* Of an attempt that is over. */
	if (snap == NULL || !replica->in_sync || snap->attempt != piece->attempt ||
	    snap->peer != peer || snap->conn != conn)
		return true;
	batch = store_batch_new();
	if (snap->complete || !take_rows(snap, batch, piece->rows) ||
	    (piece->last && !take_end(replica, snap, piece))) {
		store_batch_free(batch);
		return false;
	}
	store_snap_put(replica->store, batch);
	snap->total = piece->total;
	progress(snap);
	if (piece->last) {
		store_snap_end(replica->store, piece->upto, piece->next_id);
		snap->complete = true;
	} else if (store_pass_queued(replica->store) >= SNAP_BATCHES_MAX) {
		snap->paused = true;
		links_pause(replica->links, peer->sid, conn, true);
	}
	order_heard(replica, peer);
	return true;
}

void
snap_in_more(struct replica *replica)
{
	struct snap_in *snap = replica->snap;

	if (snap == NULL || !snap->paused || store_pass_queued(replica->store) > 1)
		return;
	snap->paused = false;
	links_pause(replica->links, snap->peer->sid, snap->conn, false);
}

bool
snap_in_complete(const struct replica *replica)
{
	return replica->snap->complete;
}

uint32_t
snap_in_percent(const struct replica *replica)
{
	const struct snap_in *snap = replica->snap;

	if (snap->total == 0)
		return 0;
	/* The rest is for the disk. */
	return snap->rows >= snap->total ? 99 : (uint32_t)(snap->rows * 99 / snap->total);
}

static void
end(struct replica *replica)
{
	struct snap_in *snap = replica->snap;

	if (snap->paused)
		links_pause(replica->links, snap->peer->sid, snap->conn, false);
	tree_free(snap->tree);
	free(snap);
	replica->snap = NULL;
}

void
snap_in_force(struct replica *replica)
{
	struct snap_in *snap = replica->snap;
	struct tree *old = replica->tree;
	uint64_t upto = snap->upto;

	log_info("snapshot in force zxid=0x%" PRIx64 " nodes=%" PRIu64, snap->zxid,
	    tree_nodes(snap->tree));
	/* What they were told last has no connection to what comes now: they resume. */
	attend_kick_all(replica, "the replica's tree was replaced by the leader's");
	prep_free(replica->prep);
	replica->tree = snap->tree;
	replica->prep = prep_new(replica->tree);
	attend_forget_ended(replica);
	write_time_seen(replica, snap->time_ns);
	snap->tree = old;
	end(replica);
	recover_catch_up(replica, upto);
}

void
snap_in_abort(struct replica *replica)
{
	if (replica->snap != NULL)
		end(replica);
}
