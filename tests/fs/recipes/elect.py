#!/usr/bin/env python3
"""usage: elect.py DIR NAME COMMAND…

Stands for election in DIR, and runs COMMAND while it leads; ends when COMMAND
does, or with 75 when it is out (the session is lost). See elect.
"""
import ctypes, os, select, subprocess, sys

libc = ctypes.CDLL(None, use_errno=True)
IN_MODIFY, IN_ATTRIB, IN_DELETE_SELF = 0x2, 0x4, 0x400
LOOK = 10  # seconds, whoever waits: nobody tells that the mount itself is dead


def watch(*paths):
    """An inotify descriptor that becomes readable when one of them changes, or the empty one."""
    fd = libc.inotify_init1(os.O_CLOEXEC)
    for path in paths:
        what = IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF
        if libc.inotify_add_watch(fd, os.fsencode(path), what) < 0:
            os.close(fd)
            return -1
    return fd


def elect(directory, name, command):
    root = os.path.abspath(directory)
    while not os.path.ismount(root):
        root = os.path.dirname(root)
    session = root + "/.zab/session"

    # O_CREAT as the shell's <> has it. The descriptor goes along to COMMAND: if we are
    # killed, it goes on, and leads.
    try:
        held = os.open(directory + "/.zab/sequence,held/candidate-", os.O_RDWR | os.O_CREAT, 0o644)
    except (FileNotFoundError, NotADirectoryError) as e:
        sys.exit(e)  # it would be no use to start again: that is not 75
    os.set_inheritable(held, True)
    mine = os.read(held, 256).decode().rstrip("\n")
    os.write(held, name.encode() + b"\n")

    while True:
        # One that fails raises OSError: we are out.
        names = sorted(os.listdir(directory))
        before = names.index(mine) - 1
        if before < 0:
            break
        fd = watch(session, f"{directory}/{names[before]}")
        if fd >= 0:
            select.select([fd], [], [], LOOK)
            os.close(fd)

    with open(f"{directory}/.zab/stat/{mine}") as stat:
        fence = dict(line.split() for line in stat)["czxid"]
    work = subprocess.Popen(command, env=os.environ | {"FENCE": fence}, close_fds=False)
    try:
        ended = os.pidfd_open(work.pid)
        # Once the session's deadline has passed, not even stat is answered: this ends in time.
        # That the mount itself is dead nobody tells: so it looks once a second.
        while os.stat(f"{directory}/{mine}").st_ino == os.fstat(held).st_ino:
            fd = watch(session, f"{directory}/{mine}")
            if fd >= 0:
                if ended in select.select([fd, ended], [], [], 1)[0]:
                    return work.wait()
                os.close(fd)
    finally:
        work.terminate()


if len(sys.argv) < 4:
    sys.exit(__doc__)
try:
    sys.exit(elect(sys.argv[1], sys.argv[2], sys.argv[3:]))
except (OSError, ValueError) as e:
    print("out:", e, file=sys.stderr)
    sys.exit(75)
