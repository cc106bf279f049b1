/*
 * The life of a mount: fsd after fsd. One that dies, hangs, or is to be replaced
 * by what was installed since, is followed by another, which goes on with what
 * is open (fsd/kept.h). Processes wait meanwhile; nothing they asked for is lost.
 *
 * We say "go" (the device is yours), "ping" and "leave"; fsd says "standby",
 * "ready", "pong", "left" (another may go on), "ended" (the mount did), "failed:
 * WHY". Its end of the socket closes when it is dead, even where a thread of it
 * hangs in the kernel until the next one answers. Our end tells it that we are
 * gone. See mountd.h.
 */
#include "mountd/mountd.h"

#include "replica/lib/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define SLACK_MS 5000	/* beyond the session timeout, until the mount must answer */
#define TAKE_MS 5000	/* until one that goes on must say so */
#define LEAVE_MS 2000	/* until one that is to leave must have */
#define KILLED_MS 1000	/* until one that was killed is dead for us, whatever holds it up */
#define REAP_MS 5	/* for what it ended with, which only the log wants to know */
#define PING_MS 1000	/* between two */
#define PINGS_MAX 5	/* without an answer: it hangs */
#define QUICK_MS 1000	/* a life as short as that */
#define QUICK_MAX 10	/* in a row: something is wrong that does not go away */
#define QUICK_FREE 3	/* that many need no pause */
#define PAUSE_MS_MIN 20 /* then, doubled each time */
#define PAUSE_MS_MAX 500

struct supervisor {
	struct mountd *mountd;
	void (*ready)(void);
	int signals;
	int program;		/* owned; that serves, or served last: it follows whatever dies */
	struct child now, next; /* next: it is to take over from one that lives */
	bool mounted;		/* it has answered once: from now on a death is no end */
	bool ending, failed;
	unsigned quick;	  /* deaths in a row */
	int64_t again_ms; /* when the next one is started; INT64_MAX: there is one */
	int64_t ping_ms;  /* the next one */
	int64_t gone_ms;  /* since when nobody serves */
	bool over;
	int code;
};

static void
over(struct supervisor *super, int code)
{
	super->over = true;
	super->code = code;
}

static void
go(struct child *child)
{
	child->going = true;
	child->started_ms = now_ms();
	child_say(child, "go");
}

/* For want of memory, processes or descriptors, of which there may be some in a moment. */
static void
start_later(struct supervisor *super, int code)
{
	if (super->mounted && ++super->quick < QUICK_MAX)
		super->again_ms = now_ms() + PAUSE_MS_MAX;
	else
		over(super, code);
}

static void
start(struct supervisor *super)
{
	int code = child_start(super->mountd, super->program, &super->now);

	super->again_ms = INT64_MAX;
	if (code != 0) {
		start_later(super, code);
		return;
	}
	super->now.started_ms = now_ms();
	super->now.deadline_ms =
	    now_ms() + (super->mounted ? TAKE_MS : (int64_t)super->mountd->timeout_ms + SLACK_MS);
}

/* The one that stands by begins. */
static void
promote(struct supervisor *super)
{
	super->now = super->next;
	super->next = (struct child){ .control = -1, .deadline_ms = INT64_MAX };
	super->now.deadline_ms = now_ms() + TAKE_MS;
	go(&super->now);
}

static int64_t
pause_ms(unsigned quick)
{
	int64_t ms = PAUSE_MS_MIN;

	if (quick <= QUICK_FREE)
		return 0;
	while (--quick > QUICK_FREE)
		ms *= 2;
	return ms < PAUSE_MS_MAX ? ms : PAUSE_MS_MAX;
}

static bool
was_quick(const struct child *child)
{
	return now_ms() - child->started_ms < QUICK_MS;
}

/* One that has not served is followed by what did. */
static void
forget_now(struct supervisor *super)
{
	if (super->now.program != super->program)
		close(super->now.program);
	child_forget(&super->now);
}

/* Another one goes on, unless that has been tried too often. */
static void
restart(struct supervisor *super, const char *how)
{
	super->quick = was_quick(&super->now) ? super->quick + 1 : 0;
	if (super->quick >= QUICK_MAX) {
		log_error("fsd died %u times in a row, each within %d ms: unmounting", super->quick,
		    QUICK_MS);
		over(super, 1);
		return;
	}
	log_warn("fsd died %s pid=%d", how, (int)super->now.pid);
	super->gone_ms = now_ms();
	forget_now(super);
	if (super->next.standby)
		promote(super);
	else
		super->again_ms = now_ms() + pause_ms(super->quick);
}

/* Of one that has not served: what it ended with says why. */
static void
never_mounted(struct supervisor *super)
{
	const struct child *child = &super->now;
	char how[CHILD_END_MAX];

	if (child->reaped && WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0) {
		over(super, super->failed ? EX_UNAVAILABLE : 0);
		return;
	}
	if (!super->failed)
		log_error("fsd ended %s", child_end_text(child, how));
	over(super, child->reaped && WIFEXITED(child->status) ? WEXITSTATUS(child->status)
							      : EX_UNAVAILABLE);
}

static void
gone(struct supervisor *super)
{
	struct child *child = &super->now;
	char how[CHILD_END_MAX];

	if (!super->mounted)
		never_mounted(super);
	else if (super->ending || child->ended || !mount_connected(super->mountd))
		over(super, 0);
	else if (child->left && super->next.standby) {
		if (!was_quick(child))
			super->quick = 0;
		child_forget(child);
		super->gone_ms = now_ms();
		promote(super);
	} else
		restart(super, child_end_text(child, how));
}

static void
end(struct supervisor *super)
{
	if (super->ending)
		return;
	super->ending = true;
	child_kill(&super->next);
	if (super->now.pid == 0) {
		over(super, 0);
		return;
	}
	super->now.deadline_ms = now_ms() + ENDING_MS;
	kill(super->now.pid, SIGTERM);
}

/* What was installed since takes over. */
static void
upgrade(struct supervisor *super)
{
	int program;

	if (!super->now.ready || super->ending || super->next.pid != 0) {
		log_warn("SIGHUP: not now");
		return;
	}
	program = child_program();
	if (program < 0) {
		log_warn("the old fsd goes on");
		return;
	}
	if (child_start(super->mountd, program, &super->next) == 0)
		super->next.deadline_ms = now_ms() + TAKE_MS;
	else
		close(program);
}

static void
next_failed(struct supervisor *super)
{
	log_warn("the new fsd can't take over, %s",
	    super->now.leaving ? "and the old one is leaving: another is started"
			       : "the old one goes on");
	child_kill(&super->next);
	close(super->next.program);
	child_forget(&super->next);
}

static void
served(struct supervisor *super)
{
	struct child *child = &super->now;

	child->ready = true;
	if (super->program != child->program)
		close(super->program);
	super->program = child->program;
	if (!super->ending)
		child->deadline_ms = INT64_MAX;
	super->ping_ms = now_ms() + PING_MS;
	if (super->mounted) {
		log_info("fsd goes on pid=%d after_ms=%lld", (int)child->pid,
		    (long long)(now_ms() - super->gone_ms));
		return;
	}
	super->mounted = true;
	log_info("mounted");
	super->ready();
}

/*
 * The socket closes before the process can be waited for, and that may never be: of one that is
 * dead a thread may wait in the kernel.
 */
static void
hung_up(struct child *child, int patience_ms)
{
	int i;

	close(child->control);
	child->control = -1;
	for (i = 0; i < patience_ms * 2 && !child->reaped; i++) {
		child_reap(child);
		if (!child->reaped)
			usleep(500);
	}
	child_kill(child);
}

static void
hear_now(struct supervisor *super)
{
	struct child *child = &super->now;

	switch (child_hear(child)) {
	case CHILD_STANDBY:
		go(child);
		break;
	case CHILD_READY:
		served(super);
		break;
	case CHILD_PONG:
		child->unanswered = 0;
		break;
	case CHILD_LEFT:
		child->left = true;
		break;
	case CHILD_ENDED:
		child->ended = true;
		break;
	case CHILD_FAILED:
		super->failed = true;
		break;
	case CHILD_GONE:
		hung_up(child, super->mounted ? REAP_MS : ENDING_MS);
		gone(super);
		break;
	case CHILD_NOTHING:
		break;
	}
}

static void
hear_next(struct supervisor *super)
{
	switch (child_hear(&super->next)) {
	case CHILD_STANDBY:
		super->next.standby = true;
		super->next.deadline_ms = INT64_MAX;
		super->now.leaving = true;
		super->now.deadline_ms = now_ms() + LEAVE_MS;
		child_say(&super->now, "leave");
		break;
	case CHILD_FAILED:
	case CHILD_GONE:
		next_failed(super);
		break;
	default:
		break;
	}
}

/* Those that nobody remembers were given up before they were quite dead. */
static void
reap(struct supervisor *super)
{
	siginfo_t info = { 0 };

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
		if (info.si_pid == super->now.pid)
			child_reap(&super->now);
		else if (info.si_pid == super->next.pid)
			child_reap(&super->next);
		else
			waitpid(info.si_pid, NULL, WNOHANG);
		info.si_pid = 0;
	}
}

/* A hangup of the terminal is meant for who runs in the foreground. */
static void
on_signal(struct supervisor *super)
{
	struct signalfd_siginfo info;

	if (read(super->signals, &info, sizeof info) != sizeof info)
		return;
	switch (info.ssi_signo) {
	case SIGCHLD:
		reap(super);
		break;
	case SIGHUP:
		if (info.ssi_code == SI_USER)
			upgrade(super);
		else if (super->mountd->foreground)
			end(super);
		break;
	default:
		end(super);
		break;
	}
}

static void
on_deadline(struct supervisor *super)
{
	struct child *child = &super->now;

	if (child->killed) {
		gone(super);
		return;
	}
	if (!super->mounted && !super->ending) {
		log_error("no replica answers at %s%s within the session timeout",
		    super->mountd->socket != NULL ? super->mountd->socket : "the socket of ",
		    super->mountd->socket != NULL ? "" : super->mountd->conf);
		super->failed = true;
		end(super);
		return;
	}
	log_warn("fsd does not %s, killed pid=%d",
	    super->ending    ? "end"
	    : child->leaving ? "leave"
			     : "take over",
	    (int)child->pid);
	child_kill(child);
	child->killed = true;
	child->deadline_ms = now_ms() + KILLED_MS;
}

/* By their number, not by time: while we stand still nobody is asked. */
static void
ping(struct supervisor *super)
{
	struct child *child = &super->now;

	super->ping_ms = now_ms() + PING_MS;
	if (!child->ready || child->killed || child->leaving || super->ending)
		return;
	if (child->unanswered++ < PINGS_MAX) {
		child_say(child, "ping");
		return;
	}
	log_warn("fsd does not answer, killed pid=%d", (int)child->pid);
	child_kill(child);
	child->killed = true;
	child->deadline_ms = now_ms() + KILLED_MS;
}

static int64_t
least(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

static int
patience(const struct supervisor *super)
{
	int64_t at = least(least(super->now.deadline_ms, super->next.deadline_ms),
		    least(super->again_ms, super->ping_ms)),
		left = at - now_ms();

	return left < 0 ? 0 : left > PING_MS ? PING_MS : (int)left;
}

static void
turn(struct supervisor *super)
{
	struct pollfd fds[] = { { .fd = super->signals, .events = POLLIN },
		{ .fd = super->now.control, .events = POLLIN },
		{ .fd = super->next.control, .events = POLLIN } };

	if (poll(fds, 3, patience(super)) > 0) {
		/* Who has left says so first. */
		if (fds[1].revents != 0)
			hear_now(super);
		if (fds[2].revents != 0 && super->next.control == fds[2].fd)
			hear_next(super);
		if (fds[0].revents != 0)
			on_signal(super);
	}
	if (super->over)
		return;
	if (now_ms() >= super->now.deadline_ms)
		on_deadline(super);
	if (now_ms() >= super->next.deadline_ms)
		next_failed(super);
	if (now_ms() >= super->ping_ms)
		ping(super);
	if (!super->over && now_ms() >= super->again_ms)
		start(super);
}

static int
signals_take(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int
supervise(struct mountd *mountd, void (*ready)(void))
{
	struct supervisor super = { .mountd = mountd,
		.ready = ready,
		.now = { .control = -1, .deadline_ms = INT64_MAX },
		.next = { .control = -1, .deadline_ms = INT64_MAX },
		.again_ms = INT64_MAX,
		.ping_ms = INT64_MAX };

	super.program = child_program();
	if (super.program < 0)
		return EX_UNAVAILABLE;
	super.signals = signals_take();
	if (super.signals < 0) {
		log_error("signalfd: %s", strerror(errno));
		return EX_OSERR;
	}
	start(&super);
	while (!super.over)
		turn(&super);
	child_kill(&super.now);
	child_kill(&super.next);
	return super.code;
}
