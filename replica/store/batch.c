/*
 * A batch of image rows: one growing buffer, filled by the tree on the loop's
 * thread, written by the image thread. And the checksum that each row carries;
 * the sum of them all is the image's digest, so that a row can't get lost.
 */
#include "replica/store/store_internal.h"

#include "replica/lib/check.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum record_type { RECORD_NODE, RECORD_NODE_GONE, RECORD_SESSION, RECORD_SESSION_GONE };

/* Followed by `size` bytes: the row, whose blobs' data are offsets there, then their bytes. */
struct record {
	enum record_type type;
	uint32_t size;
	uint64_t id;
};

struct store_batch {
	uint8_t *data;
	size_t len, space;
};

struct store_batch *
store_batch_new(void)
{
	struct store_batch *batch = calloc(1, sizeof *batch);

	CHECK(batch != NULL);
	return batch;
}

void
store_batch_free(struct store_batch *batch)
{
	free(batch->data);
	free(batch);
}

size_t
store_batch_bytes(const struct store_batch *batch)
{
	return batch->len;
}

static size_t
aligned(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

static uint8_t *
append(struct store_batch *batch, enum record_type type, uint64_t id, size_t size)
{
	struct record record = { .type = type, .size = (uint32_t)aligned(size), .id = id };
	size_t wanted = batch->len + sizeof record + record.size;
	uint8_t *at;

	if (wanted > batch->space) {
		batch->space = wanted * 2 > 65536 ? wanted * 2 : 65536;
		batch->data = realloc(batch->data, batch->space);
		CHECK(batch->data != NULL);
	}
	at = batch->data + batch->len;
	memcpy(at, &record, sizeof record);
	memset(at + sizeof record, 0, record.size);
	batch->len = wanted;
	return at + sizeof record;
}

static uint8_t *
put_blob(uint8_t *at, struct blob blob)
{
	if (blob.len != 0)
		memcpy(at, blob.data, blob.len);
	return at + blob.len;
}

void
store_batch_node(struct store_batch *batch, const struct store_node *row)
{
	uint8_t *at =
	    append(batch, RECORD_NODE, row->id, sizeof *row + row->name.len + row->value.len);

	memcpy(at, row, sizeof *row);
	at = put_blob(at + sizeof *row, row->name);
	put_blob(at, row->value);
}

void
store_batch_node_gone(struct store_batch *batch, uint64_t id)
{
	append(batch, RECORD_NODE_GONE, id, 0);
}

void
store_batch_session(struct store_batch *batch, const struct store_session *row)
{
	uint8_t *at = append(batch, RECORD_SESSION, row->id,
	    sizeof *row + row->secret.len + row->identity.len + row->results.len);

	memcpy(at, row, sizeof *row);
	at = put_blob(at + sizeof *row, row->secret);
	at = put_blob(at, row->identity);
	put_blob(at, row->results);
}

void
store_batch_session_gone(struct store_batch *batch, uint64_t id)
{
	append(batch, RECORD_SESSION_GONE, id, 0);
}

static uint64_t
sum_blob(struct blob blob, uint64_t seed)
{
	return XXH3_64bits_withSeed(blob.data, blob.len, seed);
}

/* 0 without a quota: so were rows of an older format. */
static uint64_t
quota_sum(const struct store_node *row)
{
	uint64_t numbers[] = { row->id, (uint64_t)row->quota_nodes, (uint64_t)row->quota_bytes,
		row->quota_hard };

	if (row->quota_nodes == 0 && row->quota_bytes == 0 && row->quota_hard == 0)
		return 0;
	return XXH3_64bits(numbers, sizeof numbers);
}

uint64_t
node_sum(const struct store_node *row)
{
	uint64_t numbers[] = { row->id, row->parent, row->czxid, row->mzxid, row->pzxid, row->owner,
		row->handle, row->mode, row->uid, row->gid, row->version, row->cversion,
		row->aversion, (uint64_t)row->birth_ns, (uint64_t)row->mtime_ns,
		(uint64_t)row->ctime_ns, row->name.len, row->value.len };

	return sum_blob(row->value, sum_blob(row->name, XXH3_64bits(numbers, sizeof numbers))) +
	       quota_sum(row);
}

uint64_t
session_sum(const struct store_session *row)
{
	uint64_t numbers[] = { row->id, row->acked, row->timeout_ms, row->secret.len,
		row->identity.len, row->results.len };
	uint64_t sum = XXH3_64bits(numbers, sizeof numbers);

	return sum_blob(row->results, sum_blob(row->identity, sum_blob(row->secret, sum)));
}

static void
bind_number(sqlite3_stmt *statement, int index, uint64_t number)
{
	sqlite3_bind_int64(statement, index, (sqlite3_int64)number);
}

static void
bind_blob(sqlite3_stmt *statement, int index, struct blob blob)
{
	sqlite3_bind_blob(statement, index, blob.len == 0 ? "" : (const char *)blob.data,
	    (int)blob.len, SQLITE_STATIC);
}

/* What the row that is replaced, or removed, adds to the digest. */
static void
forget(struct image *image, sqlite3_stmt *sum, uint64_t id)
{
	bind_number(sum, 1, id);
	if (db_row(image->db, sum, "reading an image row"))
		image->meta.digest -= db_number(sum, 0);
	sqlite3_reset(sum);
}

static enum db_result
write_node(struct image *image, const uint8_t *at)
{
	sqlite3_stmt *put = image->node_put;
	struct store_node row;
	uint64_t sum;

	memcpy(&row, at, sizeof row);
	row.name.data = at + sizeof row;
	row.value.data = row.name.data + row.name.len;
	sum = node_sum(&row);
	forget(image, image->node_sum, row.id);
	image->meta.digest += sum;
	bind_number(put, 1, row.id);
	bind_number(put, 2, row.parent);
	bind_blob(put, 3, row.name);
	bind_number(put, 4, row.mode);
	bind_number(put, 5, row.uid);
	bind_number(put, 6, row.gid);
	bind_number(put, 7, row.czxid);
	bind_number(put, 8, row.mzxid);
	bind_number(put, 9, row.pzxid);
	bind_number(put, 10, row.version);
	bind_number(put, 11, row.cversion);
	bind_number(put, 12, row.aversion);
	bind_number(put, 13, row.owner);
	bind_number(put, 14, row.handle);
	bind_number(put, 15, (uint64_t)row.birth_ns);
	bind_number(put, 16, (uint64_t)row.mtime_ns);
	bind_number(put, 17, (uint64_t)row.ctime_ns);
	bind_blob(put, 18, row.value);
	bind_number(put, 19, sum);
	bind_number(put, 20, (uint64_t)row.quota_nodes);
	bind_number(put, 21, (uint64_t)row.quota_bytes);
	bind_number(put, 22, row.quota_hard);
	return db_run(image->db, put, "writing an image row");
}

static enum db_result
write_session(struct image *image, const uint8_t *at)
{
	sqlite3_stmt *put = image->session_put;
	struct store_session row;
	uint64_t sum;

	memcpy(&row, at, sizeof row);
	row.secret.data = at + sizeof row;
	row.identity.data = row.secret.data + row.secret.len;
	row.results.data = row.identity.data + row.identity.len;
	sum = session_sum(&row);
	forget(image, image->session_sum, row.id);
	image->meta.digest += sum;
	bind_number(put, 1, row.id);
	bind_number(put, 2, row.timeout_ms);
	bind_number(put, 3, row.acked);
	bind_blob(put, 4, row.secret);
	bind_blob(put, 5, row.identity);
	bind_blob(put, 6, row.results);
	bind_number(put, 7, sum);
	return db_run(image->db, put, "writing an image row");
}

static enum db_result
write_gone(struct image *image, sqlite3_stmt *sum, sqlite3_stmt *gone, uint64_t id)
{
	forget(image, sum, id);
	bind_number(gone, 1, id);
	return db_run(image->db, gone, "deleting an image row");
}

enum db_result
batch_write(struct image *image, const struct store_batch *batch)
{
	enum db_result result = DB_OK;
	struct record record;
	const uint8_t *row;
	size_t at;

	for (at = 0; at < batch->len && result == DB_OK; at += sizeof record + record.size) {
		memcpy(&record, batch->data + at, sizeof record);
		row = batch->data + at + sizeof record;
		switch (record.type) {
		case RECORD_NODE:
			result = write_node(image, row);
			break;
		case RECORD_NODE_GONE:
			result = write_gone(image, image->node_sum, image->node_gone, record.id);
			break;
		case RECORD_SESSION:
			result = write_session(image, row);
			break;
		case RECORD_SESSION_GONE:
			result =
			    write_gone(image, image->session_sum, image->session_gone, record.id);
			break;
		}
	}
	return result;
}
