#!/bin/bash
# ^C ends every call that waits, whatever it waits for, while the replica stands
# still and while there is none; nobody is left in D; and when the replica goes
# on, what was interrupted is done whole or not at all.
. "$(dirname "$0")/lib.sh"

node_start && mount_start L -o timeout=60s || exit 1
cd "$T" || exit 1

mkdir L/d L/d/full L/d/empty
for name in value cut mode gone from to old written synced lock; do
	echo value >L/d/$name
done
ln -s value L/d/link

cat >interrupted.py <<'END'
# Argument: a name for what is made. Each command is started, seen to wait in
# the kernel for fsd's answer, and sent SIGINT; which ends it. Prints what did not wait, or
# did not end so.
import signal, subprocess, sys, time
new = "L/d/" + sys.argv[1]
PYTHON = """import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
os.write(1, b"x")
sys.stdin.read(1)
%s"""
commands = {
    "open": ["cat", "L/d/value"],
    "stat": ["stat", "L/d/unseen"],
    "readdir": ["ls", "L/d/full"],
    "readlink": ["readlink", "L/d/link"],
    "statfs": ["stat", "-f", "L"],
    "mkdir": ["mkdir", new],
    "create": ["touch", new],
    "sequence": ["mkdir", "L/d/.zab/sequence/s-"],
    "symlink": ["ln", "-s", "x", new],
    "rename": ["python3", "-c", "import os; os.rename('L/d/from', 'L/d/to')"],
    "unlink": ["rm", "-f", "L/d/gone"],
    "rmdir": ["rmdir", "L/d/empty"],
    "chmod": ["chmod", "600", "L/d/mode"],
    "truncate": ["truncate", "-s", "1", "L/d/cut"],
    "open O_TRUNC": ["sh", "-c", "exec echo new >L/d/old"],
    ".zab/stat": ["cat", "L/d/.zab/stat/value"],
    ".zab/quota": ["cat", "L/d/.zab/quota"],
    ".zab/cluster/members": ["cat", "L/.zab/cluster/members"],
}
# On a descriptor that was opened before.
calls = {
    "read": ("value", "os.read(fd, 10)"),
    "write": ("written", "os.write(fd, b'unknown')"),
    "fsync": ("synced", "os.fsync(fd)"),
    "flock": ("lock", "fcntl.flock(fd, fcntl.LOCK_EX)"),
    "flock LOCK_NB": ("lock", "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)"),
    "fstat": ("value", "os.fstat(fd)"),
}

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
for name, (file, call) in calls.items():
    opened[name] = start([sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)\n" + PYTHON % call, "L/d/" + file])
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
END

# interrupt_all NAME COMMAND...: the command strikes when all files are open, and the kernel
# knows the names: else each call would wait for a look-up.
interrupt_all() {
	local name=$1 pid
	shift
	stat L/d/* "L/d/$name" L/d/full/.zab >/dev/null 2>&1
	# shellcheck disable=SC2034 # its descriptors are used
	coproc RUN { exec timeout 300 python3 interrupted.py "$name"; }
	pid=$RUN_PID
	read -r _ <&"${RUN[0]}"
	"$@"
	echo go >&"${RUN[1]}"
	cat <&"${RUN[0]}" >"$name"
	wait "$pid"
}

# shellcheck disable=SC2154 # from lib.sh
stand_still() {
	kill -STOP "$replica_pid"
}

connected() {
	grep -q '^state.*connected' L/.zab/session
}

free() {
	flock -n L/d/lock true
}

interrupt_all dead replica_end KILL
is "$(cat dead)" "24 were interrupted" "without a replica ^C ends each call that waits"
is "$(ps -eo stat,args | grep -c '^D.* L/')" 0 "nobody is left in D"
replica_start
wait_for 20 connected
ok $? "the session goes on with the next replica"
[ ! -e L/d/dead ] && ! ls -d L/d/s-* 2>/dev/null && [ -e L/d/gone ] && [ -d L/d/empty ] && [ -e L/d/from ]
ok $? "nothing is made, removed or renamed by what was interrupted before it could be sent"
# What > has opened is empty from then on, as anywhere.
is "$(cat L/d/written L/d/cut | tr '\n' ,)" value,value, "nor written"
is "$(stat -c %a L/d/mode)" 644 "nor changed"
wait_for 20 free
ok $? "nor locked"

interrupt_all stopped stand_still
is "$(cat stopped)" "24 were interrupted" "while it stands still, likewise"
is "$(ps -eo stat,args | grep -c '^D.* L/')" 0 "nobody is left in D"
kill -CONT "$replica_pid"
wait_for 20 connected
ok $? "the session goes on with the replica"
wait_for 20 free
ok $? "a lock that nobody waits for any more is nobody's"
timeout 20 sync L/d/written
ok $? "an fsync goes through"
case $(cat L/d/written) in
value | unknown) ok 0 "what was written is there whole, or not at all" ;;
*) ok 1 "what was written is there whole, or not at all: $(cat L/d/written)" ;;
esac
mkdir L/d/after && rmdir L/d/after
ok $? "and the mount serves"

cd /
done_testing
