/*
 * fsd's process: started with /dev/fuse and a control socket, told to end by
 * our signals, waited for. The control socket carries one datagram each way in
 * a life: fsd says "ready" or "failed: WHY"; its end tells fsd that we are
 * gone. See mountd.h.
 */
#include "mountd/mountd.h"

#include "replica/lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define FAILED "failed: " /* before what a datagram says of a failed start */
#define SLACK_MS 5000	  /* beyond the session timeout, until the mount must answer */

struct child {
	pid_t pid;
	int control;
	bool ready, ending, failed;
	int64_t deadline_ms; /* INT64_MAX: none */
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* fsd lies beside us, before and after installation. */
static void
fsd_path(char *path, size_t len)
{
	ssize_t n = readlink("/proc/self/exe", path, len - 1);
	char *slash;

	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		snprintf(slash + 1, len - (size_t)(slash + 1 - path), "zabfs-fsd");
		if (access(path, X_OK) == 0)
			return;
	}
	snprintf(path, len, "zabfs-fsd");
}

/* As fsd does it: in the background the child has no stderr that anybody reads. */
static _Noreturn void
child_fails(int control, int code, const char *what)
{
	char text[PATH_MAX + 64];

	snprintf(text, sizeof text, "%s%s: %s", FAILED, what, strerror(errno));
	send(control, text, strlen(text), MSG_NOSIGNAL);
	_exit(code);
}

/*
 * In the background fsd keeps nothing of whoever started us: he may wait for the end of a pipe.
 * What it has to say until it is ready comes through the control socket.
 */
static void
fsd_stdio(const struct mountd *mountd, int control)
{
	int null, log;

	if (!mountd->foreground) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
		    dup2(null, STDERR_FILENO) < 0)
			child_fails(control, EX_OSERR, "/dev/null");
	}
	if (mountd->fsd_log == NULL)
		return;
	log = open(mountd->fsd_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (log < 0 || dup2(log, STDERR_FILENO) < 0)
		child_fails(control, EX_CANTCREAT, mountd->fsd_log);
}

static _Noreturn void
fsd_exec(struct mountd *mountd, int control)
{
	char path[PATH_MAX], fuse[16], ctl[16], options[64];
	const char *argv[24];
	sigset_t none;
	int argc = 0;

	fsd_path(path, sizeof path);
	snprintf(fuse, sizeof fuse, "%d", mountd->fuse_fd);
	snprintf(ctl, sizeof ctl, "%d", control);
	snprintf(options, sizeof options, "timeout=%ums%s", (unsigned)mountd->timeout_ms,
	    mountd->stale ? ",stale" : "");
	argv[argc++] = path;
	argv[argc++] = "-f";
	argv[argc++] = mountd->conf;
	if (mountd->socket != NULL) {
		argv[argc++] = "-s";
		argv[argc++] = mountd->socket;
	}
	if (mountd->subtree != NULL) {
		argv[argc++] = "-r";
		argv[argc++] = mountd->subtree;
	}
	argv[argc++] = "-m";
	argv[argc++] = mountd->mountpoint;
	argv[argc++] = "-F";
	argv[argc++] = fuse;
	argv[argc++] = "-C";
	argv[argc++] = ctl;
	argv[argc++] = "-o";
	argv[argc++] = options;
	if (mountd->foreground || mountd->fsd_log != NULL)
		argv[argc++] = "-d";
	if (mountd->verbose > 0)
		argv[argc++] = "-v";
	argv[argc] = NULL;
	fcntl(mountd->fuse_fd, F_SETFD, 0);
	fcntl(control, F_SETFD, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fsd_stdio(mountd, control);
	execvp(path, (char **)(uintptr_t)argv);
	child_fails(control, EX_UNAVAILABLE, path);
}

static int
start(struct mountd *mountd, struct child *child)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		log_error("control socket: %s", strerror(errno));
		return EX_OSERR;
	}
	child->pid = fork();
	if (child->pid == 0)
		fsd_exec(mountd, pair[1]);
	close(pair[1]);
	if (child->pid < 0) {
		log_error("starting fsd: %s", strerror(errno));
		close(pair[0]);
		return EX_OSERR;
	}
	child->control = pair[0];
	child->deadline_ms = now_ms() + mountd->timeout_ms + SLACK_MS;
	log_info("fsd started pid=%d mountpoint=%s", (int)child->pid, mountd->mountpoint);
	return 0;
}

static void
end(struct child *child)
{
	if (child->ending)
		return;
	child->ending = true;
	child->deadline_ms = now_ms() + ENDING_MS;
	kill(child->pid, SIGTERM);
}

static void
on_control(struct child *child, void (*ready)(void))
{
	char text[512];
	ssize_t n = recv(child->control, text, sizeof text - 1, MSG_DONTWAIT);

	if (n <= 0) {
		/* It closed its end: it is about to end, and waitpid tells how. */
		close(child->control);
		child->control = -1;
		return;
	}
	text[n] = '\0';
	if (strcmp(text, "ready") == 0 && !child->ready) {
		child->ready = true;
		child->deadline_ms = child->ending ? child->deadline_ms : INT64_MAX;
		log_info("mounted");
		ready();
	} else {
		child->failed = true;
		log_error(
		    "%s", text + (strncmp(text, FAILED, strlen(FAILED)) == 0 ? strlen(FAILED) : 0));
	}
}

/* A hangup means the terminal; in the background there is none. */
static void
on_signal(const struct mountd *mountd, struct child *child, int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof info) != sizeof info)
		return;
	if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT ||
	    (info.ssi_signo == SIGHUP && mountd->foreground))
		end(child);
}

static void
on_deadline(const struct mountd *mountd, struct child *child)
{
	if (child->ending) {
		log_warn("fsd does not end, killed pid=%d", (int)child->pid);
		kill(child->pid, SIGKILL);
		child->deadline_ms = INT64_MAX;
		return;
	}
	log_error("no replica answers at %s%s within the session timeout",
	    mountd->socket != NULL ? mountd->socket : "the socket of ",
	    mountd->socket != NULL ? "" : mountd->conf);
	child->failed = true;
	end(child);
}

/* Until fsd is gone; its wait status. */
static int
wait_for_end(const struct mountd *mountd, struct child *child, int signals, void (*ready)(void))
{
	struct pollfd fds[2];
	int64_t left;
	int status;

	for (;;) {
		if (waitpid(child->pid, &status, WNOHANG) == child->pid)
			return status;
		left = child->deadline_ms == INT64_MAX ? -1 : child->deadline_ms - now_ms();
		if (child->deadline_ms != INT64_MAX && left <= 0) {
			on_deadline(mountd, child);
			continue;
		}
		fds[0] = (struct pollfd){ .fd = signals, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = child->control, .events = POLLIN };
		if (poll(fds, 2, left > INT_MAX ? INT_MAX : (int)left) <= 0)
			continue;
		if (fds[1].revents != 0)
			on_control(child, ready);
		if (fds[0].revents != 0)
			on_signal(mountd, child, signals);
	}
}

int
supervise(struct mountd *mountd, void (*ready)(void))
{
	struct child child = { .control = -1 };
	sigset_t set;
	int signals, status, code;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0) {
		log_error("signalfd: %s", strerror(errno));
		return EX_OSERR;
	}
	code = start(mountd, &child);
	if (code != 0)
		return code;
	status = wait_for_end(mountd, &child, signals, ready);
	/* fsd may have said why it failed just before it ended. */
	if (child.control >= 0)
		on_control(&child, ready);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return child.failed ? EX_UNAVAILABLE : 0;
	if (child.ready || !child.failed)
		log_error("fsd ended %s=%d", WIFEXITED(status) ? "code" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	if (child.ready)
		return child.ending ? 0 : 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_UNAVAILABLE;
}
