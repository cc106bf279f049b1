/*
 * Listening Unix sockets (unixsock.h): who may connect, and what becomes of a
 * file that is in the way.
 */
#include "replica/net/unixsock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
stream_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int
bind_to(int fd, const struct sockaddr_un *addr)
{
	return bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
}

/*
 * Takes a dead process's socket out of the way. False: err says why not. Only
 * ECONNREFUSED means dead; a live one with a full backlog says EAGAIN.
 */
static bool
remove_stale(const struct sockaddr_un *addr, char *err, size_t errlen)
{
	struct stat st;
	int fd, ret, errnum;

	if (lstat(addr->sun_path, &st) != 0) {
		snprintf(err, errlen, "%s: %s", addr->sun_path, strerror(errno));
		return false;
	}
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(err, errlen, "%s: exists and is not a socket", addr->sun_path);
		return false;
	}
	fd = stream_socket();
	if (fd < 0) {
		snprintf(err, errlen, "socket: %s", strerror(errno));
		return false;
	}
	ret = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	errnum = errno;
	close(fd);
	if (ret == 0 || errnum == EAGAIN) {
		snprintf(err, errlen, "%s: another process listens there", addr->sun_path);
		return false;
	}
	if (errnum != ECONNREFUSED || unlink(addr->sun_path) != 0) {
		snprintf(err, errlen, "%s: %s", addr->sun_path,
		    strerror(errnum != ECONNREFUSED ? errnum : errno));
		return false;
	}
	return true;
}

/* Bound, with what was in the way removed. False: err says why not. */
static bool
bind_fresh(int fd, const struct sockaddr_un *addr, char *err, size_t errlen)
{
	int ret = bind_to(fd, addr);

	if (ret != 0 && errno == EADDRINUSE) {
		if (!remove_stale(addr, err, errlen))
			return false;
		ret = bind_to(fd, addr);
	}
	if (ret != 0)
		snprintf(err, errlen, "%s: %s", addr->sun_path, strerror(errno));
	return ret == 0;
}

bool
unixsock_listen(struct unixsock *sock, const char *path, int backlog, char *err, size_t errlen)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;

	if (path[0] == '\0' || strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(err, errlen, "%s: a socket's path has 1 to %zu bytes", path,
		    sizeof(addr.sun_path) - 1);
		return false;
	}
	memcpy(addr.sun_path, path, strlen(path));

	/* Linux gives the file the socket's mode: no moment with another one, no umask. */
	sock->fd = stream_socket();
	if (sock->fd < 0 || fchmod(sock->fd, 0600) != 0) {
		snprintf(err, errlen, "socket: %s", strerror(errno));
		goto fail;
	}
	if (!bind_fresh(sock->fd, &addr, err, errlen))
		goto fail;
	if (listen(sock->fd, backlog) != 0 || lstat(path, &st) != 0) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		unlink(path);
		goto fail;
	}
	sock->dev = st.st_dev;
	sock->ino = st.st_ino;
	return true;

fail:
	if (sock->fd >= 0)
		close(sock->fd);
	sock->fd = -1;
	return false;
}

void
unixsock_remove(const struct unixsock *sock, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_dev == sock->dev && st.st_ino == sock->ino)
		unlink(path);
}

bool
unixsock_peer_trusted(int fd, pid_t *pid, uid_t *uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	*pid = -1;
	*uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return false;
	*pid = cred.pid;
	*uid = cred.uid;
	return cred.uid == 0 || cred.uid == geteuid();
}
