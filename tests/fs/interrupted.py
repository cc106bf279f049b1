"""interrupted.py MOUNT NAME [changes]: each command, or only those that need a majority, is started, seen
to wait in the kernel for fsd's answer, and sent SIGINT; which ends it. NAME is what is made. Prints
what did not wait, or did not end so. Run by interrupted*.t, which prepare MOUNT/d.
"""
import signal
import subprocess
import sys
import time

mount, new = sys.argv[1], sys.argv[1] + "/d/" + sys.argv[2]
PYTHON = """import fcntl, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
fd = os.open(sys.argv[1], getattr(os, sys.argv[2]))
os.write(1, b"x")
sys.stdin.read(1)
%s"""
reading = {
    "open": ["cat", mount + "/d/value"],
    "stat": ["stat", mount + "/d/unseen"],
    "readdir": ["ls", mount + "/d/full"],
    "readlink": ["readlink", mount + "/d/link"],
    "statfs": ["stat", "-f", mount],
    ".zab/stat": ["cat", mount + "/d/.zab/stat/value"],
    ".zab/quota": ["cat", mount + "/d/.zab/quota"],
    ".zab/cluster/members": ["cat", mount + "/.zab/cluster/members"],
    ".zab/metrics": ["cat", mount + "/.zab/metrics"],
}
changing = {
    "mkdir": ["mkdir", new],
    "create": ["touch", new],
    "sequence": ["mkdir", mount + "/d/.zab/sequence/s-"],
    "symlink": ["ln", "-s", "x", new],
    "rename": ["python3", "-c", "import os; os.rename('%s/d/from', '%s/d/to')" % (mount, mount)],
    "unlink": ["rm", "-f", mount + "/d/gone"],
    "rmdir": ["rmdir", mount + "/d/empty"],
    "chmod": ["chmod", "600", mount + "/d/mode"],
    "truncate": ["truncate", "-s", "1", mount + "/d/cut"],
    "open O_TRUNC": ["sh", "-c", "exec echo new >%s/d/old" % mount],
    "held": ["touch", mount + "/d/.zab/sequence,held/h-"],
    "ephemeral": ["touch", mount + "/d/.zab/ephemeral/e"],
    "ttl": ["touch", mount + "/d/.zab/ttl=1h/t"],
    "container": ["mkdir", mount + "/d/.zab/container/c"],
    "version": ["rm", "-f", mount + "/d/.zab/version=1/gone"],
    ".zab/sync": ["cat", mount + "/.zab/sync"],
}
# On a descriptor that was opened before: the file, how, the call.
calls_reading = {
    "read": ("d/value", "O_RDWR", "os.read(fd, 10)"),
    "fstat": ("d/value", "O_RDWR", "os.fstat(fd)"),
}
calls_changing = {
    "write": ("d/written", "O_RDWR", "os.write(fd, b'unknown')"),
    "fsync": ("d/synced", "O_RDWR", "os.fsync(fd)"),
    "flock": ("d/lock", "O_RDWR", "fcntl.flock(fd, fcntl.LOCK_EX)"),
    "flock LOCK_NB": ("d/lock", "O_RDWR", "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)"),
    "write to .zab/txn": (".zab/txn", "O_RDWR", "os.write(fd, b'mkdir /d/txn\\n')"),
    "read of .zab/stream": (".zab/stream", "O_RDWR", "os.write(fd, b'check /d\\n'); os.read(fd, 100)"),
    "fsync of .zab/stream": (".zab/stream", "O_RDWR", "os.write(fd, b'check /d\\n'); os.fsync(fd)"),
    "close of .zab/stream": (".zab/stream", "O_WRONLY", "os.write(fd, b'check /d\\n'); os.close(fd)"),
    "write to .zab/stream": (".zab/stream", "O_WRONLY", "os.write(fd, b'check /d\\n' * 2000)"),
    "fsync of .zab/async": ("d/.zab/async/queued", "O_WRONLY", "os.write(fd, b'x'); os.fsync(fd)"),
    "write to .zab/quota": ("d/.zab/quota", "O_WRONLY", "os.write(fd, b'none\\n')"),
    "read of .zab/events": ("d/.zab/events", "O_RDONLY", "os.read(fd, 1000)"),
}
commands, calls = changing, calls_changing
if "changes" not in sys.argv[3:]:
    commands, calls = {**reading, **changing}, {**calls_reading, **calls_changing}


def default():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(argv):
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, preexec_fn=default)


def until(what):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.01)
    return False


def waits(process):
    try:
        with open("/proc/%d/wchan" % process.pid) as file:
            return file.read() in ("request_wait_answer", "__fuse_request_send", "fuse_simple_request")
    except OSError:
        return False


def interrupt(name, process):
    if not until(lambda: process.poll() is not None or waits(process)) or process.poll() is not None:
        print("%s: it does not wait: %s" % (name, process.returncode))
        process.kill()
        return
    process.send_signal(signal.SIGINT)
    if not until(lambda: process.poll() is not None):
        print("%s: ^C does not end it" % name)
        process.kill()
    elif process.returncode != -signal.SIGINT:
        print("%s: it ends with %d" % (name, process.returncode))


opened = {}
for name, (file, how, call) in calls.items():
    opened[name] = start([sys.executable, "-c", PYTHON % call, mount + "/" + file, how])
    assert opened[name].stdout.read(1) == b"x"
print("open", flush=True)
sys.stdin.readline()
for name, argv in commands.items():
    interrupt(name, start(argv))
for name, process in opened.items():
    process.stdin.write(b"x")
    process.stdin.flush()
    interrupt(name, process)
print(len(commands) + len(calls), "were interrupted")
