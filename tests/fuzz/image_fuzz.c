/*
 * Rows of the tree's image, as a disk may hold them: each is refused or loaded
 * without harm, the results of sessions being bytes of their own format. Then
 * what was loaded is written by a pass again.
 *
 * An input: rows, each a byte that says which kind, and its fields.
 */
#include "tests/fuzz/tree_check.h"

#include "replica/lib/err.h"
#include "replica/store/store.h"

#include <sys/stat.h>

static const uint32_t kinds[] = { S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR };

static uint64_t
id(struct fuzz_input *in)
{
	uint32_t byte = fuzz_byte(in);

	return byte < 240 ? byte : TREE_ID_MAX - 254 + byte;
}

static int
node_row(struct fuzz_input *in, struct tree *tree)
{
	struct store_node row = { .id = id(in),
		.parent = id(in),
		.owner = fuzz_owner(in, 4),
		.mode = kinds[fuzz_below(in, 4)] | fuzz_u16(in),
		.czxid = fuzz_byte(in),
		.version = fuzz_byte(in),
		.mtime_ns = fuzz_byte(in) };
	uint32_t quota = fuzz_byte(in);

	/* Quotas came later than handles did. */
	row.handle = quota % 3;
	if (quota >= 128) {
		row.quota_nodes = quota % 4;
		row.quota_bytes = (int64_t)(quota >> 2) % 4 - 1;
		row.quota_hard = (quota >> 4) % 4;
	}
	row.name = fuzz_bytes(in, fuzz_byte(in) % 8);
	row.value = fuzz_bytes(in, fuzz_byte(in));
	return image_load_node(tree, &row);
}

static int
session_row(struct fuzz_input *in, struct tree *tree)
{
	struct store_session row = { .id = fuzz_below(in, 8), .timeout_ms = fuzz_u16(in) };

	row.secret = fuzz_bytes(in, fuzz_byte(in) % (WIRE_SECRET_LEN + 2));
	row.identity = fuzz_bytes(in, fuzz_byte(in));
	row.acked = fuzz_byte(in);
	row.results = fuzz_bytes(in, fuzz_u16(in));
	return image_load_session(tree, &row);
}

static void
write_all(struct tree *tree)
{
	struct image_pass *pass = image_pass_begin(tree);
	struct store_batch *batch;
	bool more;

	do {
		batch = store_batch_new();
		more = image_pass_next(tree, pass, batch, 4096);
		store_batch_free(batch);
	} while (more);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct tree *tree = tree_new();
	int code = 0;

	tree_recovery_begin(tree);
	/* Sessions come first, and the first bad row ends the process's start. */
	while (in.len > 0 && code == 0 && fuzz_below(&in, 2) == 0)
		code = session_row(&in, tree);
	while (in.len > 0 && code == 0)
		code = node_row(&in, tree);
	CHECK(code == 0 || code == ERR_PROTO);
	if (code == 0) {
		image_load_done(tree, 0, TREE_ID_MAX + 1);
		tree_check(tree);
		write_all(tree);
		if (tree_recovery_end(tree))
			tree_check_usage(tree, tree_node(tree, TREE_ROOT));
	}
	tree_free(tree);
	return 0;
}
