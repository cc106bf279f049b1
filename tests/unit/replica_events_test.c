/*
 * EVENTS asked of a running replica: from now on, from the log, what is lost, moves, directories
 * that are gone, more than a reply holds, bounds, and waits that end. And what a MULTI is answered,
 * the first time, again, and when the log has its row no longer.
 */
#include "tests/unit/replica_harness.h"

#define STREAM 5

static struct client client, reader;
static uint64_t rid;
static uint64_t begin; /* of the reader's paths */
static size_t taken;   /* of the reader's answers */
static char wanted[4096];

static int
setup_all(void **state)
{
	if (setup(state) != 0)
		return -1;
	client_open(&client);
	client_open(&reader);
	rid = taken = 0;
	begin = TREE_ROOT;
	return 0;
}

static int
teardown_all(void **state)
{
	if (client.conn != NULL)
		conn_free(client.conn);
	if (reader.conn != NULL)
		conn_free(reader.conn);
	return teardown(state);
}

/* A log that is cut as soon as it may be. */
static int
setup_short(void **state)
{
	conf.log_rows_min = 10;
	conf.pass_interval = 0;
	return setup_all(state);
}

static int
teardown_short(void **state)
{
	conf.log_rows_min = 1000000;
	conf.pass_interval = 3600;
	return teardown_all(state);
}

/* Writes. */

static uint64_t
answered(const struct wire_msg *msg)
{
	size_t replies = client.replies;

	conn_send(client.conn, msg);
	UNTIL(client.replies > replies);
	assert_int_equal(client.reply.code, ERR_OK);
	return client.node;
}

static uint64_t
made(uint64_t parent, const char *name, uint32_t mode)
{
	return answered(&(struct wire_msg){ .type = WIRE_T_CREATE,
	    .create = { .rid = ++rid,
		.parent = parent,
		.name = text(name),
		.mode = mode,
		.value = text(S_ISLNK(mode) ? "target" : "") } });
}

static void
removed(uint64_t node)
{
	answered(&(struct wire_msg){
	    .type = WIRE_T_DELETE, .delete = { .rid = ++rid, .id = node, .version = -1 } });
}

static void
put(uint64_t node)
{
	answered(&(struct wire_msg){ .type = WIRE_T_WRITE,
	    .write = { .rid = ++rid,
		.id = node,
		.how = WIRE_REPLACE,
		.data = text("v"),
		.version = -1 } });
}

static void
chmoded(uint64_t node)
{
	answered(&(struct wire_msg){ .type = WIRE_T_SETATTR,
	    .setattr = {
		.rid = ++rid, .id = node, .valid = WIRE_SET_MODE, .mode = 0700, .version = -1 } });
}

static void
moved(uint64_t parent, const char *name, uint64_t newparent, const char *newname, uint32_t how)
{
	answered(&(struct wire_msg){ .type = WIRE_T_RENAME,
	    .rename = { .rid = ++rid,
		.parent = parent,
		.name = text(name),
		.newparent = newparent,
		.newname = text(newname),
		.how = how } });
}

static uint64_t
last(void)
{
	return client.reply.zxid;
}

/* Questions. */

static void
ask_of(uint64_t top, uint64_t after, uint32_t ops, uint64_t stream)
{
	struct wire_msg msg = { .type = WIRE_T_EVENTS,
		.events = { .rid = 100 + stream,
		    .root = begin,
		    .dir = top,
		    .after = after,
		    .ops = ops,
		    .stream = stream } };

	conn_send(reader.conn, &msg);
}

static void
told(void)
{
	UNTIL(reader.replies > taken);
	taken++;
}

/* It is answered at once. */
static int
ask(uint64_t top, uint64_t after)
{
	ask_of(top, after, 0, STREAM);
	told();
	assert_int_equal(reader.reply.rid, 100 + STREAM);
	return reader.reply.code;
}

/* It waits: what comes behind it is answered before it. */
static void
waits(uint64_t top, uint64_t after)
{
	struct wire_msg sync = { .type = WIRE_T_GETATTR, .getattr = { .rid = 7, .id = TREE_ROOT } };

	ask_of(top, after, 0, STREAM);
	conn_send(reader.conn, &sync);
	told();
	assert_int_equal(reader.reply.rid, 7);
}

/* "Z" in what is wanted stands for a zxid and a blank: those from `zxid` on, a line each. */
static size_t
want(uint64_t zxid, const char *lines)
{
	size_t len = 0;

	for (; *lines != '\0'; lines++)
		if (*lines == 'Z')
			len += (size_t)snprintf(wanted + len, sizeof wanted - len, "0x%llx",
			    (unsigned long long)zxid++);
		else
			wanted[len++] = *lines;
	wanted[len] = '\0';
	assert_int_equal(reader.reply.code, ERR_OK);
	return len;
}

static void
told_is(uint64_t zxid, const char *lines)
{
	want(zxid, lines);
	assert_string_equal(reader.told, wanted);
}

/* There is more behind it. */
static void
told_from(uint64_t zxid, const char *lines)
{
	size_t len = want(zxid, lines);

	assert_memory_equal(reader.told, wanted, len);
}

#define REG (S_IFREG | 0644)
#define DIR (S_IFDIR | 0755)

static void
test_live(void **state)
{
	uint64_t top, sub, other, file, begun;

	(void)state;
	top = made(TREE_ROOT, "d", DIR);
	sub = made(top, "a b\n", DIR);
	other = made(TREE_ROOT, "other", DIR);
	begun = last();
	assert_int_equal(ask(top, 0), ERR_OK);
	assert_int_equal(reader.reply.zxid, begun);
	assert_string_equal(reader.told, "");
	waits(top, begun);
	/* Elsewhere: nothing. */
	made(other, "x", REG);
	chmoded(other);
	file = made(sub, "f\\", REG);
	told();
	told_is(begun + 3, "Z create /d/a\\040b\\012/f\\134 0\n");
	assert_int_equal(reader.reply.zxid, begun + 3);
	assert_int_equal(reader.reply.more, 0);
	waits(top, begun + 3);
	put(file);
	told();
	told_is(last(), "Z set /d/a\\040b\\012/f\\134 1\n");
	/* The directory itself. */
	waits(top, last());
	chmoded(top);
	told();
	told_is(last(), "Z attr /d -\n");
	waits(TREE_ROOT, last());
	put(TREE_ROOT);
	told();
	told_is(last(), "Z set / 1\n");
	/* Two wait for the same, one for something else. */
	waits(top, last());
	ask_of(sub, last(), 0, STREAM + 1);
	ask_of(other, last(), 0, STREAM + 2);
	removed(file);
	told();
	told();
	UNTIL(replica->nevent_waits == 1);
	assert_int_equal(reader.reply.rid, 100 + STREAM + 1);
	told_is(last(), "Z delete /d/a\\040b\\012/f\\134 -\n");
}

/* All kinds, from the log: the same lines. */
static void
test_history(void **state)
{
	uint64_t top, sub, other, file, link, begun;
	char gone[32], lines[512];

	(void)state;
	top = made(TREE_ROOT, "d", DIR);
	other = made(TREE_ROOT, "o", DIR);
	begun = last();
	sub = made(top, "s", DIR);
	file = made(sub, "f", REG);
	link = made(top, "l", S_IFLNK | 0777);
	put(sub);
	moved(sub, "f", top, "g", 0);
	moved(top, "g", other, "g", 0);
	moved(other, "g", other, "h", 0);
	moved(other, "h", sub, "back", 0);
	moved(top, "l", sub, "back", 2);
	chmoded(file);
	removed(link);
	removed(file);
	removed(sub);
	moved(TREE_ROOT, "d", TREE_ROOT, "e", 0);
	assert_int_equal(ask(top, begun), ERR_OK);
	/* Paths are those of now; what was in a directory that is gone begins with its number. */
	snprintf(gone, sizeof gone, "#%llu", (unsigned long long)sub);
	snprintf(lines, sizeof lines,
	    "Z mkdir /e/s 0\nZ create %s/f 0\nZ symlink /e/l 0\nZ set /e/s 1\n"
	    "Z move %s/f /e/g -\nZ move /e/g /o/g -\n",
	    gone, gone);
	told_from(begun + 1, lines);
	/* (What moved within another directory is left out.) */
	snprintf(lines, sizeof lines,
	    "Z move /o/h %s/back -\nZ exchange /e/l %s/back -\nZ attr /e/l -\n"
	    "Z delete %s/back -\nZ delete /e/l -\nZ rmdir /e/s -\nZ move /d /e -\n",
	    gone, gone, gone);
	assert_int_equal(ask(top, begun + 7), ERR_OK);
	told_is(begun + 8, lines);
}

/* What was in a directory that has gone with it, for its readers and for those above. */
static void
test_gone(void **state)
{
	uint64_t top, other, file, begun;

	(void)state;
	top = made(TREE_ROOT, "d", DIR);
	other = made(TREE_ROOT, "o", DIR);
	begun = last();
	file = made(top, "f", REG);
	removed(file);
	removed(top);
	snprintf(wanted, sizeof wanted, "#%llu", (unsigned long long)top);
	/* Its own readers are told how it went, and then that it is gone. */
	assert_int_equal(ask(top, begun), ERR_OK);
	assert_int_equal(reader.lines, 3);
	assert_non_null(strstr(reader.told, wanted));
	assert_non_null(strstr(reader.told, " rmdir /d -\n"));
	assert_int_equal(reader.reply.zxid, last());
	assert_int_equal(ask(top, last()), ERR_NONODE);
	assert_int_equal(ask(top, 0), ERR_NONODE);
	/* Nobody knows where it was: those of others are told, too. */
	reader.lines = 0;
	assert_int_equal(ask(other, begun), ERR_OK);
	assert_int_equal(reader.lines, 2);
	/* What takes a directory's place removes it. */
	top = made(TREE_ROOT, "d", DIR);
	waits(top, last());
	moved(TREE_ROOT, "o", TREE_ROOT, "d", 0);
	told();
	told_is(last(), "Z move /o /d -\n");
	assert_int_equal(ask(top, last()), ERR_NONODE);
	file = made(other, "f", REG);
	assert_int_equal(ask(file, 0), ERR_NOTDIR);
	assert_int_equal(ask(file, begun), ERR_NOTDIR);
	assert_int_equal(ask(UINT64_MAX, 0), ERR_NONODE);
}

/* The lines without their zxids. */
static void
words_are(const char *lines)
{
	const char *line = reader.told, *end;
	size_t len = 0;

	assert_int_equal(reader.reply.code, ERR_OK);
	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		line = strchr(line, ' ') + 1;
		memcpy(wanted + len, line, (size_t)(end + 1 - line));
		len += (size_t)(end + 1 - line);
	}
	wanted[len] = '\0';
	assert_string_equal(wanted, lines);
}

/* The mount begins at a directory: of what is not below it nothing is told. */
static void
test_from_a_root(void **state)
{
	uint64_t sub, out, file, in, begun;

	(void)state;
	out = made(TREE_ROOT, "out", DIR);
	begun = last();
	begin = made(TREE_ROOT, "app", DIR);
	sub = made(begin, "s", DIR);
	file = made(begin, "f", REG);
	made(out, "x", REG);
	moved(out, "x", sub, "in", 0);
	moved(begin, "f", sub, "g", 0);
	moved(sub, "g", out, "f", 0);
	chmoded(file);
	moved(out, "f", out, "h", 0);
	moved(out, "h", sub, "in", 2);
	chmoded(begin);
	put(begin);
	chmoded(TREE_ROOT);
	moved(TREE_ROOT, "app", out, "elsewhere", 0);
	made(begin, "last", REG);
	assert_int_equal(ask(begin, begun), ERR_OK);
	words_are("mkdir / 0\nmkdir /s 0\ncreate /f 0\nmove - /s/in -\nmove /f /s/g -\n"
		  "move /s/g - -\nexchange - /s/in -\nattr / -\nset / 1\n"
		  "create /last 0\n");
	/* Of a directory in it. */
	assert_int_equal(ask(sub, begun), ERR_OK);
	words_are("mkdir /s 0\nmove - /s/in -\nmove /f /s/g -\nmove /s/g - -\n"
		  "exchange - /s/in -\n");
	/* What was in a directory that is gone may have been elsewhere. */
	begun = last();
	in = made(sub, "d", DIR);
	removed(made(in, "k", REG));
	removed(in);
	in = made(out, "d", DIR);
	removed(made(in, "secret", REG));
	removed(in);
	assert_int_equal(ask(begin, begun), ERR_OK);
	words_are("mkdir /s/d 0\nrmdir /s/d -\n");
	/* A directory that leaves; what is in it then is out of sight. */
	begun = last();
	waits(sub, begun);
	moved(begin, "s", out, "s", 0);
	told();
	words_are("move /s - -\n");
	made(sub, "unseen", REG);
	assert_int_equal(ask(begin, begun), ERR_OK);
	words_are("move /s - -\n");
}

/* The root goes: by its name above, which is not told. */
static void
test_end_of_a_root(void **state)
{
	uint64_t out;

	(void)state;
	out = made(TREE_ROOT, "out", DIR);
	begin = made(out, "app", DIR);
	waits(begin, last());
	removed(begin);
	told();
	words_are("rmdir / -\n");
	assert_int_equal(ask(begin, last()), ERR_NONODE);
	begin = made(out, "app", DIR);
	made(TREE_ROOT, "next", DIR);
	waits(begin, last());
	moved(TREE_ROOT, "next", out, "app", 0);
	told();
	words_are("rmdir / -\n");
	assert_int_equal(ask(begin, last()), ERR_NONODE);
}

static void
test_ahead_and_cancelled(void **state)
{
	uint64_t top, begun;

	(void)state;
	top = made(TREE_ROOT, "d", DIR);
	begun = last();
	waits(top, begun + 2);
	made(top, "a", REG);
	made(top, "b", REG);
	assert_int_equal(replica->nevent_waits, 1);
	made(top, "c", REG);
	told();
	told_is(begun + 3, "Z create /d/c 0\n");
	/* The wait is answered, then who ended it; without one, only he. */
	waits(top, last());
	ask_of(0, 0, 0, STREAM + 1);
	told();
	assert_int_equal(reader.reply.code, ERR_OK);
	assert_int_equal(replica->nevent_waits, 1);
	ask_of(0, 0, 0, STREAM);
	UNTIL(replica->nevent_waits == 0);
	told();
	told();
	assert_int_equal(reader.reply.code, ERR_OK);
	/* The connection ends. */
	waits(top, last());
	assert_int_equal(replica->nevent_waits, 1);
	conn_free(reader.conn);
	reader.conn = NULL;
	UNTIL(replica->nevent_waits == 0);
	made(top, "d", REG);
}

static void
test_bound(void **state)
{
	uint64_t top, i;

	(void)state;
	top = made(TREE_ROOT, "d", DIR);
	for (i = 0; i < EVENT_WAITS_MAX; i++)
		ask_of(top, last(), 0, 1000 + i);
	UNTIL(replica->nevent_waits == EVENT_WAITS_MAX);
	assert_int_equal(ask(top, last()), ERR_BUSY);
	/* Who has something to be told is told. */
	assert_int_equal(ask(TREE_ROOT, last() - 1), ERR_OK);
	assert_int_equal(reader.lines, 1);
	reader.lines = 0;
	made(top, "x", REG);
	UNTIL(reader.lines == EVENT_WAITS_MAX);
	assert_int_equal(replica->nevent_waits, 0);
}

/* MULTI. */

static msgpack_sbuffer packed;

static void
step(uint32_t kind, const char *path, uint32_t mode, uint32_t owner)
{
	struct wire_step one = { .kind = kind,
		.path = text(path),
		.mode = mode,
		.owner = owner,
		.flags = owner == 0 ? 0 : WIRE_SEQUENCE,
		.version = -1 };

	wire_step_pack(&packed, &one);
}

static void
multi_send(uint64_t id, uint64_t root)
{
	struct wire_msg msg = { .type = WIRE_T_MULTI,
		.multi = { .rid = id,
		    .root = root,
		    .steps = { (const uint8_t *)packed.data, (uint32_t)packed.size } } };
	size_t replies = client.replies;

	conn_send(client.conn, &msg);
	UNTIL(client.replies > replies);
	assert_int_equal(client.reply.rid, id);
}

/* The same question on and on, until it would wait. How many replies it took. */
static uint32_t
read_all(uint64_t top, uint64_t after, uint64_t upto)
{
	uint32_t n = 0;

	reader.reply = (struct wire_reply){ .zxid = after };
	for (; reader.reply.zxid < upto; n++) {
		ask_of(top, reader.reply.zxid, reader.reply.more, STREAM);
		told();
		assert_int_equal(reader.reply.code, ERR_OK);
		assert_true(reader.reply.data.len <= WIRE_VALUE_MAX);
	}
	assert_int_equal(reader.reply.more, 0);
	return n;
}

/* Names of 250 bytes that take four each, in a directory of such a name, and deeper. */
static void
test_much_at_once(void **state)
{
	char name[256];
	uint64_t top, sub, begun;
	uint32_t i;

	(void)state;
	memset(name, 1, 250);
	name[250] = '\0';
	top = sub = made(TREE_ROOT, name, DIR);
	for (i = 0; i < 300; i++)
		sub = made(sub, name, DIR);
	begun = last();
	msgpack_sbuffer_init(&packed);
	for (i = 0; i < 600; i++) {
		snprintf(name + 240, 11, "%u", i);
		step(WIRE_STEP_CREATE, name, REG, 0);
	}
	waits(top, begun);
	multi_send(++rid, sub);
	assert_int_equal(client.reply.code, ERR_OK);
	told();
	/* The first lines only: the rest is asked for. */
	assert_int_equal(reader.reply.zxid, begun);
	assert_true(reader.reply.more > 0 && reader.reply.more < 600);
	assert_true(reader.reply.data.len >= EVENT_TEXT_MAX);
	while (reader.reply.more != 0) {
		ask_of(top, reader.reply.zxid, reader.reply.more, STREAM);
		told();
		assert_true(reader.reply.data.len <= WIRE_VALUE_MAX);
	}
	assert_int_equal(reader.reply.zxid, last());
	assert_int_equal(reader.lines, 600);
	reader.lines = 0;
	assert_true(read_all(top, begun, last()) > 600 / 2);
	assert_int_equal(reader.lines, 600);
	/* A path that is too long begins with the number of a directory on the way. */
	assert_memory_equal(strchr(reader.told, ' '), " create #", 9);
	msgpack_sbuffer_destroy(&packed);
}

/* A session goes, with all that it had: one transaction. */
static void
test_end_of_a_session(void **state)
{
	uint64_t begun;
	uint32_t i, n;

	(void)state;
	begun = last();
	for (n = 0; n < 20; n++) {
		msgpack_sbuffer_init(&packed);
		for (i = 0; i < WIRE_STEPS_MAX; i++)
			step(WIRE_STEP_CREATE, "/an-ephemeral-with-a-name-", REG, WIRE_EPHEMERAL);
		multi_send(++rid, TREE_ROOT);
		assert_int_equal(client.reply.code, ERR_OK);
		msgpack_sbuffer_destroy(&packed);
	}
	begun = last();
	waits(TREE_ROOT, begun);
	conn_send(client.conn, &(struct wire_msg){ .type = WIRE_T_CLOSE });
	told();
	assert_int_equal(reader.reply.zxid, begun);
	reader.lines = 0;
	read_all(TREE_ROOT, begun, tree_applied(replica->tree));
	assert_int_equal(reader.lines, 20 * WIRE_STEPS_MAX);
	assert_int_equal(tree_nodes(replica->tree), 1);
}

/* A long way with nothing to tell. */
static void
test_long_way(void **state)
{
	uint64_t top, other, begun;
	uint32_t i;

	(void)state;
	top = made(TREE_ROOT, "d", DIR);
	other = made(TREE_ROOT, "o", DIR);
	begun = last();
	for (i = 0; i < 5000; i++)
		conn_send(client.conn, &(struct wire_msg){ .type = WIRE_T_WRITE,
					   .write = { .rid = ++rid,
					       .acked = rid < 900 ? 0 : rid - 900,
					       .id = other,
					       .how = WIRE_REPLACE,
					       .version = -1 } });
	UNTIL(tree_applied(replica->tree) == begun + 5000);
	made(top, "x", REG);
	assert_int_equal(ask(top, begun), ERR_OK);
	assert_string_equal(reader.told, "");
	assert_true(reader.reply.zxid > begun && reader.reply.zxid < last());
	assert_int_equal(ask(top, reader.reply.zxid), ERR_OK);
	told_is(last(), "Z create /d/x 0\n");
}

static bool
any_row(void *arg, uint64_t zxid, uint64_t prev_zxid, struct blob payload)
{
	(void)arg;
	(void)zxid;
	(void)prev_zxid;
	(void)payload;
	return false;
}

/* The log is cut above it. */
static void
until_gone(uint64_t zxid)
{
	uint64_t top = made(TREE_ROOT, "busy", DIR);

	deadline_ns = replica_now_ns() + DEADLINE_NS;
	while (rows_read(replica, zxid, any_row, NULL)) {
		put(top);
		assert_true(replica_now_ns() < deadline_ns);
	}
}

static void
test_lost(void **state)
{
	uint64_t top, begun;

	(void)state;
	top = made(TREE_ROOT, "d", DIR);
	begun = last();
	made(top, "x", REG);
	until_gone(begun);
	assert_int_equal(ask(top, begun), ERR_OK);
	snprintf(wanted, sizeof wanted, "lost 0x%llx 0x%llx\n", (unsigned long long)begun,
	    (unsigned long long)reader.reply.zxid);
	assert_string_equal(reader.told, wanted);
	assert_int_equal(reader.reply.zxid, last());
	/* It goes on from there. */
	waits(top, last());
	made(top, "y", REG);
	told();
	told_is(last(), "Z create /d/y 0\n");
}

static void
result_is(struct blob *data, uint32_t kind, const char *name, uint32_t version)
{
	struct wire_result result;

	assert_int_equal(wire_result_next(data, &result), 1);
	assert_int_equal(result.kind, kind);
	assert_int_equal(result.name.len, strlen(name));
	assert_memory_equal(result.name.data, name, strlen(name));
	assert_int_equal(result.version, version);
}

/* What the client was told: so many bytes of results. */
static void
results_are(size_t len)
{
	struct blob data = { (const uint8_t *)client.told, (uint32_t)len };

	assert_int_equal(client.reply.code, ERR_OK);
	assert_int_equal(client.reply.data.len, len);
	result_is(&data, WIRE_STEP_CREATE, "q", 0);
	result_is(&data, WIRE_STEP_CREATE, "job-0000000000", 0);
	result_is(&data, WIRE_STEP_SET, "q", 1);
	assert_int_equal(data.len, 0);
}

static void
test_multi_answers(void **state)
{
	uint64_t first;
	size_t len;

	(void)state;
	msgpack_sbuffer_init(&packed);
	step(WIRE_STEP_CREATE, "/q", DIR, 0);
	step(WIRE_STEP_CHECK, "/q", 0, 0);
	step(WIRE_STEP_CREATE, "/q/job-", REG, WIRE_EPHEMERAL);
	step(WIRE_STEP_SET, "/q", 0, 0);
	multi_send(2, TREE_ROOT);
	len = client.reply.data.len;
	first = client.reply.zxid;
	results_are(len);
	assert_int_equal(client.node, 0);
	/* Again: the same, from the log. */
	multi_send(2, TREE_ROOT);
	results_are(len);
	assert_int_equal(client.reply.zxid, first);
	/* It fails, and fails again, though it would not now. */
	multi_send(4, TREE_ROOT);
	assert_int_equal(client.reply.code, ERR_EXISTS);
	assert_int_equal(client.reply.more, 1);
	assert_int_equal(client.reply.data.len, 0);
	multi_send(4, TREE_ROOT);
	assert_int_equal(client.reply.code, ERR_EXISTS);
	assert_int_equal(client.reply.more, 1);
	/* Where the row is gone, whether it was done is known, and no more. */
	rid = 4;
	until_gone(client.reply.zxid);
	multi_send(2, TREE_ROOT);
	assert_int_equal(client.reply.code, ERR_OK);
	assert_int_equal(client.reply.zxid, first);
	assert_int_equal(client.reply.data.len, 0);
	multi_send(4, TREE_ROOT);
	assert_int_equal(client.reply.code, ERR_EXISTS);
	assert_int_equal(client.reply.more, 0);
	msgpack_sbuffer_destroy(&packed);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_all, teardown_all)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_live),
		T(test_history),
		T(test_gone),
		T(test_from_a_root),
		T(test_end_of_a_root),
		T(test_ahead_and_cancelled),
		T(test_bound),
		T(test_much_at_once),
		T(test_end_of_a_session),
		T(test_long_way),
		cmocka_unit_test_setup_teardown(test_lost, setup_short, teardown_short),
		cmocka_unit_test_setup_teardown(test_multi_answers, setup_short, teardown_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
