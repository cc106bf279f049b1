"""Called by alike.t: alike.py ROUNDS MOUNT…

In each round two processes on each mount make, move and remove directories and files in a few
directories, and look at them; then all stand still, and what lstat(2) shows of each directory has to
be the same on all mounts.
"""
import os
import random
import sys
import time

OPS = 40
PLACES = 4
NAMES = ("a", "b", "c")


def somewhere(at):
    """A directory, or one in it."""
    path = os.path.join(at, "p%d" % random.randrange(PLACES))
    return os.path.join(path, random.choice(NAMES)) if random.random() < 0.4 else path


def named(at):
    return os.path.join(somewhere(at), random.choice(NAMES))


def txn(top, at):
    """Two files, in one transaction."""
    first, second = named(at)[len(top):], named(at)[len(top):]
    with open(top + "/.zab/txn", "r+b", buffering=0) as file:
        file.write(("create %s v ; create %s v" % (first, second)).encode())


def operation(top, at):
    what = random.randrange(12)
    if what < 2:
        os.mkdir(named(at))
    elif what == 2:
        os.rmdir(named(at))
    elif what == 3:
        os.rename(named(at), named(at))
    elif what == 4:
        os.close(os.open(named(at), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    elif what == 5:
        os.unlink(named(at))
    elif what == 6:
        os.close(os.open(somewhere(at) + "/.zab/sequence/s-", os.O_CREAT | os.O_WRONLY))
    elif what == 7:
        with os.scandir(somewhere(at)) as found:
            for entry in found:
                if entry.name.startswith("s-"):
                    os.unlink(entry.path)
                    break
    elif what == 8:
        os.chmod(somewhere(at), random.choice((0o755, 0o750, 0o1777)))
    elif what == 9:
        txn(top, at)
    else:
        os.lstat(named(at))


def work(top, at, seed):
    random.seed(seed)
    for _ in range(OPS):
        try:
            operation(top, at)
        except OSError:
            pass  # somebody else was faster


def synced(top):
    with open(top + "/.zab/sync", "rb") as sync:
        sync.read()


def directories(top):
    """Paths below the mount, and some where nothing is."""
    for path, dirs, _ in os.walk(top + "/alike"):
        for name in (*dirs, *NAMES):
            yield os.path.join(path, name)[len(top):]


def shown(path):
    """By lstat(2) alone: a listing would ask for the directory, and have it right."""
    try:
        st = os.lstat(path)
    except OSError as error:
        return error.strerror
    return st.st_ino, oct(st.st_mode), st.st_size, st.st_mtime_ns, st.st_ctime_ns


def unlike(paths, mounts):
    """A name that was moved or removed elsewhere stays until its event has been told."""
    deadline = time.monotonic() + 10
    while paths and time.monotonic() < deadline:
        paths = [path for path in paths if len(set(shown(top + path) for top in mounts)) > 1]
    return paths


def main():
    rounds, mounts = int(sys.argv[1]), sys.argv[2:]
    for i in range(PLACES):
        os.makedirs("%s/alike/p%d" % (mounts[0], i))
    differences = 0
    for number in range(rounds):
        children = []
        for i in range(2 * len(mounts)):
            top = mounts[i % len(mounts)]
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    work(top, top + "/alike", number * 1000 + i)
                    status = 0
                finally:
                    os._exit(status)
            children.append(pid)
        if any(os.waitpid(pid, 0)[1] != 0 for pid in children):
            print("a process failed")
            differences += 1
        for top in mounts:
            synced(top)
        paths = sorted(set(directories(mounts[number % len(mounts)])))
        for path in unlike(paths, mounts):
            print("round %d, %s: %s" % (number, path, [shown(top + path) for top in mounts]))
            differences += 1
    print("# %d rounds, %d paths in the end" % (rounds, len(paths)))
    sys.exit(differences != 0)


main()
