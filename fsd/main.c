/*
 * zabfs-fsd: the FUSE front end of one mount, started by zabfs-mountd with an
 * open /dev/fuse and a control socket. Wiring: which room hears of what. How it begins
 * and ends is life.h's.
 */
#include "fsd/call.h"
#include "fsd/grace.h"
#include "fsd/inode.h"
#include "fsd/interrupt.h"
#include "fsd/kept.h"
#include "fsd/kernel.h"
#include "fsd/life.h"
#include "fsd/mounted.h"
#include "fsd/qualified.h"
#include "fsd/session.h"
#include "fsd/stray.h"
#include "fsd/subtree.h"

#include "replica/lib/check.h"
#include "replica/lib/conf.h"
#include "replica/lib/err.h"
#include "replica/lib/log.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static void
on_init(void *arg)
{
	struct life *life = arg;

	life->initialised = true;
	life_maybe_ready(life);
}

static void
on_echo_ref(void *arg, uint64_t ino)
{
	struct life *life = arg;

	kept_give(life->fsd.kept, kernel_unique(life->fsd.kernel));
	inode_ref(&life->fsd, ino);
}

static void
on_echo_begins(void *arg)
{
	const struct life *life = arg;

	kernel_apart(life->fsd.kernel, life->complaint_fd);
}

static void
on_echo_complains(void *arg)
{
	static const uint64_t one = 1;
	const struct life *life = arg;

	if (write(life->complaint_fd, &one, sizeof one) < 0)
		return; /* it is full: the loop is about to look */
}

static void
on_complaint(evutil_socket_t fd, short events, void *arg)
{
	struct life *life = arg;
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof count) == sizeof count)
		echo_complaint(life->fsd.echo);
}

static bool
on_echo_last(void *arg, uint64_t id, struct wire_stat *stat)
{
	const struct life *life = arg;

	return inode_last(&life->fsd, id, stat);
}

static void
on_unmounted(void *arg)
{
	struct life *life = arg;

	echo_leave(life->fsd.echo);
	/* The device, which tells as well, is not read yet. */
	if (life->fsd.root.id == 0)
		life_end(life, "unmounted");
}

static void
on_gone(void *arg, int errnum)
{
	life_end(arg, errnum == ENODEV ? "unmounted" : "/dev/fuse failed");
}

/* The session is ended as always. */
static void
refuse(struct life *life, const char *why)
{
	char datagram[512];

	snprintf(datagram, sizeof datagram, "failed: %s: %s", life->options.subtree, why);
	life_tell(life, datagram);
	log_error("%s: %s", life->options.subtree, why);
	life->status = EX_NOINPUT;
	life_end(life, "no root");
}

/* The root is known. */
static void
serve(struct fsd *fsd)
{
	fsd->kept->head->root = fsd->root.id;
	echo_root(fsd->echo, fsd->root.id);
	kernel_start(fsd->kernel);
}

/* Who could not be asked will be, as soon as the session goes on. */
static void
on_found(void *arg, int code)
{
	struct life *life = arg;

	life->searching = false;
	if (code == ERR_NOQUORUM)
		return;
	if (code != ERR_OK) {
		refuse(life, err_text(code));
		return;
	}
	serve(&life->fsd);
	life->connected = true;
	life_maybe_ready(life);
}

static void
on_connected(void *arg)
{
	struct life *life = arg;

	if (life->fsd.root.id != 0) {
		life->connected = true;
		life_maybe_ready(life);
	} else if (!life->searching && life->ending_ns == 0) {
		life->searching = true;
		subtree_find(&life->fsd, life->options.subtree, on_found, life);
	}
}

static void
complaints_begin(struct life *life)
{
	life->complaint_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	life->complaint =
	    event_new(life->fsd.base, life->complaint_fd, EV_READ | EV_PERSIST, on_complaint, life);
	CHECK(life->complaint != NULL && event_add(life->complaint, NULL) == 0);
}

/* The node's own replica, then the members, from one on that differs from mount to mount. */
static size_t
addresses_find(const struct life *life, struct link_address addresses[1 + CONF_MEMBERS_MAX])
{
	const struct conf *conf = life->conf;
	const char *socket = life->options.socket != NULL ? life->options.socket : conf->socket;
	static char path[PATH_MAX];
	size_t n = 0, i, first = (size_t)getpid();

	/* With a slash it is a path (dial.h). */
	snprintf(path, sizeof path, "%s%s", strchr(socket, '/') == NULL ? "./" : "", socket);
	addresses[n++].text = path;
	for (i = 0; i < conf->nmembers; i++) {
		const struct conf_member *member = &conf->members[(first + i) % conf->nmembers];

		if (member->front != NULL)
			addresses[n++] = (struct link_address){ member->front, member->id };
	}
	return n;
}

static void
rooms_make(struct life *life)
{
	static const struct echo_handler echo_handler = { .ref = on_echo_ref,
		.last = on_echo_last,
		.begins = on_echo_begins,
		.complains = on_echo_complains };
	static const struct kernel_handler kernel_handler = { .ready = on_init, .gone = on_gone };
	static char identity[WIRE_IDENTITY_MAX];
	static struct link_address addresses[1 + CONF_MEMBERS_MAX];
	struct link_options link = { .addresses = addresses,
		.naddresses = addresses_find(life, addresses),
		.identity = identity,
		.timeout_ms = life->options.timeout_ms,
		.stale = life->options.stale,
		.kept = &life->fsd.kept->head->link };
	struct fsd *fsd = &life->fsd;
	char host[256] = "";

	gethostname(host, sizeof host - 1);
	snprintf(identity, sizeof identity, "%s:%s", host, life->options.mountpoint);

	fsd->stale = life->options.stale;
	fsd->root.mode = S_IFDIR | 0755;
	if (life->options.subtree == NULL)
		fsd->root.id = FUSE_ROOT_ID;
	else if (fsd->kept->takes_over)
		fsd->root.id = fsd->kept->head->root;
	fsd->connected = on_connected;
	fsd->connected_arg = life;
	fsd->inodes = inodes_new(fsd);
	fsd->handles = handles_new();
	fsd->qualifieds = qualifieds_new();
	fsd->graces = graces_new(&fsd->kept->head->graces);
	fsd->waits = waits_new(fsd);
	fsd->strays = strays_new(fsd);
	if (kernel_new(fsd, life->options.fuse_fd, &kernel_handler, life) == NULL)
		life_hopeless(life, EX_OSERR, "/dev/fuse: %s", strerror(errno));
	fsd->echo = echo_new(fsd->se, life->options.mountpoint, &echo_handler, life);
	if (fsd->echo == NULL)
		life_hopeless(life, EX_OSERR, "the echo's thread: %s", strerror(errno));
	life->mounted = mounted_watch(
	    fsd->base, life->options.mountpoint, &fsd->kept->head->mounted, on_unmounted, life);
	if (life->mounted == NULL)
		life_hopeless(life, EX_OSERR, "the mount table: %s", strerror(errno));
	fsd->link = link_new(fsd->base, &link, &session_handler, fsd);
	CHECK(fsd->link != NULL);
	if (fsd->root.id != 0)
		serve(fsd);
}

/* Where a process before us ended, or anew. */
static void
begin(struct life *life)
{
	struct fsd *fsd = &life->fsd;
	struct kept_head *head = fsd->kept->head;

	if (fsd->kept->takes_over && !kernel_adopt(fsd->kernel))
		life_hopeless(life, EX_OSERR, "taking over: %s", strerror(errno));
	if (head->echo.pending && head->link.replay == 0)
		head->link.replay = head->echo.done.zxid - 1;
	echo_keep(fsd->echo, &head->echo);
	if (fsd->kept->takes_over)
		life_ready(life);
}

/* The answers to what is still open go to the kernel before its descriptor is closed. */
static void
rooms_free(struct life *life)
{
	struct fsd *fsd = &life->fsd;
	bool stopped = life_threads_stopped(life);

	link_free(fsd->link);
	/* With a system call that hangs a thread can't be joined, and its memory is in use. */
	if (!stopped)
		_exit(0);
	mounted_free(life->mounted);
	kernel_free(fsd->kernel);
	echo_free(fsd->echo);
	strays_free(fsd->strays);
	waits_free(fsd->waits);
	handles_free(fsd);
	graces_free(fsd->graces);
	inodes_free(fsd->inodes);
	qualifieds_free(fsd->qualifieds);
	kept_close(fsd->kept);
}

int
main(int argc, char **argv)
{
	static struct life life;
	char err[480];

	options_parse(argc, argv, &life.options);
	log_init("zabfs-fsd", life.options.foreground, life.options.verbose);
	/* Executed from a descriptor: before Linux 6.14 ps(1) shows its number. */
	prctl(PR_SET_NAME, "zabfs-fsd");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* mountd decides */
	if (conf_load(life.options.conf, &life.conf, err, sizeof err) != 0)
		life_hopeless(&life, EX_CONFIG, "%s", err);
	life.fsd.kept = kept_open(life.options.kept_fd);
	if (life.fsd.kept == NULL)
		life_hopeless(&life, EX_SOFTWARE, "what the last fsd has left: %s",
		    errno == EPROTO ? "another layout" : strerror(errno));
	life_wait(&life);
	kept_enter(life.fsd.kept);
	life.fsd.base = event_base_new();
	if (life.fsd.base == NULL)
		life_hopeless(&life, EX_OSERR, "no event loop");
	life_begin(&life);
	complaints_begin(&life);
	rooms_make(&life);
	begin(&life);

	event_base_dispatch(life.fsd.base);
	life_tell(&life, "ended");

	rooms_free(&life);
	event_free(life.complaint);
	close(life.complaint_fd);
	life_free(&life);
	event_base_free(life.fsd.base);
	conf_free(life.conf);
	log_info("ended");
	return life.status;
}
