"""What goes on while takeover.t kills fsd: each worker checks what it is told, and prints what is
wrong. usage: takeover_load.py KIND HERE THERE NAME (mounts of one tree), until the file `stop` is."""

import fcntl
import os
import random
import re
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
    """Numbered lines, one write(2) each; in the end each is there once, in order. A file takes so many."""
    files = 0
    while not os.path.exists("stop"):
        files += 1
        lines_of("%s/%s-%s-%d" % (here, kind, name, files), 100000, fd_of)


def lines_of(path, most, fd_of):
    global done
    before = done
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    kept = os.open(path, os.O_WRONLY | os.O_APPEND)
    while not os.path.exists("stop") and done < before + most:
        done += 1
        fd = fd_of(kept, path)
        whole_write(fd, b"%d\n" % done)
        if fd != kept:
            os.close(fd)
    os.fsync(kept)
    os.close(kept)
    for mount in here, there:
        fd = os.open(path.replace(here, mount, 1), os.O_RDONLY)
        os.fsync(fd)
        with os.fdopen(fd) as file:
            got = [int(x) for x in file.read().split()]
        if got != list(range(before + 1, done + 1)):
            wrong = [i for i, x in enumerate(got) if x != before + i + 1][:3]
            complain("%d lines for %d, from line %s" % (len(got), done - before, wrong))


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


def read_line(fd):
    """A read is a line, or a part of it."""
    text = b""
    while not text.endswith(b"\n"):
        part = os.read(fd, 1000)
        if not part:
            return text + b"(end)"
        text += part
    return text.decode()


def said(what, got, wanted):
    if got != wanted:
        complain("%s %d: %r, not %r" % (what, done, got, wanted))


def multi():
    """.zab/txn: done a second time its version would be another."""
    global done
    path = "quiet/multi-%s" % name
    os.close(os.open("%s/%s" % (here, path), os.O_CREAT | os.O_WRONLY))
    fd = os.open("%s/.zab/txn" % here, os.O_RDWR)
    while not os.path.exists("stop"):
        whole_write(fd, b"set /%s %d version=%d ; check /quiet\n" % (path.encode(), done, done))
        done += 1
        said("txn", read_line(fd), "ok set /%s version=%d\n" % (path, done))
        said("txn", read_line(fd), "ok check /quiet\n")


def versions():
    """.zab/stream: each line is done; a result for each, in order, or a line that says how many are
    lost. Done a second time it would be another version."""
    global done
    path = "quiet/versions-%s" % name
    os.close(os.open("%s/%s" % (here, path), os.O_CREAT | os.O_WRONLY))
    fd = os.open("%s/.zab/stream" % here, os.O_RDWR)
    version = 0
    while not os.path.exists("stop"):
        n = random.choice([1, 30, 1500])
        whole_write(fd, b"".join(b"set /%s v version=%d\n" % (path.encode(), i) for i in range(version, version + n)))
        left = n
        while left > 0:
            line = read_line(fd)
            if line.startswith("lost "):
                left -= int(line[5:])
                continue
            said("versions", line, "ok set /%s version=%d\n" % (path, version + n - left + 1))
            left -= 1
        if left < 0:
            complain("%d results more than lines" % -left)
        os.fsync(fd)
        with open("%s/.zab/stat/%s" % (here + "/quiet", os.path.basename(path))) as file:
            there_is = int(re.search(r"^version (\d+)$", file.read(), re.M)[1])
        if there_is != version + n:
            complain("version %d after %d lines" % (there_is, version + n))
        version = there_is
        done += n
    os.close(fd)


def queued():
    """DIR/.zab/async/NAME: all of it, once, in order."""
    global done
    fd = os.open("%s/quiet/.zab/async/async-%s" % (here, name), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    while not os.path.exists("stop") and done < 100000:
        for _ in range(random.choice([1, 20, 300])):
            whole_write(fd, b"%d\n" % done)
            done += 1
        os.fsync(fd)
    os.close(fd)
    with open("%s/quiet/async-%s" % (here, name)) as file:
        got = [int(x) for x in file]
    if got != list(range(done)):
        complain("%d lines, not %d" % (len(got), done))


def told():
    """.zab/events: each change is a line, once, in order, whether its reader waits or comes late."""
    global done
    place = "told-%s" % name
    os.mkdir("%s/%s" % (there, place))
    os.close(os.open("%s/.zab/sync" % here, os.O_RDONLY))
    fd = os.open("%s/%s/.zab/events" % (here, place), os.O_RDONLY)
    last = 0
    while not os.path.exists("stop"):
        n = random.choice([1, 1, 20])
        for i in range(done, done + n):
            os.mkdir("%s/%s/%d" % (there, place, i))
            os.rmdir("%s/%s/%d" % (there, place, i))
        for _ in range(n):
            for word, version in ("mkdir", "0"), ("rmdir", "-"):
                zxid, line = read_line(fd).split(" ", 1)
                said("events", line, "%s /%s/%d %s\n" % (word, place, done, version))
                if int(zxid, 16) <= last:
                    complain("%s after %x" % (zxid, last))
                last = int(zxid, 16)
            done += 1


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
        "multi": multi,
        "versions": versions,
        "queued": queued,
        "told": told,
        "looks": looks,
    }[kind]()
except OSError as e:
    complain("%s at %d" % (e, done))
if done < 3:
    complain("it has done next to nothing: %d" % done)
with open("count-" + name, "w") as file:
    file.write("%s %d\n" % (kind, done))
