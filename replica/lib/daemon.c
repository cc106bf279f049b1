/* Usage, and going to the background. See daemon.h; called by the mains. */
#include "replica/lib/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static int ready_fd = -1; /* the parent waits at the other end */

void
daemon_help(int argc, char **argv, const char *usage)
{
	if (argc != 2 || (strcmp(argv[1], "-h") != 0 && strcmp(argv[1], "--help") != 0))
		return;
	fputs(usage, stdout);
	exit(0);
}

/* The parent: one byte is ready, the pipe's end is the child's. */
static _Noreturn void
parent_wait(pid_t child, int fd)
{
	char byte;
	int status;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(0);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			_exit(EX_OSERR);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE);
}

void
daemon_start(bool foreground)
{
	int fds[2];
	pid_t child;

	if (!foreground)
		signal(SIGHUP, SIG_IGN);
	if (foreground || getenv("NOTIFY_SOCKET") != NULL)
		return;
	if (pipe2(fds, O_CLOEXEC) != 0 || (child = fork()) < 0) {
		perror("going to the background");
		exit(EX_OSERR);
	}
	if (child != 0) {
		close(fds[1]);
		parent_wait(child, fds[0]);
	}
	close(fds[0]);
	/* Whoever started us may have a file open that he wants to unmount. */
	ready_fd = dup3(fds[1], STDERR_FILENO + 1, O_CLOEXEC);
	if (ready_fd < 0)
		ready_fd = fds[1];
	close_range((unsigned)ready_fd + 1, ~0U, 0);
	setsid();
}

/* sd_notify(3), without its library: one datagram. */
static void
notify_systemd(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof to.sun_path)
		return;
	len = strlen(path);
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract address */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, "READY=1", strlen("READY=1"), MSG_NOSIGNAL, (struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

void
daemon_ready(void)
{
	int null;

	notify_systemd();
	if (ready_fd < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	if (write(ready_fd, "", 1) != 1)
		exit(EX_OSERR);
	close(ready_fd);
	ready_fd = -1;
}
