/* Listings: offsets that need no state, entries that count. */
#include "tests/unit/fsd_harness.h"

static uint64_t
open_dir(void)
{
	struct fuse_open_in in = { .flags = O_RDONLY | O_DIRECTORY };
	struct wire_stat stat = h_stat(1, S_IFDIR | 0755);
	uint64_t unique = h_request(FUSE_OPENDIR, 1, &in, sizeof in);

	stat.parent = 0;
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	return h_fh();
}

static void
reply_list(uint64_t rid, uint64_t first, int n, bool plus)
{
	struct wire_msg msg = { .type = WIRE_T_REPLY, .reply = { .rid = rid, .zxid = 0x100 } };
	struct wire_stat dir = h_stat(1, S_IFDIR | 0755), stat;
	msgpack_sbuffer data, packed, dirpacked;
	struct wire_entry entry;
	char name[16];
	int i;

	msgpack_sbuffer_init(&data);
	msgpack_sbuffer_init(&dirpacked);
	dir.parent = 0;
	wire_stat_pack(&dirpacked, &dir);
	for (i = 0; i < n; i++) {
		msgpack_sbuffer_init(&packed);
		stat = h_stat(first + (uint64_t)i, S_IFREG | 0644);
		wire_stat_pack(&packed, &stat);
		snprintf(name, sizeof name, "n%d", (int)first + i);
		entry = (struct wire_entry){ .id = first + (uint64_t)i,
			.mode = S_IFREG | 0644,
			.name = { (const uint8_t *)name, (uint32_t)strlen(name) } };
		if (plus)
			entry.stat =
			    (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
		wire_entry_pack(&data, &entry);
		msgpack_sbuffer_destroy(&packed);
	}
	msg.reply.stat = (struct blob){ (const uint8_t *)dirpacked.data, (uint32_t)dirpacked.size };
	msg.reply.data = (struct blob){ (const uint8_t *)data.data, (uint32_t)data.size };
	h_tell(&msg);
	msgpack_sbuffer_destroy(&data);
	msgpack_sbuffer_destroy(&dirpacked);
}

static void
test_readdir(void **state)
{
	struct fuse_read_in in = { .fh = open_dir(), .size = 4096 };
	const struct fuse_dirent *entry = (const void *)answer.body;
	uint64_t unique = h_request(FUSE_READDIR, 1, &in, sizeof in);

	(void)state;
	assert_int_equal(h_expect(WIRE_T_LIST)->list.after, 0);
	assert_int_equal(h.msg.list.plus, 0);
	reply_list(h.msg.list.rid, 100, 2, false);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry->ino, 1);
	assert_memory_equal(entry->name, ".", 1);
	entry = (const void *)((const uint8_t *)entry + FUSE_DIRENT_SIZE(entry));
	assert_memory_equal(entry->name, "..", 2);
	entry = (const void *)((const uint8_t *)entry + FUSE_DIRENT_SIZE(entry));
	assert_memory_equal(entry->name, "n100", 4);
	assert_int_equal(entry->ino, 100);
	assert_int_equal(entry->type, S_IFREG >> 12);
	in.offset = entry->off;
	unique = h_request(FUSE_READDIR, 1, &in, sizeof in);
	assert_int_equal(h_expect(WIRE_T_LIST)->list.after, 100);
	reply_list(h.msg.list.rid, 101, 1, false);
	assert_int_equal(h_answer(unique), 0);
	entry = (const void *)answer.body;
	assert_memory_equal(entry->name, "n101", 4);
	assert_int_equal(answer.len, FUSE_DIRENT_SIZE(entry));
}

/* Entries that the kernel takes are known; those for which there was no room are not. */
static void
test_readdirplus(void **state)
{
	struct fuse_read_in in = { .fh = open_dir(), .size = 1024 };
	uint64_t unique = h_request(FUSE_READDIRPLUS, 1, &in, sizeof in), id;
	int known = 0;

	(void)state;
	assert_int_equal(h_expect(WIRE_T_LIST)->list.plus, 1);
	reply_list(h.msg.list.rid, 100, 20, true);
	assert_int_equal(h_answer(unique), 0);
	for (id = 100; id < 120; id++)
		known += inode_known(&h.fsd, id);
	assert_true(known > 2 && known < 8);
	assert_int_equal(inode_name_get(&h.fsd, 1, "n100"), 100);
	for (id = 100 + (uint64_t)known; id < 120; id++)
		assert_int_equal(h_expect(WIRE_T_FORGET)->forget.id, id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_readdir, h_setup, h_teardown),
		cmocka_unit_test_setup_teardown(test_readdirplus, h_setup, h_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
