/*
 * fsd without a kernel and without a replica: a socket pair is /dev/fuse, a
 * Unix socket in a folder of its own is the replica, the test plays both. One
 * thread: whoever waits runs fsd's loop. For tests/unit/fsd_*_test.c.
 */
#ifndef ZABFS_TESTS_FSD_HARNESS_H
#define ZABFS_TESTS_FSD_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fsd/call.h"
#include "fsd/clock.h"
#include "fsd/grace.h"
#include "fsd/inode.h"
#include "fsd/interrupt.h"
#include "fsd/kept.h"
#include "fsd/kernel.h"
#include "fsd/qualified.h"
#include "fsd/reply.h"
#include "fsd/session.h"
#include "fsd/stray.h"
#include "fsd/zab.h"
#include "replica/lib/err.h"
#include "tests/frame.h"
#ifndef H_TIME_IS_MADE /* by whoever includes this */
#include "tests/unit/fsd_time.h"
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define H_WAIT_NS UINT64_C(5000000000) /* nothing here takes that long */
#define H_ECHO_TID 4242
#define H_SESSION 0x77
#define H_NOTIFIED_MAX 64
#define H_NOTIFY_INC_EPOCH 8
#define H_NOTIFY_RESEND 7
#define H_RESEND_BIT (UINT64_C(1) << 63)

struct answer {
	struct fuse_out_header head;
	size_t len; /* of the body */
	uint8_t body[1 << 21];
};

struct harness {
	struct fsd fsd;
	int device; /* the kernel's end */
	int fsd_device;
	char dir[64], path[96];
	int listener, replica; /* replica -1: not connected */
	uint8_t in[1 << 21];   /* what fsd sent, undecoded */
	size_t in_len;
	msgpack_zone *zone;
	struct wire_msg msg; /* the last one taken; its blobs live until the next */
	uint8_t frame[WIRE_FRAME_MAX];
	uint64_t unique;
	uint64_t notified[H_NOTIFIED_MAX]; /* inodes invalidated */
	size_t nnotified;
	unsigned doubted;   /* how often every name was */
	uint64_t polled;    /* the last one that was woken (fuse_poll_in's kh) */
	unsigned resends;   /* asked for */
	bool notify_enoent; /* what the kernel answers to notifications */
	int notify_refused;
	bool ready, gone;
	struct wire_change pushed; /* the last one */
	int echo_pushed, echo_zab, echo_asked, echo_doubted;
	uint64_t echo_owned;
	uint32_t uid, gid; /* of whoever asks */
	uint32_t timeout_ms;
};

static struct harness h;
static struct answer answer;
static int h_kept_fd = -1; /* what one process leaves to the next; -1: nothing */

#include "tests/unit/fsd_echo.h"

static void (*h_apart)(void); /* called by another thread of fsd, before it writes */

/* fsd's writes to its device. */
ssize_t
writev(int fd, const struct iovec *iov, int count)
{
	const struct fuse_out_header *head = iov[0].iov_base;

	if (gettid() != getpid() && h_apart != NULL)
		h_apart();
	if (fd != h.fsd_device || head->unique != 0 || !h.notify_enoent)
		return syscall(SYS_writev, fd, iov, count);
	h.notify_refused++;
	errno = ENOENT;
	return -1;
}

static inline void
h_turn(void)
{
	event_base_loop(h.fsd.base, EVLOOP_NONBLOCK);
	usleep(50);
}

#define H_TURNS 10 /* at least: also where the machine takes all the time for itself */

static inline void
h_run_ms(uint32_t ms)
{
	uint64_t until = fsd_now_ns() + ms * UINT64_C(1000000);
	uint32_t turns;

	for (turns = 0; turns < H_TURNS || fsd_now_ns() < until; turns++)
		h_turn();
}

/* The kernel's side. */

static inline void
h_send_raw(
    uint32_t opcode, uint64_t unique, uint64_t node, uint32_t pid, const void *body, size_t len)
{
	static uint8_t packet[1 << 21];
	struct fuse_in_header head = { .len = (uint32_t)(sizeof head + len),
		.opcode = opcode,
		.unique = unique,
		.nodeid = node,
		.uid = h.uid,
		.gid = h.gid,
		.pid = pid };

	memcpy(packet, &head, sizeof head);
	if (len != 0)
		memcpy(packet + sizeof head, body, len);
	assert_int_equal(send(h.device, packet, head.len, 0), head.len);
}

/* As the kernel numbers its requests: even, ascending. */
static inline uint64_t
h_request(uint32_t opcode, uint64_t node, const void *body, size_t len)
{
	h.unique += 2;
	h_send_raw(opcode, h.unique, node, (uint32_t)getpid(), body, len);
	return h.unique;
}

/* Two parts: a struct, and a name or data behind it. */
static inline uint64_t
h_request2(
    uint32_t opcode, uint64_t node, const void *body, size_t len, const void *tail, size_t taillen)
{
	static uint8_t both[1 << 21];

	memcpy(both, body, len);
	memcpy(both + len, tail, taillen);
	return h_request(opcode, node, both, len + taillen);
}

/*
 * One packet from fsd in `answer`: false if there is none. Notifications are
 * noted instead.
 */
static inline bool
h_packet(void)
{
	static uint8_t raw[sizeof answer.head + sizeof answer.body];
	const struct fuse_notify_inval_inode_out *inval;
	ssize_t n;

	for (;;) {
		n = recv(h.device, raw, sizeof raw, MSG_DONTWAIT);
		if (n <= 0)
			return false;
		memcpy(&answer.head, raw, sizeof answer.head);
		assert_int_equal(answer.head.len, n);
		answer.len = (size_t)n - sizeof answer.head;
		memcpy(answer.body, raw + sizeof answer.head, answer.len);
		if (answer.head.unique != 0)
			return true;
		if (answer.head.error == H_NOTIFY_INC_EPOCH) {
			h.doubted++;
			continue;
		}
		if (answer.head.error == FUSE_NOTIFY_POLL) {
			h.polled = ((struct fuse_notify_poll_wakeup_out *)(void *)answer.body)->kh;
			continue;
		}
		if (answer.head.error == H_NOTIFY_RESEND) {
			h.resends++;
			continue;
		}
		assert_int_equal(answer.head.error, FUSE_NOTIFY_INVAL_INODE);
		inval = (const void *)answer.body;
		assert_true(inval->off < 0);
		if (h.nnotified < H_NOTIFIED_MAX)
			h.notified[h.nnotified++] = inval->ino;
	}
}

static inline bool
h_notified(uint64_t ino)
{
	size_t i;

	for (i = 0; i < h.nnotified; i++)
		if (h.notified[i] == ino)
			return true;
	return false;
}

/* The next answer, whichever it is to, in `answer`. */
static inline void
h_answer_any(void)
{
	uint64_t until = fsd_now_ns() + H_WAIT_NS;

	while (!h_packet()) {
		h_turn();
		if (fsd_now_ns() >= until)
			fail_msg("no answer");
	}
}

/* The answer to `unique` in `answer`; others that arrive before it are a mistake. */
static inline int
h_answer(uint64_t unique)
{
	h_answer_any();
	assert_int_equal(answer.head.unique, unique);
	return answer.head.error;
}

static inline void
h_no_answer(uint32_t ms)
{
	h_run_ms(ms);
	assert_false(h_packet());
}

/* The replica's side. */

static inline bool
h_accept(void)
{
	int fd = accept4(h.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return false;
	if (h.replica >= 0)
		close(h.replica);
	h.replica = fd;
	h.in_len = 0;
	return true;
}

static inline void
h_wait_accept(void)
{
	uint64_t until = fsd_now_ns() + H_WAIT_NS;

	while (!h_accept()) {
		assert_true(fsd_now_ns() < until);
		h_turn();
	}
}

static inline void
h_tell(const struct wire_msg *msg)
{
	msgpack_sbuffer out;

	msgpack_sbuffer_init(&out);
	frame_pack(&out, msg);
	for (size_t at = 0; at < out.size;) {
		ssize_t n = send(h.replica, out.data + at, out.size - at, MSG_NOSIGNAL);

		if (n > 0)
			at += (size_t)n;
		else if (errno == EAGAIN)
			h_turn();
		else
			fail_msg("the connection is gone: %s", strerror(errno));
	}
	msgpack_sbuffer_destroy(&out);
}

/* The next message in h.msg. */
static inline bool
h_take(void)
{
	uint32_t len;
	ssize_t n = recv(h.replica, h.in + h.in_len, sizeof h.in - h.in_len, MSG_DONTWAIT);

	if (n > 0)
		h.in_len += (size_t)n;
	if (h.in_len < 4)
		return false;
	memcpy(&len, h.in, 4);
	len = ntohl(len);
	if (h.in_len < 4 + len)
		return false;
	memcpy(h.frame, h.in + 4, len);
	memmove(h.in, h.in + 4 + len, h.in_len - 4 - len);
	h.in_len -= 4 + len;
	msgpack_zone_clear(h.zone);
	assert_int_equal(wire_unpack(h.frame, len, h.zone, &h.msg), 0);
	return true;
}

/* Pings come when it is their time, whatever a test is about: answered. False: it was none. */
static inline bool
h_ping_answered(void)
{
	struct wire_msg pong = { .type = WIRE_T_PONG,
		.pong = { .sent_ns = h.msg.ping.sent_ns, .alive = 1 } };

	if (h.msg.type != WIRE_T_PING)
		return false;
	h_tell(&pong);
	return true;
}

static inline struct wire_msg *
h_expect(enum wire_type type)
{
	uint64_t until = fsd_now_ns() + H_WAIT_NS;

	while (fsd_now_ns() < until) {
		if (!h_take()) {
			h_turn();
			continue;
		}
		if (type != WIRE_T_PING && h_ping_answered())
			continue;
		if (h.msg.type != type)
			fail_msg(
			    "%s came, not %s", wire_type_name(h.msg.type), wire_type_name(type));
		return &h.msg;
	}
	fail_msg("no %s", wire_type_name(type));
	return NULL;
}

static inline void
h_nothing_sent(uint32_t ms)
{
	h_run_ms(ms);
	while (h_take())
		if (!h_ping_answered())
			fail_msg("%s came", wire_type_name(h.msg.type));
}

#define H_RID(unique) ((unique)*KERNEL_RIDS)

/* To an rid, or to the write that a request of the kernel became, by its unique. */
static inline void
h_reply(uint64_t rid, int code, uint64_t zxid, const struct wire_stat *stat, const char *data)
{
	struct wire_msg msg = { .type = WIRE_T_REPLY,
		.reply = {
		    .rid = rid < KERNEL_RIDS ? H_RID(rid) : rid, .code = code, .zxid = zxid } };
	msgpack_sbuffer packed;

	msgpack_sbuffer_init(&packed);
	if (stat != NULL) {
		wire_stat_pack(&packed, stat);
		msg.reply.stat =
		    (struct blob){ (const uint8_t *)packed.data, (uint32_t)packed.size };
	}
	if (data != NULL)
		msg.reply.data = (struct blob){ (const uint8_t *)data, (uint32_t)strlen(data) };
	h_tell(&msg);
	msgpack_sbuffer_destroy(&packed);
}

/* Of the number to STATFS, or USAGE: what is packed. */
static inline void
h_reply_packed(uint64_t rid, const struct wire_stat *stat, const msgpack_sbuffer *packed)
{
	struct wire_msg msg = { .type = WIRE_T_REPLY, .reply = { .rid = rid, .zxid = 0x105 } };
	msgpack_sbuffer of;

	msgpack_sbuffer_init(&of);
	if (stat != NULL) {
		wire_stat_pack(&of, stat);
		msg.reply.stat = (struct blob){ (const uint8_t *)of.data, (uint32_t)of.size };
	}
	msg.reply.data = (struct blob){ (const uint8_t *)packed->data, (uint32_t)packed->size };
	h_tell(&msg);
	msgpack_sbuffer_destroy(&of);
}

static inline void
h_reply_space(uint64_t rid, const struct wire_space *space)
{
	msgpack_sbuffer packed;

	msgpack_sbuffer_init(&packed);
	wire_space_pack(&packed, space);
	h_reply_packed(rid, NULL, &packed);
	msgpack_sbuffer_destroy(&packed);
}

static inline struct wire_stat
h_stat(uint64_t id, uint32_t mode)
{
	return (struct wire_stat){ .id = id,
		.parent = 1,
		.mode = mode,
		.czxid = 5,
		.mzxid = 6,
		.pzxid = 5,
		.mtime_ns = 1500000000,
		.ctime_ns = 2500000000 };
}

static inline void
h_change(enum wire_change_kind kind, uint64_t zxid, uint64_t id, uint32_t mode, const char *name)
{
	struct wire_msg msg = { .type = WIRE_T_CHANGE,
		.change = { .zxid = zxid,
		    .last = 1,
		    .kind = kind,
		    .mode = mode,
		    .id = id,
		    .parent = 1,
		    .name = { (const uint8_t *)name, (uint32_t)strlen(name) } } };

	h_tell(&msg);
}

static inline void
h_welcome(int code, uint64_t session, uint64_t zxid)
{
	static const uint8_t secret[WIRE_SECRET_LEN] = "0123456789abcde";
	struct wire_msg msg = { .type = WIRE_T_WELCOME,
		.welcome = { .code = code,
		    .session = session,
		    .secret = { secret, sizeof secret },
		    .timeout_ms = h.timeout_ms,
		    .replica = 1,
		    .zxid = zxid } };

	h_tell(&msg);
}

static inline void
h_resumed(uint64_t zxid, uint32_t complete)
{
	struct wire_msg msg = { .type = WIRE_T_RESUMED,
		.resumed = { .zxid = zxid, .complete = complete } };

	h_tell(&msg);
}

static inline void
h_until_state(enum link_state state)
{
	uint64_t until = fsd_now_ns() + H_WAIT_NS;

	while (link_get_state(h.fsd.link) != state) {
		assert_true(fsd_now_ns() < until);
		h_turn();
	}
}

/* The whole opening of a new connection. */
static inline void
h_open(uint64_t zxid)
{
	h_wait_accept();
	h_expect(WIRE_T_HELLO);
	h_welcome(ERR_OK, H_SESSION, zxid);
	h_expect(WIRE_T_RESUME);
	h_resumed(zxid, 1);
	h_until_state(LINK_CONNECTED);
}

static inline int
h_listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	unlink(path);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static inline void
h_listen(void)
{
	snprintf(h.path, sizeof h.path, "%s/s", h.dir);
	h.listener = h_listen_at(h.path);
}

static inline void
h_on_ready(void *arg)
{
	(void)arg;
	h.ready = true;
}

static inline void
h_on_gone(void *arg, int errnum)
{
	(void)arg;
	(void)errnum;
	h.gone = true;
}

static const struct kernel_handler h_kernel = { .ready = h_on_ready, .gone = h_on_gone };

static inline uint64_t
h_init(void)
{
	struct fuse_init_in in = { .major = FUSE_KERNEL_VERSION,
		.minor = 38,
		.max_readahead = 131072,
		.flags = FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | FUSE_BIG_WRITES |
			 FUSE_ATOMIC_O_TRUNC | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
			 FUSE_FLOCK_LOCKS | FUSE_POSIX_LOCKS | FUSE_WRITEBACK_CACHE |
			 FUSE_INIT_EXT };

	return h_request(FUSE_INIT, 0, &in, sizeof in);
}

/* Everything but the connection. second: another replica's address, NULL: there is none. */
static inline void
h_begin_with(uint32_t timeout_ms, bool stale, const char *second)
{
	static struct link_address addresses[2];
	struct link_options options = { .addresses = addresses,
		.naddresses = second == NULL ? 1 : 2,
		.timeout_ms = timeout_ms,
		.identity = "test",
		.stale = stale };
	int pair[2], size = 4 << 20, i;

	memset(&h, 0, sizeof h);
	h.replica = -1;
	h.timeout_ms = timeout_ms;
	h.zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
	snprintf(h.dir, sizeof h.dir, "/tmp/fsd_test.XXXXXX");
	assert_non_null(mkdtemp(h.dir));
	h_listen();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	for (i = 0; i < 2; i++)
		if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
			setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	h.device = pair[0];
	h.fsd_device = pair[1];
	h.fsd.base = event_base_new();
	h.fsd.stale = stale;
	h.fsd.root = (struct wire_stat){ .id = 1, .mode = S_IFDIR | 0755 };
	h.fsd.echo = (struct echo *)&h;
	h.fsd.kept = kept_open(h_kept_fd < 0 ? -1 : dup(h_kept_fd));
	assert_non_null(h.fsd.kept);
	kept_enter(h.fsd.kept);
	options.kept = &h.fsd.kept->head->link;
	h.fsd.inodes = inodes_new(&h.fsd);
	h.fsd.handles = handles_new();
	h.fsd.qualifieds = qualifieds_new();
	h.fsd.graces = graces_new(&h.fsd.kept->head->graces);
	h.fsd.waits = waits_new(&h.fsd);
	h.fsd.strays = strays_new(&h.fsd);
	assert_non_null(kernel_new(&h.fsd, pair[1], &h_kernel, NULL));
	kernel_start(h.fsd.kernel);
	addresses[0].text = h.path;
	addresses[1].text = second;
	h.fsd.link = link_new(h.fsd.base, &options, &session_handler, &h.fsd);
	if (h.fsd.kept->takes_over)
		return;
	assert_int_equal(h_answer(h_init()), 0);
	assert_true(h.ready);
}

static inline void
h_begin(uint32_t timeout_ms, bool stale)
{
	h_begin_with(timeout_ms, stale, NULL);
}

static inline int
h_setup(void **state)
{
	(void)state;
	h_begin(10000, false);
	h_open(0x100);
	return 0;
}

static inline int
h_teardown(void **state)
{
	(void)state;
	inode_drops_stop(&h.fsd);
	while (!inode_drops_stopped(&h.fsd))
		usleep(50);
	link_free(h.fsd.link);
	kernel_free(h.fsd.kernel);
	strays_free(h.fsd.strays);
	waits_free(h.fsd.waits);
	handles_free(&h.fsd);
	graces_free(h.fsd.graces);
	inodes_free(h.fsd.inodes);
	qualifieds_free(h.fsd.qualifieds);
	kept_close(h.fsd.kept);
	event_base_free(h.fsd.base);
	msgpack_zone_free(h.zone);
	close(h.device);
	if (h.replica >= 0)
		close(h.replica);
	close(h.listener);
	unlink(h.path);
	rmdir(h.dir);
	return 0;
}

/* Whole operations that tests begin with. */

static inline uint64_t
h_lookup_send(uint64_t parent, const char *name)
{
	return h_request(FUSE_LOOKUP, parent, name, strlen(name) + 1);
}

/* The kernel learns of a file or directory. */
static inline void
h_known(uint64_t id, uint32_t mode, const char *name)
{
	struct wire_stat stat = h_stat(id, mode);
	uint64_t unique = h_lookup_send(1, name);

	h_reply(h_expect(WIRE_T_LOOKUP)->lookup.rid, ERR_OK, 0x100, &stat, NULL);
	assert_int_equal(h_answer(unique), 0);
}

static inline uint64_t
h_open_send(uint64_t ino, int flags)
{
	struct fuse_open_in in = { .flags = (uint32_t)flags };

	return h_request(FUSE_OPEN, ino, &in, sizeof in);
}

static inline uint64_t
h_fh(void)
{
	return ((struct fuse_open_out *)(void *)answer.body)->fh;
}

static inline uint64_t
h_write_send(uint64_t ino, uint64_t fh, int flags, uint64_t offset, const char *data, size_t len)
{
	struct fuse_write_in in = {
		.fh = fh, .offset = offset, .size = (uint32_t)len, .flags = (uint32_t)flags
	};

	return h_request2(FUSE_WRITE, ino, &in, sizeof in, data, len);
}

static inline uint64_t
h_read_send(uint64_t ino, uint64_t fh, uint64_t offset, uint32_t size)
{
	struct fuse_read_in in = { .fh = fh, .offset = offset, .size = size };

	return h_request(FUSE_READ, ino, &in, sizeof in);
}

static inline uint64_t
h_release_send(uint64_t ino, uint64_t fh, int flags)
{
	struct fuse_release_in in = { .fh = fh, .flags = (uint32_t)flags };

	return h_request(FUSE_RELEASE, ino, &in, sizeof in);
}

/* flock(2), as the kernel says it; how: LOCK_SH, LOCK_EX or LOCK_UN, and LOCK_NB. */
static inline uint64_t
h_flock_send(uint64_t ino, uint64_t fh, int how)
{
	struct fuse_lk_in in = { .fh = fh, .owner = fh * 3, .lk_flags = FUSE_LK_FLOCK };

	in.lk.type = (uint32_t)((how & LOCK_UN) != 0   ? F_UNLCK
				: (how & LOCK_EX) != 0 ? F_WRLCK
						       : F_RDLCK);
	return h_request((how & LOCK_NB) != 0 ? FUSE_SETLK : FUSE_SETLKW, ino, &in, sizeof in);
}

/* The file has been locked once: the kernel says so. */
static inline uint64_t
h_release_lock_send(uint64_t ino, uint64_t fh, int flags)
{
	struct fuse_release_in in = { .fh = fh,
		.flags = (uint32_t)flags,
		.release_flags = FUSE_RELEASE_FLOCK_UNLOCK,
		.lock_owner = fh * 3 };

	return h_request(FUSE_RELEASE, ino, &in, sizeof in);
}

/* kh 0: nobody is to be woken. */
static inline uint64_t
h_poll_send(uint64_t ino, uint64_t fh, uint64_t kh)
{
	struct fuse_poll_in in = { .fh = fh,
		.kh = kh,
		.flags = kh == 0 ? 0 : FUSE_POLL_SCHEDULE_NOTIFY,
		.events = POLLIN | POLLOUT };

	return h_request(FUSE_POLL, ino, &in, sizeof in);
}

/* What poll(2) is answered. */
static inline uint32_t
h_revents(void)
{
	return ((struct fuse_poll_out *)(void *)answer.body)->revents;
}

static inline uint64_t
h_fsync_send(uint64_t ino, uint64_t fh)
{
	struct fuse_fsync_in in = { .fh = fh };

	return h_request(FUSE_FSYNC, ino, &in, sizeof in);
}

static inline uint64_t
h_flush_send(uint64_t ino, uint64_t fh)
{
	struct fuse_flush_in in = { .fh = fh };

	return h_request(FUSE_FLUSH, ino, &in, sizeof in);
}

#define H_DEAD_TID 0x3ffffff /* above any pid: a fatal signal has ended it */

/* As any thread's: h_request from another one. */
static inline uint64_t
h_request_of(uint32_t tid, uint32_t opcode, uint64_t node, const void *body, size_t len)
{
	h.unique += 2;
	h_send_raw(opcode, h.unique, node, tid, body, len);
	return h.unique;
}

static inline void
h_interrupt(uint64_t unique)
{
	struct fuse_interrupt_in in = { .unique = unique };

	h_send_raw(FUSE_INTERRUPT, unique | 1, 0, 0, &in, sizeof in);
}

static inline void
h_body_is(const char *text)
{
	assert_int_equal(answer.len, strlen(text));
	assert_memory_equal(answer.body, text, strlen(text));
}

#endif
