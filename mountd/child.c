/*
 * fsd's process: started with /dev/fuse, the memory file of what it keeps, and
 * a control socket; and the words on that socket, each a datagram. See mountd.h.
 */
#include "mountd/mountd.h"

#include "replica/lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define FAILED "failed: " /* before what a datagram says of a failed start */

/* fsd lies beside us, before and after installation. */
static void
fsd_path(char *path, size_t len)
{
	static const char self[] = "/proc/self/exe";
	ssize_t n = readlink(self, path, len - 1);
	char *name;

	/* Without proc(5) it is not found, and not looked for where somebody happens to be. */
	if (n < 0)
		n = snprintf(path, len, "%s", self);
	path[n] = '\0';
	name = strrchr(path, '/') + 1;
	snprintf(name, len - (size_t)(name - path), "zabfs-fsd");
}

int
child_program(void)
{
	char path[PATH_MAX];
	int program;

	fsd_path(path, sizeof path);
	program = open(path, O_PATH | O_CLOEXEC);
	if (program < 0)
		log_error("%s: %s", path, strerror(errno));
	return program;
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

/* Returns if it can't. A script is opened once more, by who interprets it. */
static void
program_exec(int program, const char **argv)
{
	char **args = (char **)(uintptr_t)argv;

	fexecve(program, args, environ);
	if (errno != ENOENT)
		return;
	fcntl(program, F_SETFD, 0);
	fexecve(program, args, environ);
}

static _Noreturn void
fsd_exec(struct mountd *mountd, int program, int control)
{
	char path[PATH_MAX], fuse[16], ctl[16], kept[16], options[64];
	const char *argv[24];
	sigset_t none;
	int argc = 0;

	fsd_path(path, sizeof path);
	snprintf(fuse, sizeof fuse, "%d", mountd->fuse_fd);
	snprintf(kept, sizeof kept, "%d", mountd->kept_fd);
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
	argv[argc++] = "-K";
	argv[argc++] = kept;
	argv[argc++] = "-o";
	argv[argc++] = options;
	if (mountd->foreground || mountd->fsd_log != NULL)
		argv[argc++] = "-d";
	if (mountd->verbose > 0)
		argv[argc++] = "-v";
	argv[argc] = NULL;
	fcntl(mountd->fuse_fd, F_SETFD, 0);
	fcntl(mountd->kept_fd, F_SETFD, 0);
	fcntl(control, F_SETFD, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fsd_stdio(mountd, control);
	program_exec(program, argv);
	child_fails(control, EX_UNAVAILABLE, path);
}

int
child_start(struct mountd *mountd, int program, struct child *child)
{
	int pair[2];

	*child = (struct child){ .control = -1, .deadline_ms = INT64_MAX };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		log_error("control socket: %s", strerror(errno));
		return EX_OSERR;
	}
	child->pid = fork();
	if (child->pid == 0)
		fsd_exec(mountd, program, pair[1]);
	close(pair[1]);
	if (child->pid < 0) {
		log_error("starting fsd: %s", strerror(errno));
		close(pair[0]);
		child->pid = 0;
		return EX_OSERR;
	}
	child->control = pair[0];
	child->program = program;
	log_info("fsd started pid=%d mountpoint=%s", (int)child->pid, mountd->mountpoint);
	return 0;
}

void
child_say(const struct child *child, const char *word)
{
	if (child->control >= 0)
		send(child->control, word, strlen(word), MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum child_word
child_hear(struct child *child)
{
	static const struct {
		const char *text;
		enum child_word word;
	} words[] = { { "standby", CHILD_STANDBY }, { "ready", CHILD_READY },
		{ "pong", CHILD_PONG }, { "left", CHILD_LEFT }, { "ended", CHILD_ENDED } };
	char text[512];
	ssize_t n = recv(child->control, text, sizeof text - 1, MSG_DONTWAIT);
	size_t i;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return CHILD_NOTHING;
	if (n <= 0)
		return CHILD_GONE;
	text[n] = '\0';
	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(text, words[i].text) == 0)
			return words[i].word;
	log_error("%s", text + (strncmp(text, FAILED, strlen(FAILED)) == 0 ? strlen(FAILED) : 0));
	return CHILD_FAILED;
}

void
child_kill(struct child *child)
{
	if (child->pid > 0 && !child->reaped)
		kill(child->pid, SIGKILL);
}

void
child_reap(struct child *child)
{
	if (child->pid > 0 && !child->reaped)
		child->reaped = waitpid(child->pid, &child->status, WNOHANG) == child->pid;
}

void
child_forget(struct child *child)
{
	if (child->control >= 0)
		close(child->control);
	*child = (struct child){ .control = -1, .deadline_ms = INT64_MAX };
}

const char *
child_end_text(const struct child *child, char text[CHILD_END_MAX])
{
	if (!child->reaped) /* a thread of it waits in the kernel for the next one */
		snprintf(text, CHILD_END_MAX, "killed");
	else if (WIFEXITED(child->status))
		snprintf(text, CHILD_END_MAX, "code=%d", WEXITSTATUS(child->status));
	else
		snprintf(text, CHILD_END_MAX, "signal=%d", WTERMSIG(child->status));
	return text;
}
