"""What goes on while takeover.t kills fsd: each worker checks what it is told, and prints what is
wrong. usage: takeover_load.py KIND HERE THERE NAME (mounts of one tree), until the file `stop` is."""

import fcntl
import os
import random
import sys
import time

kind, here, there, name = sys.argv[1:5]
bad = 0
done = 0


def complain(text):
    global bad
    bad += 1
    if bad < 10:
        print("%s %s: %s" % (kind, name, text), flush=True)


def until(seconds, condition):
    end = time.time() + seconds
    while not condition():
        if time.time() > end:
            return False
        time.sleep(0.01)
    return True


def whole_write(fd, data):
    if os.write(fd, data) != len(data):
        complain("a short write")


def lines(fd_of):
    """Numbered lines, one write(2) each; in the end each is there once, in order."""
    global done
    path = "%s/%s-%s" % (here, kind, name)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    kept = os.open(path, os.O_WRONLY | os.O_APPEND)
    while not os.path.exists("stop"):
        done += 1
        fd = fd_of(kept, path)
        whole_write(fd, b"%d\n" % done)
        if fd != kept:
            os.close(fd)
    os.fsync(kept)
    for mount in here, there:
        fd = os.open(path.replace(here, mount, 1), os.O_RDONLY)
        os.fsync(fd)
        with os.fdopen(fd) as file:
            got = [int(x) for x in file.read().split()]
        if got != list(range(1, done + 1)):
            wrong = [i for i, x in enumerate(got) if x != i + 1][:3]
            complain("%d lines for %d, from line %s" % (len(got), done, wrong))


def numbers():
    """A file that is replaced: who wrote it reads it."""
    global done
    path = "%s/quiet/numbers-%s" % (here, name)  # where nobody lists
    while not os.path.exists("stop"):
        done += 1
        value = b"%d " % done * random.randrange(1, 30)
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        whole_write(fd, value)
        os.close(fd)
        with open(path, "rb") as file:
            if file.read() != value:
                complain("not what was written at %d" % done)
        if done % 3 == 0:
            os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))
            if os.stat(path).st_size != 0:
                complain("O_TRUNC without a write, at %d" % done)


def names():
    """Creations, renames, directories, ends: each happens once."""
    global done
    place = "%s/events" % here
    while not os.path.exists("stop"):
        done += 1
        path = "%s/%s-%d" % (place, name, done)
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        whole_write(fd, b"x")
        os.close(fd)
        os.mkdir(path + ".d")
        os.rename(path, path + ".r")
        os.rmdir(path + ".d")
        os.chmod(path + ".r", 0o600)
        os.unlink(path + ".r")
        if os.path.exists(path + ".r"):
            complain("%d is not gone" % done)


def held():
    """A held node is there as long as the descriptor is, and no longer."""
    global done
    while not os.path.exists("stop"):
        done += 1
        node = "held-%s-%d" % (name, done)
        fd = os.open("%s/.zab/held/%s" % (here, node), os.O_CREAT | os.O_EXCL | os.O_RDWR)
        end = time.time() + random.random() * (3 if done % 4 == 0 else 0.1)
        while True:
            if not os.path.exists("%s/%s" % (here, node)):
                complain("%s is gone too early" % node)
            if time.time() > end:
                break
            time.sleep(0.02)
        whole_write(fd, b"mine")
        os.close(fd)
        if os.path.exists("%s/%s" % (here, node)):
            complain("%s is still there for its owner" % node)
        if not until(10, lambda: not os.path.exists("%s/%s" % (there, node))):
            complain("%s stays" % node)


def jobs():
    """The clone idiom: the name that is read is that of the node that was made."""
    global done
    seen = ""
    while not os.path.exists("stop"):
        done += 1
        fd = os.open("%s/queue/.zab/sequence,held/job-" % here, os.O_CREAT | os.O_RDWR)
        whole_write(fd, b"job of %s" % name.encode())
        if done % 3 == 0:
            time.sleep(random.random() / 2)
        node = os.read(fd, 300).decode().rstrip("\n")
        if not node.startswith("job-") or node <= seen:
            complain("'%s' after '%s'" % (node, seen))
        seen = node
        with open("%s/queue/%s" % (here, node)) as file:
            if file.read() != "job of " + name:
                complain("%s is not ours" % node)
        os.close(fd)


def locks():
    """A number that is read and written under a lock grows by one each time, whoever has it."""
    global done
    lock = os.open("%s/quiet/lock" % here, os.O_CREAT | os.O_RDWR)
    number = os.open("%s/quiet/number" % here, os.O_CREAT | os.O_RDWR)
    while not os.path.exists("stop"):
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.fsync(number)
        value = int(os.pread(number, 100, 0) or b"0")
        if done % 5 == 0:
            time.sleep(random.random() / 5)
        os.close(number)
        number = os.open("%s/quiet/number" % here, os.O_RDWR)
        os.pwrite(number, b"%d" % (value + 1), 0)
        fcntl.flock(lock, fcntl.LOCK_UN)
        done += 1


def replace():
    """The other side of `whole`: a value in place of another, of another length."""
    global done
    while not os.path.exists("stop"):
        done += 1
        value = bytes([97 + done % 26]) * random.choice([10, 3000, 300000, 1000000])
        fd = os.open("%s/whole" % here, os.O_WRONLY | os.O_TRUNC)
        whole_write(fd, value)
        os.close(fd)
        time.sleep(0.05)


def whole():
    """A reader in several parts has one version, whatever happens in between."""
    global done
    while not os.path.exists("stop"):
        done += 1
        fd = os.open("%s/whole" % here, os.O_RDONLY)
        parts = []
        while True:
            part = os.read(fd, 150000)
            if not part:
                break
            parts.append(part)
            if done % 5 == 0:
                time.sleep(0.3)
        os.close(fd)
        value = b"".join(parts)
        if len(set(value)) > 1 or len(value) not in (0, 10, 3000, 300000, 1000000):
            complain("%d bytes, %s" % (len(value), sorted(set(value))))


def looks():
    """stat, listing, opening by path."""
    global done
    while not os.path.exists("stop"):
        done += 1
        os.stat("%s/whole" % here)
        if "whole" not in os.listdir(here):
            complain("not listed")
        with open("%s/.zab/stat/whole" % here) as file:
            if "kind file" not in file.read():
                complain("no metadata")
        with open("%s/.zab/session" % here) as file:
            file.read()


try:
    {
        "open": lambda: lines(lambda kept, path: kept),
        "path": lambda: lines(lambda kept, path: os.open(path, os.O_WRONLY | os.O_APPEND)),
        "numbers": numbers,
        "names": names,
        "held": held,
        "jobs": jobs,
        "locks": locks,
        "replace": replace,
        "whole": whole,
        "looks": looks,
    }[kind]()
except OSError as e:
    complain("%s at %d" % (e, done))
if done < 3:
    complain("it has done next to nothing: %d" % done)
with open("count-" + name, "w") as file:
    file.write("%s %d\n" % (kind, done))
