"""The operations of tree.py as system calls on a mount. What a call is told that the model can't
know (a node's version as it is now) comes as an argument from worker.py.
"""
import ctypes
import errno
import os
import stat
import time

HOW = {"x": os.O_CREAT | os.O_EXCL, "c": os.O_CREAT, "t": os.O_CREAT | os.O_TRUNC, "a": os.O_CREAT | os.O_APPEND, "w": 0}
AT_FDCWD = -100
DEADLINE_S = 30
libc = ctypes.CDLL(None, use_errno=True)


def kind(mode):
    return "dir" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "file"


def described(path):
    st = os.lstat(path)
    return kind(st.st_mode), st.st_size, stat.S_IMODE(st.st_mode), st.st_ino


def quoted(data):
    """As a C string."""
    return b'"' + b"".join(b"\\%03o" % c if c < 33 or c > 126 or c in b'"\\' else bytes([c]) for c in data) + b'"'


class Marks:
    """When a mount's kernel has been told of all that was done before: it is told in order, and of a
    file of this process's own at last. A name that it knows it takes for what it was until then:
    readlink(2) is EINVAL, and then ENOENT."""

    def __init__(self, mount, own):
        self.mount, self.number = mount, 0
        self.dir = os.path.join(b"shared", b"marks", own)
        os.mkdir(os.path.join(mount, self.dir))

    def told(self, mount):
        self.number += 1
        name = b"%d" % self.number
        os.close(os.open(os.path.join(self.mount, self.dir, name), os.O_WRONLY | os.O_CREAT))
        mark = os.path.join(mount, self.dir, name)
        self.until(mark, None)
        os.unlink(os.path.join(self.mount, self.dir, b".zab/version=0", name))
        self.until(mark, errno.ENOENT)

    @staticmethod
    def until(mark, wanted):
        """lstat(2) works, or readlink(2) fails so."""
        end = time.time() + DEADLINE_S
        while time.time() < end:
            try:
                (os.readlink if wanted else os.lstat)(mark)
                return
            except OSError as e:
                if wanted and e.errno == wanted:
                    return
            time.sleep(0.001)
        raise OSError(errno.ETIMEDOUT, "a change was not told")


class Real:
    """In the directory `own` of a mount; `others` are that directory on other mounts."""

    def __init__(self, mount, own, others):
        self.mount, self.own, self.others = mount, own, others
        self.base = os.path.join(mount, own)
        self.marks = Marks(mount, own)

    def at(self, path, base=None):
        return os.path.join(base or self.base, *path)

    def through(self, modifier, path):
        return os.path.join(self.at(path[:-1]), b".zab", modifier, path[-1])

    def told(self, mount=None):
        """What went through a modifier or a transaction the kernel is told like a change from
        elsewhere, a moment later: until then a name that is gone may still stand in the way."""
        self.marks.told(mount or self.mount)

    def write(self, path, how, at, data):
        fd = os.open(self.at(path), os.O_WRONLY | os.O_NOFOLLOW | HOW[how], 0o644)
        try:
            if data and how == "a":
                os.write(fd, data)
            elif data:
                os.pwrite(fd, data, at)
        finally:
            os.close(fd)
        if not data and how == "t":
            self.told()

    def truncate(self, path, size):
        fd = os.open(self.at(path), os.O_WRONLY | os.O_NOFOLLOW)
        try:
            os.ftruncate(fd, size)
        finally:
            os.close(fd)

    def several(self, path, lines):
        fd = os.open(self.through(b"async", path), os.O_WRONLY | os.O_NOFOLLOW | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            for line in lines:
                os.write(fd, line)
            os.fsync(fd)
        finally:
            os.close(fd)

    def read(self, path, base=None):
        fd = os.open(self.at(path, base), os.O_RDONLY | os.O_NOFOLLOW)
        try:
            return b"".join(iter(lambda: os.read(fd, 100000), b""))
        finally:
            os.close(fd)

    def mkdir(self, path):
        os.mkdir(self.at(path), 0o755)

    def symlink(self, path, target):
        os.symlink(target, self.at(path))

    def readlink(self, path):
        return os.readlink(self.at(path))

    def unlink(self, path):
        os.unlink(self.at(path))

    def rmdir(self, path):
        os.rmdir(self.at(path))

    def rename(self, path, to, flags):
        if libc.renameat2(AT_FDCWD, self.at(path), AT_FDCWD, self.at(to), flags):
            raise OSError(ctypes.get_errno(), "")

    def chmod(self, path, mode):
        os.chmod(self.at(path), mode)

    def stat(self, path):
        return described(self.at(path))

    def look(self, path, which):
        """What is told there in order comes before what is told later."""
        other = self.others[which]
        self.told(os.path.dirname(other))
        return described(self.at(path, other))

    def listdir(self, path):
        with os.scandir(self.at(path)) as entries:
            return sorted((entry.name, "link" if entry.is_symlink() else "dir" if entry.is_dir() else "file")
                          for entry in entries)

    def value(self, path, data):
        fd = os.open(self.at(path + (b".zab", b"data")), os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)

    def sequence(self, path, prefix, data):
        fd = os.open(self.through(b"sequence", path + (prefix,)), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.write(fd, data)
            return os.pread(fd, 1000, 0)[:-1]
        finally:
            os.close(fd)

    def ephemeral(self, path, data):
        fd = os.open(self.through(b"ephemeral", path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)

    def held(self, path, data):
        fd = os.open(self.through(b"held", path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
        self.told()

    def versioned(self, path, version, data):
        fd = os.open(self.through(b"version=%d" % version, path), os.O_WRONLY | os.O_NOFOLLOW)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)

    def remove_versioned(self, path, version):
        os.unlink(self.through(b"version=%d" % version, path))
        self.told()

    def txn(self, steps):
        text = b"".join(self.line(*step) for step in steps)
        fd = os.open(os.path.join(self.mount, b".zab", b"txn"), os.O_WRONLY)
        try:
            os.write(fd, text)
        finally:
            os.close(fd)
        self.told()

    def line(self, word, path, argument):
        text = word.encode() + b" " + quoted(b"/" + os.path.join(self.own, *path))
        if word == "check":
            return text + b" version=%d\n" % argument
        return text + (b"\n" if argument is None else b" " + quoted(argument) + b"\n")
