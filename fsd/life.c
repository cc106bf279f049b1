/*
 * Ready, ending, leaving. See life.h.
 */
#include "fsd/life.h"

#include "fsd/clock.h"
#include "fsd/echo.h"
#include "fsd/handle.h"
#include "fsd/inode.h"
#include "fsd/kept.h"
#include "fsd/kernel.h"
#include "fsd/link.h"
#include "replica/lib/check.h"
#include "replica/lib/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLOSE_MS 2000	     /* for the session's end, if the replica answers at all */
#define THREADS_STOP_MS 2000 /* a system call of a thread that never ends doesn't keep us */
#define LEAVE_MS 500	     /* likewise, where somebody waits to go on */
#define QUEUED_MS 1500	     /* and for what is queued; mountd waits for 2 s */

/* One datagram; mountd logs what failed. */
void
life_tell(const struct life *life, const char *text)
{
	if (life->options.control_fd >= 0 &&
	    send(life->options.control_fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		log_warn("mountd does not listen");
}

_Noreturn void
life_hopeless(const struct life *life, int code, const char *format, ...)
{
	char text[480], datagram[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(datagram, sizeof datagram, "failed: %s", text);
	life_tell(life, datagram);
	fatal(code, "%s", text);
}

void
life_ready(struct life *life)
{
	life->told = true;
	kept_begin(life->fsd.kept);
	life_tell(life, "ready");
	log_info("ready mountpoint=%s session=0x%llx", life->options.mountpoint,
	    (unsigned long long)link_session(life->fsd.link));
}

void
life_maybe_ready(struct life *life)
{
	if (life->initialised && life->connected && !life->told)
		life_ready(life);
}

static void
on_closed(void *arg)
{
	struct life *life = arg;

	event_base_loopbreak(life->fsd.base);
}

bool
life_threads_stopped(const struct life *life)
{
	return echo_stopped(life->fsd.echo) && inode_drops_stopped(&life->fsd);
}

/*
 * Until they have; without our answers they can't. What is queued then is waited for: results that
 * nobody has read are left by a stream with nothing under way alone. There is nothing to be freed.
 */
static void
on_leaving(struct life *life)
{
	static const struct timeval again = { .tv_usec = 1000 };
	uint64_t ms = (fsd_now_ns() - life->ending_ns) / 1000000;
	bool stopped = life_threads_stopped(life) || ms >= LEAVE_MS;

	if (stopped)
		kernel_stop(life->fsd.kernel);
	if (!stopped || (handle_under_way(&life->fsd) && ms < QUEUED_MS)) {
		event_add(life->ending, &again);
		return;
	}
	handle_leave(&life->fsd);
	life_tell(life, "left");
	log_info("left to another process");
	_exit(0);
}

/* Until the threads have stopped, then the session's end. */
static void
on_ending(evutil_socket_t fd, short events, void *arg)
{
	static const struct timeval again = { .tv_usec = 1000 };
	struct life *life = arg;
	bool patient = fsd_now_ns() - life->ending_ns < THREADS_STOP_MS * UINT64_C(1000000);

	(void)fd;
	(void)events;
	if (life->leaving)
		on_leaving(life);
	else if (!life_threads_stopped(life) && patient)
		event_add(life->ending, &again);
	else
		link_close(life->fsd.link, CLOSE_MS, on_closed, life);
}

/* First the threads that wait for the kernel: their system calls need us. */
static void
stop(struct life *life, bool leaving)
{
	life->leaving = leaving;
	life->ending_ns = fsd_now_ns();
	echo_stop(life->fsd.echo);
	inode_drops_stop(&life->fsd);
	event_active(life->ending, EV_TIMEOUT, 1);
}

void
life_end(struct life *life, const char *why)
{
	if (life->ending_ns != 0 && !life->leaving)
		return;
	log_info("ending reason=\"%s\"", why);
	stop(life, false);
}

static void
on_signal(evutil_socket_t number, short events, void *arg)
{
	(void)events;
	life_end(arg, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void
leave(struct life *life)
{
	if (life->ending_ns != 0 || !life->told)
		return;
	stop(life, true);
}

static void
on_control(evutil_socket_t fd, short events, void *arg)
{
	struct life *life = arg;
	char text[64];
	ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

	(void)events;
	if (n <= 0) {
		event_del(life->control);
		life_end(life, "mountd is gone");
		return;
	}
	text[n] = '\0';
	if (strcmp(text, "ping") == 0)
		life_tell(life, "pong");
	else if (strcmp(text, "leave") == 0)
		leave(life);
}

/* Another process may have to leave first. */
void
life_wait(const struct life *life)
{
	char text[64];
	ssize_t n;

	if (life->options.control_fd < 0)
		return;
	life_tell(life, "standby");
	for (;;) {
		n = recv(life->options.control_fd, text, sizeof text - 1, 0);
		if (n == 0 || (n < 0 && errno != EINTR))
			exit(0);
		if (n == 2 && memcmp(text, "go", 2) == 0)
			return;
	}
}

void
life_begin(struct life *life)
{
	struct event_base *base = life->fsd.base;

	life->term = evsignal_new(base, SIGTERM, on_signal, life);
	life->interrupt = evsignal_new(base, SIGINT, on_signal, life);
	life->ending = evtimer_new(base, on_ending, life);
	CHECK(life->term != NULL && life->interrupt != NULL && life->ending != NULL);
	CHECK(event_add(life->term, NULL) == 0 && event_add(life->interrupt, NULL) == 0);
	if (life->options.control_fd < 0)
		return;
	/* No program that we start, none that a crash handler starts, keeps mountd waiting. */
	fcntl(life->options.control_fd, F_SETFD, FD_CLOEXEC);
	life->control =
	    event_new(base, life->options.control_fd, EV_READ | EV_PERSIST, on_control, life);
	CHECK(life->control != NULL && event_add(life->control, NULL) == 0);
}

void
life_free(struct life *life)
{
	event_free(life->term);
	event_free(life->interrupt);
	event_free(life->ending);
	if (life->control != NULL)
		event_free(life->control);
}
