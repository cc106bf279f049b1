/*
 * DIR/.zab/MODIFIER/NAME: numbers, what goes to the replica, whose versions, and the handles of
 * what a sequence made. And what an ordinary file's handle expects once it has been read.
 */
#include "tests/unit/fsd_harness.h"

#define DIR 20
#define F 30
#define ZAB ino_make(INO_ZAB, DIR)

static const struct fuse_entry_out *
entry(void)
{
	return (const void *)answer.body;
}

/* DIR/.zab/TEXT, looked up. */
static uint64_t
modifier(const char *text)
{
	struct wire_stat stat = h_stat(DIR, S_IFDIR | 0750);
	uint64_t unique = h_lookup_send(ZAB, text);

	assert_int_equal(h_expect(WIRE_T_GETATTR)->getattr.id, DIR);
	h_reply(h.msg.getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry()->attr.mode, S_IFDIR | 0750);
	assert_int_equal(entry()->attr_valid, 0);
	assert_true(entry()->entry_valid > 0);
	return entry()->nodeid;
}

static void
forget(uint64_t ino, uint64_t nlookup)
{
	struct fuse_forget_in in = { .nlookup = nlookup };

	h_request(FUSE_FORGET, ino, &in, sizeof in);
	h_run_ms(1);
}

static uint64_t
owned_stat(struct wire_stat *stat, uint32_t mode, uint64_t owner)
{
	*stat = h_stat(F, mode);
	stat->owner = owner;
	return F;
}

/* NAME below a modifier, which stands there. The number that the kernel gets. */
static uint64_t
reach(uint64_t parent, const struct wire_stat *stat)
{
	uint64_t unique = h_lookup_send(parent, "f");

	assert_int_equal(h_expect(WIRE_T_LOOKUP)->lookup.parent, DIR);
	h_reply(h.msg.lookup.rid, ERR_OK, 0x100, stat, NULL);
	assert_int_equal(h_expect(WIRE_T_FORGET)->forget.id, F);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(entry()->entry_valid, 0);
	assert_int_equal(entry()->attr_valid, 0);
	assert_int_equal(entry()->attr.ino, F);
	return entry()->nodeid;
}

static uint64_t
create_send(uint64_t parent, uint32_t flags)
{
	struct fuse_create_in in = { .flags = flags | O_CREAT, .mode = S_IFREG | 0644 };

	return h_request2(FUSE_CREATE, parent, &in, sizeof in, "f", 2);
}

static uint64_t
mkdir_send(uint64_t parent)
{
	struct fuse_mkdir_in in = { .mode = 0755 };

	return h_request2(FUSE_MKDIR, parent, &in, sizeof in, "f", 2);
}

static uint64_t
setattr_send(uint64_t ino, uint64_t fh, uint32_t valid)
{
	struct fuse_setattr_in in = {
		.valid = valid | (fh == 0 ? 0 : FATTR_FH), .fh = fh, .mode = S_IFREG | 0600
	};

	return h_request(FUSE_SETATTR, ino, &in, sizeof in);
}

static void
test_numbers(void **state)
{
	uint64_t sequence = modifier("sequence"), other = modifier("version=1"), again;
	struct wire_stat stat = h_stat(DIR + 1, S_IFDIR | 0755);
	uint64_t unique;

	(void)state;
	assert_int_equal(ino_kind(sequence), INO_MODIFIER);
	assert_int_not_equal(sequence, other);
	assert_int_equal(modifier("sequence"), sequence);
	assert_int_not_equal(modifier("version=2"), other);
	assert_int_equal(modifier("sequence,held"), modifier("held,sequence"));
	assert_int_equal(modifier("ttl=60"), modifier("ttl=1min"));
	assert_int_not_equal(modifier("ttl=61"), modifier("ttl=60"));
	/* Each directory has its own. */
	unique = h_lookup_send(ino_make(INO_ZAB, DIR + 1), "sequence");
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_not_equal(entry()->nodeid, sequence);
	/* Forgotten when the kernel has given back as many as it got. */
	forget(sequence, 1);
	assert_int_equal(modifier("sequence"), sequence);
	forget(sequence, 2);
	again = modifier("sequence");
	assert_int_not_equal(again, sequence);
	assert_int_equal(h_answer(create_send(sequence, O_RDWR)), -ESTALE);
	assert_int_equal(h_answer(h_lookup_send(sequence, "f")), -ESTALE);
	assert_int_equal(h_answer(h_request(FUSE_UNLINK, sequence, "f", 2)), -ESTALE);
	assert_int_equal(h_answer(mkdir_send(sequence)), -ESTALE);
	h_nothing_sent(1);
}

static void
test_not_modifiers(void **state)
{
	uint64_t sequence = modifier("sequence"), unique;

	(void)state;
	assert_int_equal(h_answer(h_lookup_send(ZAB, "ttl=0")), -EINVAL);
	assert_int_equal(h_answer(h_lookup_send(ZAB, "version=1,held")), -EINVAL);
	assert_int_equal(h_answer(h_lookup_send(ZAB, "sequences")), -ENOENT);
	/* What a sequence makes has a name that nobody knows before; and no way leads on. */
	assert_int_equal(h_answer(h_lookup_send(sequence, "f")), -ENOENT);
	assert_int_equal(h_answer(h_lookup_send(ino_make(INO_CLUSTER, 1), "sequence")), -ENOENT);
	h_nothing_sent(1);
	/* The directory itself is gone. */
	unique = h_lookup_send(ZAB, "container");
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_NONODE, 0x100, NULL, NULL);
	assert_true(h_answer(unique) < 0);
}

static void
test_reached(void **state)
{
	uint64_t one = modifier("version=1"), two = modifier("version=2"), ttl = modifier("ttl=5");
	struct fuse_getattr_in getattr = { 0 };
	struct wire_stat stat;
	uint64_t ino, unique;

	(void)state;
	owned_stat(&stat, S_IFREG | 0644, 0);
	ino = reach(one, &stat);
	assert_int_equal(ino_kind(ino), INO_REACHED);
	assert_int_equal(reach(one, &stat), ino);
	assert_int_not_equal(reach(two, &stat), ino);
	unique = h_request(FUSE_GETATTR, ino, &getattr, sizeof getattr);
	assert_int_equal(h_expect(WIRE_T_GETATTR)->getattr.id, F);
	h_reply(h.msg.getattr.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(((struct fuse_attr_out *)(void *)answer.body)->attr_valid, 0);
	/* A file that a process before us could not keep is read as the node that it is. */
	unique = h_read_send(ino, 1, 0, 10);
	assert_int_equal(h_expect(WIRE_T_READ)->read.id, F);
	h_reply(h.msg.read.rid, ERR_OK, 0x100, &stat, "v");
	assert_int_equal(h_answer(unique), 0);
	/* A directory may have a version; nothing else qualifies what is in it. */
	owned_stat(&stat, S_IFDIR | 0755, 0);
	reach(one, &stat);
	unique = h_lookup_send(ttl, "f");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	h_expect(WIRE_T_FORGET);
	unique = h_lookup_send(ttl, "f");
	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_NONODE, 0x100, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOENT);
	/* Forgotten: whoever still means it has to look again. */
	forget(ino, 3);
	assert_int_equal(h_answer(h_open_send(ino, O_WRONLY)), -ESTALE);
	assert_int_equal(h_answer(h_request(FUSE_GETATTR, ino, &getattr, sizeof getattr)), -ESTALE);
	assert_int_equal(h_answer(setattr_send(ino, 0, FATTR_MODE)), -ESTALE);
	assert_int_equal(h_answer(h_write_send(ino, 1, O_WRONLY, 0, "x", 1)), -ESTALE);
	assert_int_equal(h_answer(h_read_send(ino, 2, 0, 10)), -ESTALE);
	h_nothing_sent(1);
}

/* What a CREATE through TEXT says, and the answer's file handle. */
static const struct wire_create *
create_through(const char *text, uint32_t flags, const char *name, uint64_t *fh)
{
	const struct fuse_open_out *open =
	    (const void *)(answer.body + sizeof(struct fuse_entry_out));
	static struct wire_create sent;
	struct wire_stat stat;
	uint64_t unique = create_send(modifier(text), flags);

	sent = h_expect(WIRE_T_CREATE)->create;
	assert_int_equal(sent.parent, DIR);
	assert_int_equal(sent.name.len, 1);
	owned_stat(&stat, S_IFREG | 0644, 0);
	stat.handle = sent.handle;
	h_reply(unique, ERR_OK, 0x101, &stat, name);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(ino_kind(entry()->nodeid), INO_REACHED);
	assert_int_equal(entry()->attr.ino, F);
	assert_int_equal(entry()->entry_valid, 0);
	h_expect(WIRE_T_FORGET);
	*fh = open->fh;
	return &sent;
}

static void
test_creations(void **state)
{
	const struct wire_create *sent;
	uint64_t fh;

	(void)state;
	sent = create_through("sequence", O_WRONLY, "f0000000007", &fh);
	assert_true(sent->flags == (WIRE_ECHO | WIRE_SEQUENCE) && sent->owner == WIRE_PERSISTENT);
	assert_int_equal(sent->handle, 0);
	sent = create_through("ttl=1500ms", O_WRONLY, "f", &fh);
	assert_true(sent->flags == WIRE_ECHO && sent->owner == WIRE_TTL && sent->handle == 1500);
	sent = create_through("sequence,ttl=2s", O_WRONLY, "f0000000007", &fh);
	assert_true(sent->flags == (WIRE_ECHO | WIRE_SEQUENCE) && sent->owner == WIRE_TTL);
	assert_int_equal(sent->handle, 2000);
	sent = create_through("ephemeral,sequence", O_WRONLY, "f0000000007", &fh);
	assert_true(sent->flags == (WIRE_ECHO | WIRE_SEQUENCE) && sent->owner == WIRE_EPHEMERAL);
	assert_int_equal(sent->handle, 0);
	assert_int_equal(h_answer(h_release_send(ino_make(INO_ALIAS, F), fh, O_WRONLY)), 0);
	h_nothing_sent(1);
	sent = create_through("held,sequence", O_RDWR, "f0000000007", &fh);
	assert_true(sent->flags == (WIRE_ECHO | WIRE_SEQUENCE) && sent->owner == WIRE_HELD);
	assert_int_equal(sent->handle, fh);
	h_release_send(entry()->nodeid, fh, O_RDWR);
	assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, F);
}

static void
test_directories(void **state)
{
	struct wire_stat stat;
	uint64_t unique;

	(void)state;
	owned_stat(&stat, S_IFDIR | 0755, WIRE_OWNER_CONTAINER);
	unique = mkdir_send(modifier("container"));
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.owner, WIRE_CONTAINER);
	assert_int_equal(h.msg.create.mode, S_IFDIR | 0755);
	assert_int_equal(h.msg.create.flags, WIRE_ECHO);
	h_reply(unique, ERR_OK, 0x101, &stat, "f");
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(ino_kind(entry()->nodeid), INO_REACHED);
	h_expect(WIRE_T_FORGET);
	unique = mkdir_send(modifier("sequence,ttl=5"));
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.owner, WIRE_TTL);
	assert_int_equal(h.msg.create.flags, WIRE_ECHO | WIRE_SEQUENCE);
	h_reply(unique, ERR_OK, 0x101, &stat, "f0000000001");
	assert_int_equal(h_answer(unique), 0);
	h_expect(WIRE_T_FORGET);
	unique = h_request2(FUSE_SYMLINK, modifier("sequence"), "f", 2, "target", 7);
	assert_int_equal(h_expect(WIRE_T_CREATE)->create.mode, S_IFLNK | 0777);
	assert_int_equal(h.msg.create.value.len, 6);
	h_reply(unique, ERR_EXISTS, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -EEXIST);

	assert_int_equal(h_answer(mkdir_send(modifier("sequence,held"))), -EINVAL);
	assert_int_equal(h_answer(mkdir_send(modifier("sequence,ephemeral"))), -EINVAL);
	assert_int_equal(h_answer(mkdir_send(modifier("version=1"))), -ENOENT);
	assert_int_equal(h_answer(create_send(modifier("container"), O_WRONLY)), -EINVAL);
	assert_int_equal(h_answer(create_send(modifier("version=1"), O_WRONLY)), -ENOENT);
	assert_int_equal(
	    h_answer(h_request2(FUSE_SYMLINK, modifier("sequence,held"), "f", 2, "target", 7)),
	    -EINVAL);
	h_nothing_sent(1);
}

/* Somebody has that name: of a sequence it is nobody's, of others only the same kind's. */
static void
test_exists(void **state)
{
	struct wire_stat stat;
	uint64_t ttl = modifier("ttl=5"), unique = create_send(modifier("sequence"), O_RDWR);

	(void)state;
	h_reply(h_expect(WIRE_T_CREATE)->create.rid, ERR_EXISTS, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -EEXIST);
	h_nothing_sent(1);
	/* Looked up again by the kernel, and opened. */
	owned_stat(&stat, S_IFREG | 0644, WIRE_OWNER_TTL | 5000);
	unique = h_open_send(reach(ttl, &stat), O_WRONLY);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	stat.owner++;
	unique = h_open_send(reach(ttl, &stat), O_WRONLY);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), -EEXIST);
	/* Reading is no change. */
	unique = h_open_send(reach(ttl, &stat), O_RDONLY);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x101, &stat, "x");
	assert_int_equal(h_answer(unique), 0);
}

static void
read_is(uint64_t ino, uint64_t fh, uint64_t offset, uint32_t size, const char *text)
{
	assert_int_equal(h_answer(h_read_send(ino, fh, offset, size)), 0);
	h_body_is(text);
}

static void
write_goes_to(uint64_t ino, uint64_t fh, uint64_t offset, size_t len, uint64_t at)
{
	struct wire_stat stat;
	uint64_t unique = h_write_send(ino, fh, O_RDWR, offset, "0123456789", len);

	owned_stat(&stat, S_IFREG | 0644, 0);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.how, WIRE_AT);
	assert_int_equal(h.msg.write.offset, at);
	assert_int_equal(h.msg.write.data.len, len);
	assert_int_equal(h.msg.write.id, F);
	assert_int_equal(h.msg.write.flags, WIRE_ECHO);
	assert_int_equal(h.msg.write.version, -1);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	h_expect(WIRE_T_FORGET);
}

/* bash reads where its last write ended, and writes where its last read did (fact 17). */
static void
test_sequence_positions(void **state)
{
	uint64_t fh, ino, unique;

	(void)state;
	create_through("sequence", O_RDWR, "f0000000007", &fh);
	ino = entry()->nodeid;
	read_is(ino, fh, 0, 4096, "f0000000007\n");
	read_is(ino, fh, 12, 4096, "");
	write_goes_to(ino, fh, 12, 8, 0);
	/* After a write it can be read again, wherever the position is. */
	read_is(ino, fh, 20, 5, "f0000");
	read_is(ino, fh, 25, 4096, "000007\n");
	read_is(ino, fh, 32, 4096, "");
	write_goes_to(ino, fh, 32, 3, 8);
	write_goes_to(ino, fh, 35, 3, 11);
	write_goes_to(ino, fh, 0, 4, 0); /* who goes to the beginning means it */
	write_goes_to(ino, fh, 4, 4, 4);
	read_is(ino, fh, 8, 2, "f0");
	read_is(ino, fh, 0, 4096, "f0000000007\n");
	h_nothing_sent(1);
	/* What failed has moved nothing. */
	unique = h_write_send(ino, fh, O_RDWR, 99, "x", 1);
	h_reply(h_expect(WIRE_T_WRITE)->write.rid, ERR_NOSPC, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ENOSPC);
	write_goes_to(ino, fh, 99, 1, 8);
	unique = h_write_send(ino, fh, O_RDWR | O_APPEND, 0, "x", 1);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.how, WIRE_APPEND);
}

static void
test_removals(void **state)
{
	uint64_t version = modifier("version=3"), ttl = modifier("ttl=5"), unique;
	struct wire_stat stat;
	int i;

	(void)state;
	assert_int_equal(h_answer(h_request(FUSE_UNLINK, modifier("sequence"), "f", 2)), -ENOENT);
	h_nothing_sent(1);
	for (i = 0; i < 2; i++) {
		unique = h_request(i == 0 ? FUSE_UNLINK : FUSE_RMDIR, version, "f", 2);
		assert_int_equal(h_expect(WIRE_T_DELETE)->delete.parent, DIR);
		assert_int_equal(h.msg.delete.version, 3);
		assert_int_equal(h.msg.delete.id, 0);
		assert_int_equal(h.msg.delete.dir, i);
		assert_int_equal(h.msg.delete.flags, WIRE_ECHO);
		h_reply(unique, i == 0 ? ERR_BADVERSION : ERR_OK, 0x101, NULL, NULL);
		assert_int_equal(h_answer(unique), i == 0 ? -ECANCELED : 0);
	}
	assert_int_equal(h.echo_owned, 0);
	/* Only what it would have made. */
	for (i = 0; i < 2; i++) {
		owned_stat(&stat, S_IFREG | 0644, WIRE_OWNER_TTL | (i == 0 ? 5000 : 6000));
		unique = h_request(FUSE_UNLINK, ttl, "f", 2);
		h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x101, &stat, NULL);
		if (i == 0) {
			assert_int_equal(h_expect(WIRE_T_DELETE)->delete.id, F);
			assert_int_equal(h.msg.delete.version, -1);
			h_reply(unique, ERR_OK, 0x101, NULL, NULL);
		}
		h_expect(WIRE_T_FORGET);
		assert_int_equal(h_answer(unique), i == 0 ? 0 : -EPERM);
	}
}

static void
test_attributes(void **state)
{
	uint64_t version = modifier("version=3"), ttl = modifier("ttl=5"), unique, ino;
	struct wire_stat stat;

	(void)state;
	owned_stat(&stat, S_IFREG | 0644, 0);
	ino = reach(version, &stat);
	unique = setattr_send(ino, 0, FATTR_MODE);
	assert_int_equal(h_expect(WIRE_T_SETATTR)->setattr.id, F);
	assert_int_equal(h.msg.setattr.version, 3);
	assert_int_equal(h.msg.setattr.flags, WIRE_ECHO);
	h_reply(unique, ERR_BADVERSION, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ECANCELED);
	unique = setattr_send(reach(ttl, &stat), 0, FATTR_MODE);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), -EPERM);
	stat.owner = WIRE_OWNER_TTL | 5000;
	unique = setattr_send(reach(ttl, &stat), 0, FATTR_MODE);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_expect(WIRE_T_SETATTR)->setattr.version, -1);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
}

/* The version that a write through this handle is for, and what becomes of it. */
static int
write_for(uint64_t ino, uint64_t fh, int flags, int64_t version, int code, uint32_t next)
{
	struct wire_stat stat;
	uint64_t unique = h_write_send(ino, fh, flags, 0, "x", 1);

	owned_stat(&stat, S_IFREG | 0644, 0);
	stat.version = next;
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.version, version);
	assert_int_equal(h.msg.write.id, F);
	h_reply(unique, code, 0x101, code == ERR_OK ? &stat : NULL, NULL);
	/* Not of what is known by its own number. */
	if (code == ERR_OK && ino != F)
		h_expect(WIRE_T_FORGET);
	return h_answer(unique);
}

/* A value of that version, read from the replica. */
static void
read_version(uint64_t ino, uint64_t fh, uint32_t version)
{
	struct wire_stat stat;
	uint64_t unique = h_read_send(ino, fh, 0, 100);

	owned_stat(&stat, S_IFREG | 0644, 0);
	stat.version = version;
	assert_int_equal(h_expect(WIRE_T_READ)->read.id, F);
	h_reply(h.msg.read.rid, ERR_OK, 0x101, &stat, "value");
	assert_int_equal(h_answer(unique), 0);
	h_body_is("value");
}

static uint64_t
open_versioned(uint64_t *ino, int flags)
{
	struct wire_stat stat;
	uint64_t unique;

	owned_stat(&stat, S_IFREG | 0644, 0);
	stat.version = 8;
	*ino = reach(modifier("version=3"), &stat);
	unique = h_open_send(*ino, flags);
	h_reply(h_expect(WIRE_T_GETATTR)->getattr.rid, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	return h_fh();
}

/* What was said counts, not what was read; then what was written. */
static void
test_version(void **state)
{
	uint64_t ino, fh = open_versioned(&ino, O_RDWR), unique;
	struct wire_stat stat;

	(void)state;
	read_version(ino, fh, 8);
	assert_int_equal(write_for(ino, fh, O_RDWR, 3, ERR_BADVERSION, 0), -ECANCELED);
	assert_int_equal(write_for(ino, fh, O_RDWR, 3, ERR_OK, 4), 0);
	assert_int_equal(write_for(ino, fh, O_RDWR | O_APPEND, 4, ERR_OK, 5), 0);
	owned_stat(&stat, S_IFREG | 0644, 0);
	stat.version = 6;
	unique = setattr_send(ino, fh, FATTR_SIZE);
	assert_int_equal(h_expect(WIRE_T_SETATTR)->setattr.version, 5);
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	h_expect(WIRE_T_FORGET);
	assert_int_equal(write_for(ino, fh, O_RDWR, 6, ERR_OK, 7), 0);
	unique = setattr_send(ino, fh, FATTR_MODE);
	assert_int_equal(h_expect(WIRE_T_SETATTR)->setattr.version, 7);
	h_reply(unique, ERR_BADVERSION, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ECANCELED);
}

static void
test_version_truncated(void **state)
{
	uint64_t ino, fh = open_versioned(&ino, O_WRONLY | O_TRUNC), unique;

	(void)state;
	/* Its first write replaces, and is for that version. */
	unique = h_write_send(ino, fh, O_WRONLY, 0, "x", 1);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.version, 3);
	assert_int_equal(h.msg.write.how, WIRE_REPLACE);
	h_reply(unique, ERR_BADVERSION, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), -ECANCELED);
	assert_int_equal(h_answer(h_release_send(ino, fh, O_WRONLY | O_TRUNC)), 0);
	h_nothing_sent(1);
	/* Without a write, the close. */
	fh = open_versioned(&ino, O_WRONLY | O_TRUNC);
	unique = h_release_send(ino, fh, O_WRONLY | O_TRUNC);
	assert_int_equal(h_expect(WIRE_T_WRITE)->write.version, 3);
	assert_int_equal(h.msg.write.how, WIRE_REPLACE);
	assert_int_equal(h.msg.write.data.len, 0);
	h_reply(unique, ERR_OK, 0x101, NULL, NULL);
	assert_int_equal(h_answer(unique), 0);
}

static int
setup_known(void **state)
{
	h_setup(state);
	h_known(F, S_IFREG | 0644, "f");
	return 0;
}

static uint64_t
open_known(int flags)
{
	assert_int_equal(h_answer(h_open_send(F, flags)), 0);
	return h_fh();
}

/* Who has read, and may write, writes only if that is still what is there. */
static void
test_read_then_written(void **state)
{
	uint64_t fh = open_known(O_RDWR), unique;
	struct wire_stat stat;

	(void)state;
	assert_int_equal(write_for(F, fh, O_RDWR, -1, ERR_OK, 4), 0);
	read_version(F, fh, 5);
	assert_int_equal(write_for(F, fh, O_RDWR, 5, ERR_OK, 6), 0);
	assert_int_equal(write_for(F, fh, O_RDWR, 6, ERR_BADVERSION, 0), -ECANCELED);
	assert_int_equal(write_for(F, fh, O_RDWR, 6, ERR_BADVERSION, 0), -ECANCELED);
	read_version(F, fh, 9);
	/* Neither mode nor owner are what was read. */
	owned_stat(&stat, S_IFREG | 0600, 0);
	unique = setattr_send(F, fh, FATTR_MODE);
	assert_int_equal(h_expect(WIRE_T_SETATTR)->setattr.version, -1);
	stat.version = 9;
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	unique = setattr_send(F, fh, FATTR_SIZE);
	assert_int_equal(h_expect(WIRE_T_SETATTR)->setattr.version, 9);
	stat.version = 10;
	h_reply(unique, ERR_OK, 0x101, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
	assert_int_equal(write_for(F, fh, O_RDWR, 10, ERR_OK, 11), 0);
	/* truncate(2) by name is not this file's. */
	unique = setattr_send(F, 0, FATTR_SIZE);
	assert_int_equal(h_expect(WIRE_T_SETATTR)->setattr.version, -1);
}

/* Read from what is kept here is read, too. */
static void
test_read_from_the_cache(void **state)
{
	struct wire_stat stat;
	uint64_t fh = open_known(O_RDWR), unique;

	(void)state;
	owned_stat(&stat, S_IFREG | 0644, 0);
	stat.version = 7;
	unique = h_open_send(F, O_RDONLY);
	h_reply(h_expect(WIRE_T_READ)->read.rid, ERR_OK, 0x100, &stat, "value");
	assert_int_equal(h_answer(unique), 0);
	read_is(F, fh, 0, 100, "value");
	h_nothing_sent(1);
	assert_int_equal(write_for(F, fh, O_RDWR, 7, ERR_OK, 8), 0);
}

static void
test_not_expected(void **state)
{
	uint64_t fh = open_known(O_RDWR | O_APPEND);

	(void)state;
	/* An append is to whatever is there. */
	read_version(F, fh, 5);
	assert_int_equal(write_for(F, fh, O_RDWR | O_APPEND, -1, ERR_OK, 6), 0);
	/* What waits to be truncated is replaced, whatever it is; afterwards it is its own. */
	fh = open_known(O_RDWR | O_TRUNC);
	read_version(F, fh, 6);
	assert_int_equal(write_for(F, fh, O_RDWR, -1, ERR_OK, 7), 0);
	assert_int_equal(write_for(F, fh, O_RDWR, -1, ERR_OK, 8), 0);
	read_version(F, fh, 9);
	assert_int_equal(write_for(F, fh, O_RDWR, 9, ERR_OK, 10), 0);
}

/* The name of what a sequence made says nothing of its value. */
static void
test_name_is_no_value(void **state)
{
	uint64_t fh, ino;

	(void)state;
	create_through("sequence", O_RDWR, "f0000000007", &fh);
	ino = entry()->nodeid;
	read_is(ino, fh, 0, 100, "f0000000007\n");
	assert_int_equal(write_for(ino, fh, O_RDWR, -1, ERR_OK, 1), 0);
}

/* Who may create in a directory may do it through each of its modifiers. */
static void
test_mode_follows(void **state)
{
	uint64_t sequence, version;

	(void)state;
	sequence = modifier("sequence");
	version = modifier("version=3");
	h_known(DIR, S_IFDIR | 0755, "d");
	h_change(WIRE_ATTR, 0x101, DIR, S_IFDIR | 0700, "d");
	h_run_ms(2);
	assert_false(h_packet());
	assert_true(h_notified(sequence) && h_notified(version));
	forget(version, 1);
	h.nnotified = 0;
	h_change(WIRE_ATTR, 0x102, DIR, S_IFDIR | 0755, "d");
	h_run_ms(2);
	assert_false(h_packet());
	assert_true(h_notified(sequence) && !h_notified(version));
}

#define IN_SESSION(test) cmocka_unit_test_setup_teardown(test, h_setup, h_teardown)
#define OF_KNOWN(test) cmocka_unit_test_setup_teardown(test, setup_known, h_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SESSION(test_numbers),
		IN_SESSION(test_not_modifiers),
		IN_SESSION(test_reached),
		IN_SESSION(test_creations),
		IN_SESSION(test_directories),
		IN_SESSION(test_exists),
		IN_SESSION(test_sequence_positions),
		IN_SESSION(test_removals),
		IN_SESSION(test_attributes),
		IN_SESSION(test_version),
		IN_SESSION(test_version_truncated),
		OF_KNOWN(test_read_then_written),
		OF_KNOWN(test_read_from_the_cache),
		OF_KNOWN(test_not_expected),
		IN_SESSION(test_name_is_no_value),
		IN_SESSION(test_mode_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
