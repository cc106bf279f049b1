/*
 * What a member that leads says of the history: rows that the real request
 * processor makes, and a snapshot, of the tree as the replica has it with what
 * is on its way. So what it commits can be applied; lies about that end the
 * process (replica/zab/README.md). Included by member_auto.h.
 */
#ifndef ZABFS_TESTS_FUZZ_MEMBER_MODEL_H
#define ZABFS_TESTS_FUZZ_MEMBER_MODEL_H

#include "tests/fuzz/member_rival.h"

#include "replica/tree/prep.h"

struct model {
	struct tree *tree;
	struct prep *prep;
	msgpack_zone *zone;
};

static inline void
model_apply(struct model *model, uint64_t zxid, struct blob payload)
{
	struct txn txn;

	CHECK(txn_unpack(payload, zxid, model->zone, &txn) == 0);
	tree_apply(model->tree, &txn);
	CHECK(tree_fits(model->tree));
	msgpack_zone_clear(model->zone);
}

struct model_rows {
	struct model *model;
	uint64_t upto;
};

static inline bool
model_row(void *arg, uint64_t zxid, uint64_t prev_zxid, struct blob payload)
{
	struct model_rows *rows = arg;

	(void)prev_zxid;
	if (zxid > rows->upto)
		return false;
	model_apply(rows->model, zxid, payload);
	return true;
}

/* The replica's tree, the rows that it has and keeps, and those of this attempt. */
static inline void
model_make(const struct rival *rival, struct model *model)
{
	struct model_rows rows = { model, rival->rows_after };
	uint64_t applied = tree_applied(replica->tree);
	struct store_session session = { 0 };
	struct store_node node = { 0 };
	msgpack_sbuffer results;
	uint32_t i;

	model->zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	model->tree = tree_new();
	tree_recovery_begin(model->tree);
	msgpack_sbuffer_init(&results);
	while (image_next_session(replica->tree, session.id, &results, &session))
		CHECK(image_load_session(model->tree, &session) == 0);
	while (image_next_node(replica->tree, node.id, &node))
		CHECK(image_load_node(model->tree, &node) == 0);
	msgpack_sbuffer_destroy(&results);
	/* A snapshot that is on its way has the number that it was given. */
	if (rival->nrows != 0 && rival->rows[0].zxid <= applied && replica->snap != NULL)
		applied = rival->rows[0].zxid - 1;
	image_load_done(model->tree, applied, tree_next_id(replica->tree));
	if (rows.upto > applied)
		CHECK(rows_read(replica, applied, model_row, &rows));
	for (i = 0; i < rival->nrows; i++)
		if (rival->rows[i].zxid > applied)
			model_apply(model, rival->rows[i].zxid,
			    (struct blob){ (const uint8_t *)rival->rows[i].payload.data,
				(uint32_t)rival->rows[i].payload.size });
	if (replica->catch_up == 0)
		CHECK(tree_recovery_end(model->tree));
	model->prep = prep_new(model->tree);
}

static inline void
model_free(struct model *model)
{
	prep_free(model->prep);
	tree_free(model->tree);
	msgpack_zone_free(model->zone);
}

/* The next row of its history; 0: none, its epoch is not begun. */
static inline uint64_t
model_next(const struct rival *rival)
{
	if (rival->lead_epoch == 0 || rival->foreign || rival->nrows == ROWS_SENT_MAX)
		return 0;
	if (zab_zxid_epoch(rival->sent) == rival->lead_epoch)
		return rival->sent + 1;
	return zab_zxid(rival->lead_epoch, 1);
}

static inline void
model_send(struct rival *rival, const struct txn *txn)
{
	msgpack_sbuffer *payload = &rival->rows[rival->nrows].payload;
	struct wire_msg msg = { .type = WIRE_T_ZAB,
		.zab = { .type = ZAB_ROW,
		    .attempt = rival->attempt,
		    .zxid = txn->zxid,
		    .prev = rival->sent } };

	if (payload->data == NULL)
		msgpack_sbuffer_init(payload);
	msgpack_sbuffer_clear(payload);
	txn_pack(payload, txn);
	msg.zab.payload = (struct blob){ (const uint8_t *)payload->data, (uint32_t)payload->size };
	rival->rows[rival->nrows++].zxid = rival->sent = txn->zxid;
	rival_say_true(rival, &msg);
}

/* A write, a session's opening or its end; false: no row came of it. */
static inline bool
model_write(struct rival *rival, uint64_t session, const struct wire_msg *msg)
{
	uint64_t zxid = model_next(rival);
	struct txn txn = { 0 };
	struct model model;
	bool made = false;
	int code;

	if (zxid == 0)
		return false;
	model_make(rival, &model);
	if (msg->type == WIRE_T_OPEN) {
		prep_session_open(model.prep, zxid, 1, msg->open.secret.data, TIMEOUT_MS_MAX,
		    msg->open.identity, model.zone, &txn);
		made = true;
	} else if (msg->type == WIRE_T_CLOSE) {
		made = prep_session_close(model.prep, zxid, 1, session, false, model.zone, &txn);
	} else if (wire_is_write(msg->type)) {
		made = prep_write(model.prep, session, msg, zxid, 1, conf.value_max, model.zone,
			   &txn, &code) == PREP_PROPOSE;
	}
	if (made)
		model_send(rival, &txn);
	model_free(&model);
	return made;
}

/* A row that changes nothing. */
static inline void
model_nothing(struct rival *rival)
{
	struct txn txn = { .zxid = model_next(rival) };

	if (txn.zxid != 0)
		model_send(rival, &txn);
}

/* The snapshot. */

#define PACK_BLOB(pk, blob)                                                                        \
	do {                                                                                       \
		msgpack_pack_bin(pk, (blob).len);                                                  \
		msgpack_pack_bin_body(pk, (blob).data, (blob).len);                                \
	} while (0)

static inline void
model_pack_session(msgpack_packer *pk, const struct store_session *row)
{
	msgpack_pack_array(pk, 6);
	msgpack_pack_uint64(pk, row->id);
	msgpack_pack_uint64(pk, row->acked);
	msgpack_pack_uint32(pk, row->timeout_ms);
	PACK_BLOB(pk, row->secret);
	PACK_BLOB(pk, row->identity);
	PACK_BLOB(pk, row->results);
}

static inline void
model_pack_node(msgpack_packer *pk, const struct store_node *row)
{
	uint64_t numbers[] = { row->id, row->parent, row->czxid, row->mzxid, row->pzxid, row->owner,
		row->handle, row->mode, row->uid, row->gid, row->version, row->cversion,
		row->aversion };
	size_t i;

	msgpack_pack_array(pk, 21);
	for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		msgpack_pack_uint64(pk, numbers[i]);
	msgpack_pack_int64(pk, row->birth_ns);
	msgpack_pack_int64(pk, row->mtime_ns);
	msgpack_pack_int64(pk, row->ctime_ns);
	msgpack_pack_int64(pk, row->quota_nodes);
	msgpack_pack_int64(pk, row->quota_bytes);
	msgpack_pack_uint32(pk, row->quota_hard);
	PACK_BLOB(pk, row->name);
	PACK_BLOB(pk, row->value);
}

/* How a piece is not as it should be. */
enum piece_fault {
	PIECE_WHOLE,
	PIECE_BAD_NODE,
	PIECE_BAD_SESSION,
	PIECE_TWICE,
	PIECE_CUT,
	PIECE_EMPTY,
	PIECE_FAULTS
};

/* The replica's own tree, as one piece. */
static inline void
model_piece(
    struct rival *rival, const struct wire_piece *piece, enum piece_fault fault, uint32_t how)
{
	struct wire_msg msg = { .type = WIRE_T_PIECE, .piece = *piece };
	struct store_session session = { 0 }, bad_session = { .id = how % 2 };
	struct store_node node = { 0 }, bad = { .id = 9999, .parent = how % 3, .mode = how * 4096 };
	msgpack_sbuffer rows, results;
	msgpack_packer pk;

	msgpack_sbuffer_init(&rows);
	msgpack_sbuffer_init(&results);
	msgpack_packer_init(&pk, &rows, msgpack_sbuffer_write);
	while (fault != PIECE_EMPTY &&
	       image_next_session(replica->tree, session.id, &results, &session))
		model_pack_session(&pk, &session);
	while (fault != PIECE_EMPTY && image_next_node(replica->tree, node.id, &node)) {
		model_pack_node(&pk, &node);
		if (fault == PIECE_TWICE && node.id != TREE_ROOT)
			model_pack_node(&pk, &node);
	}
	if (fault == PIECE_BAD_NODE)
		model_pack_node(&pk, &bad);
	if (fault == PIECE_BAD_SESSION)
		model_pack_session(&pk, &bad_session);
	if (fault == PIECE_CUT && rows.size != 0)
		rows.size -= 1 + how % 8 % rows.size;
	if (rows.size <= WIRE_PIECE_MAX) {
		msg.piece.rows = (struct blob){ (const uint8_t *)rows.data, (uint32_t)rows.size };
		rival_say_true(rival, &msg);
	}
	msgpack_sbuffer_destroy(&rows);
	msgpack_sbuffer_destroy(&results);
}

#endif
