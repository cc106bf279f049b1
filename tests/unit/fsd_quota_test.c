/* `DIR/.zab/quota`: the words of one, what is read, what is written in one piece or several. */
#include "tests/unit/fsd_harness.h"

#include "fsd/zab.h"

#define DIR 20
#define QUOTA ino_make(INO_QUOTA, DIR)

static void
parses(const char *text, int64_t nodes, int64_t bytes, uint32_t hard)
{
	struct wire_quota quota = { 0 };

	assert_int_equal(quota_parse(text, &quota), 0);
	assert_int_equal(quota.nodes, nodes);
	assert_int_equal(quota.bytes, bytes);
	assert_int_equal(quota.hard, hard);
}

static void
test_words(void **state)
{
	static const char *const bad[] = { "nodes", "nodes\n", "nodes 0", "nodes -1", "nodes +1",
		"nodes 1x", "nodes 1 nodes 1", "nodes - nodes 2", "bytes 1 bytes -", "hard", "soft",
		"hard soft", "nodes 1 hard hard", "nodes 1 soft hard", "nodes - hard", "none none",
		"none nodes 1", "nodes 1 none", "none soft", "bytes 9223372036854775808",
		"bytes 99999999999999999999999", "nodes 1,", "Nodes 1", "nodes 1 limit hard", "-",
		"1", "nodes bytes" };
	struct wire_quota quota;
	size_t i;

	(void)state;
	parses("nodes 100 bytes 1048576 hard\n", 100, 1048576, 1);
	parses("soft\nbytes 7\n\nnodes\t3", 3, 7, 0);
	parses("  nodes 1", 1, 0, 1);
	parses("bytes 9223372036854775807 soft", 0, INT64_MAX, 0);
	parses("nodes 5 bytes -", 5, 0, 1);
	parses("", 0, 0, 0);
	parses(" \n", 0, 0, 0);
	parses("none\n", 0, 0, 0);
	parses("nodes - bytes -", 0, 0, 0);
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		quota = (struct wire_quota){ 0 };
		if (quota_parse(bad[i], &quota) != EINVAL)
			fail_msg("\"%s\" is taken", bad[i]);
	}
}

static void
answer_usage(const struct wire_used *used)
{
	struct wire_stat stat = h_stat(DIR, S_IFDIR | 0755);
	msgpack_sbuffer packed;

	assert_int_equal(h_expect(WIRE_T_USAGE)->usage.id, DIR);
	msgpack_sbuffer_init(&packed);
	wire_used_pack(&packed, used);
	h_reply_packed(h.msg.usage.rid, &stat, &packed);
	msgpack_sbuffer_destroy(&packed);
}

static void
test_reading(void **state)
{
	uint64_t unique = h_open_send(QUOTA, O_RDONLY), fh;

	(void)state;
	answer_usage(&(struct wire_used){ .nodes = 3, .bytes = 70 });
	assert_int_equal(h_answer(unique), 0);
	fh = h_fh();
	assert_int_equal(h_answer(h_read_send(QUOTA, fh, 0, 4096)), 0);
	h_body_is("nodes -\nbytes -\nlimit -\nnodes_used 3\nbytes_used 70\n");
	/* Anew from the start. */
	unique = h_read_send(QUOTA, fh, 0, 4096);
	answer_usage(&(struct wire_used){
	    .nodes_max = 10, .bytes_max = INT64_MAX, .hard = 1, .nodes = 4, .bytes = 71 });
	assert_int_equal(h_answer(unique), 0);
	h_body_is("nodes 10\nbytes 9223372036854775807\nlimit hard\nnodes_used 4\nbytes_used 71\n");
	unique = h_read_send(QUOTA, fh, 0, 4096);
	answer_usage(&(struct wire_used){ .bytes_max = 5, .nodes = 4 });
	assert_int_equal(h_answer(unique), 0);
	h_body_is("nodes -\nbytes 5\nlimit soft\nnodes_used 4\nbytes_used 0\n");
	/* Rubbish is no text. */
	unique = h_read_send(QUOTA, fh, 0, 4096);
	h_expect(WIRE_T_USAGE);
	h_reply(h.msg.usage.rid, ERR_OK, 0x106, &(struct wire_stat){ .id = DIR }, "rubbish");
	assert_int_equal(h_answer(unique), -EPROTO);
	/* The directory is gone. */
	unique = h_open_send(QUOTA, O_RDONLY);
	h_reply(h_expect(WIRE_T_USAGE)->usage.rid, ERR_NONODE, 0x106, NULL, NULL);
	assert_int_equal(h_answer(unique), -ESTALE);
}

/* The replica is to be asked for this, and says `code`. */
static void
writes(uint64_t fh, uint64_t offset, const char *text, const struct wire_quota *wanted, int code)
{
	uint64_t unique = h_write_send(QUOTA, fh, O_WRONLY, offset, text, strlen(text));

	assert_int_equal(h_expect(WIRE_T_QUOTA)->quota.id, DIR);
	assert_int_equal(h.msg.quota.nodes, wanted->nodes);
	assert_int_equal(h.msg.quota.bytes, wanted->bytes);
	assert_int_equal(h.msg.quota.hard, wanted->hard);
	assert_true(h.msg.quota.rid != 0);
	h_reply(h.msg.quota.rid, code, 0x107, NULL, NULL);
	assert_int_equal(h_answer(unique), -err_errno(code));
}

static void
refuses(uint64_t fh, uint64_t offset, const char *text, size_t len)
{
	assert_int_equal(h_answer(h_write_send(QUOTA, fh, O_WRONLY, offset, text, len)), -EINVAL);
}

static void
test_writing(void **state)
{
	static char long_text[300];
	uint64_t fh;

	(void)state;
	memset(long_text, ' ', sizeof long_text);
	assert_int_equal(h_answer(h_open_send(QUOTA, O_WRONLY | O_TRUNC)), 0);
	fh = h_fh();
	writes(fh, 0, "nodes 4 soft\n", &(struct wire_quota){ .nodes = 4 }, ERR_OK);
	/* Each line by itself: all of them count. */
	writes(fh, 0, "nodes 5\n", &(struct wire_quota){ .nodes = 5, .hard = 1 }, ERR_OK);
	writes(
	    fh, 8, "bytes 9\n", &(struct wire_quota){ .nodes = 5, .bytes = 9, .hard = 1 }, ERR_OK);
	writes(fh, 16, "soft\n", &(struct wire_quota){ .nodes = 5, .bytes = 9 }, ERR_OK);
	/* What is not understood has ended that. */
	refuses(fh, 21, "rubbish\n", 8);
	refuses(fh, 29, "soft\n", 5);
	writes(fh, 0, "none\n", &(struct wire_quota){ 0 }, ERR_OK);
	writes(fh, 0, "\n", &(struct wire_quota){ 0 }, ERR_OK);
	refuses(fh, 0, "nodes 1\0nodes", 13);
	refuses(fh, 0, long_text, sizeof long_text);
	/* What the replica says. */
	writes(fh, 0, "bytes 3", &(struct wire_quota){ .bytes = 3, .hard = 1 }, ERR_INVAL);
	writes(fh, 0, "bytes 3", &(struct wire_quota){ .bytes = 3, .hard = 1 }, ERR_NONODE);
	h_answer(h_release_send(QUOTA, fh, O_WRONLY | O_TRUNC));
	h_nothing_sent(20);
}

static void
test_attributes(void **state)
{
	struct wire_stat stat = h_stat(DIR, S_IFDIR | 0700);
	const struct fuse_entry_out *entry = (const void *)answer.body;
	uint64_t unique = h_lookup_send(ino_make(INO_ZAB, DIR), "quota");

	(void)state;
	stat.uid = 33;
	assert_int_equal(h_expect(WIRE_T_GETATTR)->getattr.id, DIR);
	h_reply(h.msg.getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry->nodeid, QUOTA);
	/* The owner of the directory, whatever its mode. */
	assert_int_equal(entry->attr.mode, S_IFREG | 0644);
	assert_int_equal(entry->attr.uid, 33);
	assert_int_equal(entry->entry_valid, 0);
	assert_int_equal(entry->attr_valid, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test_setup_teardown(test_reading, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_writing, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_attributes, h_setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
