/*
 * fsd without a kernel and with a replica that says whatever the input says:
 * answers to what was asked, with arbitrary fields; answers to what was not;
 * changes, openings and ends in any order; spoilt frames; plain bytes. The
 * kernel asks for whatever makes fsd wait for answers. No input may end fsd,
 * and no request of the kernel is answered twice.
 */
#include <unistd.h>
#define usleep(us) ((void)(us)) /* the harness is patient; here the clock stands still */
#define H_TIME_IS_MADE		/* fuzz/world.c */
#include "tests/unit/fsd_harness.h"

#include "fsd/ino.h"
#include "tests/fuzz/fuzz.h"

#define UNIQUES_MAX 4096
#define RIDS_MAX 16
#define SPOILT_MAX 8192

static bool asked[UNIQUES_MAX], interrupts[UNIQUES_MAX]; /* by unique / 2 */
static uint64_t rids[RIDS_MAX];				 /* of what fsd has asked for lately */
static uint32_t nrids;

/* What fsd tells the kernel. */
static void
hear_kernel(void)
{
	struct fuse_out_header *head = &answer.head;
	static uint8_t raw[sizeof answer.head + sizeof answer.body];
	ssize_t n;

	while ((n = recv(h.device, raw, sizeof raw, MSG_DONTWAIT)) > 0) {
		memcpy(head, raw, sizeof *head);
		CHECK(head->len == (size_t)n);
		if (head->unique == 0)
			continue;
		CHECK(head->unique % 2 == 0 && head->unique / 2 < UNIQUES_MAX);
		CHECK(head->error <= 0 && head->error > -512);
		/* An INTERRUPT may have an answer of its own: EAGAIN. */
		CHECK(asked[head->unique / 2] || interrupts[head->unique / 2]);
		asked[head->unique / 2] = false;
	}
}

/* What fsd asks the replica. */
static void
hear_fsd(void)
{
	while (h.replica >= 0 && h_take())
		if (wire_is_write(h.msg.type) || h.msg.type >= WIRE_T_LOOKUP)
			rids[nrids++ % RIDS_MAX] = h.msg.getattr.rid;
}

static void
turn(void)
{
	event_base_loop(h.fsd.base, EVLOOP_NONBLOCK);
	hear_kernel();
	hear_fsd();
}

/* The replica's words. */

static void
tell_bytes(const void *data, size_t len)
{
	if (h.replica >= 0 && send(h.replica, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		close(h.replica);
		h.replica = -1;
	}
}

static void
tell(const struct wire_msg *msg, uint32_t spoil, uint8_t by)
{
	msgpack_sbuffer out;

	msgpack_sbuffer_init(&out);
	frame_pack(&out, msg);
	if (spoil != 0)
		out.data[spoil % out.size] = (char)(out.data[spoil % out.size] ^ by);
	tell_bytes(out.data, out.size);
	msgpack_sbuffer_destroy(&out);
}

static uint64_t
node(struct fuzz_input *in)
{
	uint32_t n = fuzz_byte(in);

	return n == 255 ? UINT64_MAX : n == 254 ? UINT64_C(1) << 56 : n % 6;
}

static uint32_t
mode(struct fuzz_input *in)
{
	static const uint32_t modes[] = { S_IFREG | 0644, S_IFDIR | 0755, S_IFLNK | 0777,
		S_IFREG | S_ISVTX | 0600, 0, S_IFCHR, UINT32_MAX };

	return modes[fuzz_below(in, sizeof modes / sizeof modes[0])];
}

static struct blob
name(struct fuzz_input *in)
{
	static const char *const names[] = { "a", "b", ".zab", "a/b", "..", "", "c" };
	const char *string = names[fuzz_below(in, sizeof names / sizeof names[0])];

	return (struct blob){ (const uint8_t *)string, (uint32_t)strlen(string) };
}

static struct blob
stat_of(struct fuzz_input *in, msgpack_sbuffer *packed)
{
	struct wire_stat stat = { .id = node(in), .parent = node(in), .mode = mode(in) };

	stat.size = fuzz_below(in, 8) == 7 ? UINT32_MAX : fuzz_byte(in);
	stat.children = fuzz_below(in, 8) == 7 ? UINT32_MAX : fuzz_below(in, 3);
	stat.version = fuzz_byte(in);
	stat.mzxid = fuzz_byte(in);
	stat.owner = fuzz_below(in, 3) == 2 ? H_SESSION : 0;
	stat.mtime_ns = fuzz_below(in, 8) == 7 ? INT64_MIN : fuzz_byte(in);
	wire_stat_pack(packed, &stat);
	return (struct blob){ (const uint8_t *)packed->data, (uint32_t)packed->size };
}

/* A listing, a value, or bytes that are neither. */
static struct blob
data_of(struct fuzz_input *in, msgpack_sbuffer *packed)
{
	uint32_t i, what = fuzz_below(in, 4), n = fuzz_below(in, 4);
	struct wire_entry entry;
	msgpack_sbuffer stat;

	if (what == 0)
		return fuzz_bytes(in, fuzz_byte(in));
	for (i = 0; i < n; i++) {
		msgpack_sbuffer_init(&stat);
		entry = (struct wire_entry){ .id = node(in), .mode = mode(in), .name = name(in) };
		if (what > 1)
			entry.stat = stat_of(in, &stat);
		wire_entry_pack(packed, &entry);
		msgpack_sbuffer_destroy(&stat);
	}
	return (struct blob){ (const uint8_t *)packed->data, (uint32_t)packed->size };
}

static void
change(struct fuzz_input *in, struct wire_change *change, msgpack_sbuffer *packed)
{
	*change = (struct wire_change){ .zxid = 0x100 + fuzz_byte(in),
		.last = fuzz_below(in, 2),
		.kind = fuzz_below(in, 8),
		.mode = mode(in),
		.id = node(in),
		.parent = node(in),
		.name = name(in),
		.id2 = node(in),
		.parent2 = node(in),
		.name2 = name(in),
		.mode2 = mode(in) };
	if (fuzz_below(in, 2) != 0)
		change->pstat = stat_of(in, packed);
}

static void
welcome(struct fuzz_input *in, struct wire_welcome *welcome)
{
	static const uint8_t secret[WIRE_SECRET_LEN] = "0123456789abcde";
	static const int32_t codes[] = { ERR_OK, ERR_OK, ERR_OK, ERR_EXPIRED, ERR_NOQUORUM,
		ERR_BUSY, -1000, 5 };
	static const uint32_t timeouts[] = { 10000, 10000, 1000, 0, 1, UINT32_MAX };

	*welcome = (struct wire_welcome){ .code = codes[fuzz_below(in, 8)],
		.session = fuzz_below(in, 8) == 7 ? 0 : H_SESSION + fuzz_below(in, 2),
		.secret = { secret, fuzz_below(in, 8) == 7 ? 3 : WIRE_SECRET_LEN },
		.timeout_ms = timeouts[fuzz_below(in, 6)],
		.replica = 1,
		.zxid = 0x100 + fuzz_byte(in) };
}

static void
reply(struct fuzz_input *in, struct wire_reply *reply, msgpack_sbuffer packed[2])
{
	static const int32_t codes[] = { ERR_OK, ERR_OK, ERR_OK, ERR_NONODE, ERR_BUSY, ERR_NOQUORUM,
		ERR_EXPIRED, -1000 };
	uint32_t which = fuzz_byte(in);

	reply->rid = which < 224 ? rids[(nrids - 1 - which % RIDS_MAX) % RIDS_MAX] : which;
	reply->code = codes[fuzz_below(in, 8)];
	reply->zxid = 0x100 + fuzz_byte(in);
	if (fuzz_below(in, 4) != 0)
		reply->stat = stat_of(in, &packed[0]);
	else
		reply->stat = fuzz_bytes(in, fuzz_below(in, 8));
	reply->more = fuzz_below(in, 3);
	reply->data = data_of(in, &packed[1]);
}

static void
say(struct fuzz_input *in, uint32_t spoil, uint8_t by)
{
	static const enum wire_type types[] = { WIRE_T_REPLY, WIRE_T_REPLY, WIRE_T_REPLY,
		WIRE_T_CHANGE, WIRE_T_CHANGE, WIRE_T_WELCOME, WIRE_T_RESUMED, WIRE_T_PONG,
		WIRE_T_BYE, WIRE_T_PING, WIRE_T_HELLO };
	struct wire_msg msg = { .type = types[fuzz_below(in, sizeof types / sizeof types[0])] };
	msgpack_sbuffer packed[2];

	msgpack_sbuffer_init(&packed[0]);
	msgpack_sbuffer_init(&packed[1]);
	if (msg.type == WIRE_T_REPLY) {
		reply(in, &msg.reply, packed);
	} else if (msg.type == WIRE_T_CHANGE) {
		change(in, &msg.change, &packed[0]);
	} else if (msg.type == WIRE_T_WELCOME) {
		welcome(in, &msg.welcome);
	} else if (msg.type == WIRE_T_RESUMED) {
		msg.resumed.complete = fuzz_below(in, 2);
	} else if (msg.type == WIRE_T_PONG) {
		msg.pong.sent_ns = fuzz_below(in, 4) == 3 ? UINT64_MAX : fsd_now_ns();
	} else if (msg.type == WIRE_T_BYE) {
		msg.bye.code = fuzz_below(in, 2) == 0 ? ERR_OK : ERR_EXPIRED;
	}
	tell(&msg, spoil, by);
	msgpack_sbuffer_destroy(&packed[0]);
	msgpack_sbuffer_destroy(&packed[1]);
}

/* The kernel's requests: well-formed always, it is trusted. */

static uint64_t
inode(struct fuzz_input *in)
{
	uint32_t kind = fuzz_byte(in);

	return ino_make(kind < 160 ? INO_ZNODE : (enum ino_kind)(kind % 9), 1 + fuzz_below(in, 5));
}

static const char *
kernel_name(struct fuzz_input *in)
{
	static const char *const names[] = { "a", "b", ".zab", "data", "stat", "self", "ephemeral",
		"held", "session" };

	return names[fuzz_below(in, sizeof names / sizeof names[0])];
}

static uint64_t
request_named(struct fuzz_input *in, uint32_t opcode)
{
	struct fuse_mkdir_in mkdir_in = { .mode = 0755 };
	struct fuse_create_in create_in = { .flags = O_RDWR, .mode = S_IFREG | 0644 };
	struct fuse_rename2_in rename_in = { .newdir = inode(in), .flags = fuzz_below(in, 3) };
	uint64_t parent = inode(in);
	char text[64];
	int len = snprintf(text, sizeof text, "%s", kernel_name(in)) + 1;

	switch (opcode) {
	case FUSE_MKDIR:
		return h_request2(opcode, parent, &mkdir_in, sizeof mkdir_in, text, (size_t)len);
	case FUSE_CREATE:
		return h_request2(opcode, parent, &create_in, sizeof create_in, text, (size_t)len);
	case FUSE_SYMLINK:
		len += snprintf(text + len, sizeof text - (size_t)len, "target") + 1;
		return h_request(opcode, parent, text, (size_t)len);
	case FUSE_RENAME2:
		len += snprintf(text + len, sizeof text - (size_t)len, "%s", kernel_name(in)) + 1;
		return h_request2(opcode, parent, &rename_in, sizeof rename_in, text, (size_t)len);
	default:
		return h_request(opcode, parent, text, (size_t)len);
	}
}

static uint64_t
request_open(struct fuzz_input *in, uint32_t opcode)
{
	struct fuse_read_in read_in = { .fh = fuzz_below(in, 6),
		.offset = fuzz_byte(in),
		.size = opcode == FUSE_READ ? 4096 : 200 + fuzz_byte(in) };
	struct fuse_setattr_in setattr_in = { .valid = fuzz_byte(in), .mode = 0600 };
	struct fuse_getattr_in getattr_in = { 0 };
	uint64_t ino = inode(in);

	switch (opcode) {
	case FUSE_GETATTR:
		return h_request(opcode, ino, &getattr_in, sizeof getattr_in);
	case FUSE_SETATTR:
		return h_request(opcode, ino, &setattr_in, sizeof setattr_in);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		h_open_send(ino, fuzz_below(in, 2) == 0 ? O_RDONLY : O_RDWR | O_TRUNC);
		return h.unique;
	case FUSE_WRITE:
		return h_write_send(ino, read_in.fh, O_RDWR, read_in.offset, "0123456789", 10);
	case FUSE_RELEASE:
		return h_release_send(ino, read_in.fh, O_RDWR);
	case FUSE_READLINK:
	case FUSE_STATFS:
		return h_request(opcode, ino, NULL, 0);
	default:
		return h_request(opcode, ino, &read_in, sizeof read_in);
	}
}

static uint64_t
request_lock(struct fuzz_input *in)
{
	static const int types[] = { F_RDLCK, F_WRLCK, F_UNLCK };
	uint32_t opcode = fuzz_below(in, 2) == 0 ? FUSE_SETLK : FUSE_SETLKW;
	struct fuse_lk_in lock_in = { .fh = fuzz_below(in, 6),
		.lk.type = (uint32_t)types[fuzz_below(in, 3)],
		.lk_flags = FUSE_LK_FLOCK };

	return h_request(opcode, inode(in), &lock_in, sizeof lock_in);
}

static void
ask(struct fuzz_input *in)
{
	static const uint32_t named[] = { FUSE_LOOKUP, FUSE_LOOKUP, FUSE_MKDIR, FUSE_CREATE,
		FUSE_SYMLINK, FUSE_RENAME2, FUSE_UNLINK, FUSE_RMDIR };
	static const uint32_t others[] = { FUSE_GETATTR, FUSE_SETATTR, FUSE_OPEN, FUSE_OPENDIR,
		FUSE_READ, FUSE_WRITE, FUSE_RELEASE, FUSE_READDIR, FUSE_READDIRPLUS, FUSE_READLINK,
		FUSE_STATFS, FUSE_FSYNC };
	struct fuse_interrupt_in interrupt;
	uint32_t what = fuzz_byte(in);

	if (h.unique / 2 + 2 >= UNIQUES_MAX)
		return;
	if (what == 255) {
		/* Of a request that waits: of another libfuse would keep it for later. */
		interrupt.unique = h.unique - 2 * fuzz_below(in, 4);
		if (interrupt.unique > h.unique || !asked[interrupt.unique / 2])
			return;
		interrupts[h.unique / 2 + 1] = true;
		h_request(FUSE_INTERRUPT, 0, &interrupt, sizeof interrupt);
		return;
	}
	asked[h.unique / 2 + 1] = true;
	if (what >= 240)
		request_lock(in);
	else if (what % 20 < 8)
		request_named(in, named[what % 20]);
	else
		request_open(in, others[what % 20 - 8]);
}

enum command { SAY, SAY_TOO, ASK, ASK_TOO, TURN, OPEN, SPOILT, BYTES, LEAVE, LATER, COMMANDS };

/* A connection as it should be, if fsd asks for one. */
static void
open_link(void)
{
	static const uint8_t secret[WIRE_SECRET_LEN] = "0123456789abcde";
	struct wire_msg welcomed = { .type = WIRE_T_WELCOME,
		.welcome = { .session = H_SESSION,
		    .secret = { secret, sizeof secret },
		    .timeout_ms = 10000,
		    .replica = 1,
		    .zxid = 0x100 } };
	struct wire_msg resumed = { .type = WIRE_T_RESUMED,
		.resumed = { .zxid = 0x100, .complete = 1 } };

	turn();
	if (!h_accept())
		return;
	turn();
	tell(&welcomed, 0, 0);
	turn();
	tell(&resumed, 0, 0);
	turn();
}

static void
run(struct fuzz_input *in)
{
	enum command command = (enum command)fuzz_below(in, COMMANDS);
	struct blob bytes;
	uint32_t spoil;

	switch (command) {
	case SAY:
	case SAY_TOO:
		say(in, 0, 0);
		break;
	case ASK:
	case ASK_TOO:
		ask(in);
		turn();
		break;
	case TURN:
		turn();
		break;
	case OPEN:
		if (fuzz_below(in, 2) == 0)
			open_link();
		else
			h_accept();
		break;
	case SPOILT:
		spoil = 1 + fuzz_byte(in);
		say(in, spoil, fuzz_byte(in));
		break;
	case BYTES:
		bytes = fuzz_bytes(in, fuzz_byte(in));
		tell_bytes(bytes.data, bytes.len);
		break;
	case LEAVE:
		if (h.replica >= 0)
			close(h.replica);
		h.replica = -1;
		h.in_len = 0;
		break;
	case LATER:
		fuzz_clock_advance_ms((uint64_t)fuzz_byte(in) * 20);
		turn();
		break;
	case COMMANDS:
		break;
	}
}

/* When fsd ends, nobody may be left waiting. */
static void
finish(void)
{
	uint64_t i;

	link_free(h.fsd.link);
	h.fsd.link = NULL;
	hear_kernel();
	for (i = 0; i < UNIQUES_MAX; i++)
		CHECK(!asked[i]);
	h_teardown(NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	memset(asked, 0, sizeof asked);
	memset(interrupts, 0, sizeof interrupts);
	memset(rids, 0, sizeof rids);
	nrids = 0;
	h_begin(10000, fuzz_below(&in, 2) != 0);
	open_link();
	while (in.len > 0)
		run(&in);
	turn();
	finish();
	return 0;
}
