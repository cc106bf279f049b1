#!/bin/bash
# A follower whose disk stands still, while the others go on and write more than
# its queue holds: it waits, or follows no more, and has all of it later.
. "$(dirname "$0")/lib.sh"

ensemble_start 3 "pass_interval = 3600" || exit 1
who=$(leader)
behind=$((who % 3 + 1))
member_mount "$who" -o timeout=60s || exit 1
cd "$T" || exit 1

cat >hold.py <<'END'
# Stops a process's log thread (the first that it made) until standard input ends.
import ctypes, os, sys

SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
pid = int(sys.argv[1])
log = sorted(int(tid) for tid in os.listdir(f"/proc/{pid}/task") if int(tid) != pid)[0]
assert libc.ptrace(SEIZE, log, None, None) == 0
assert libc.ptrace(INTERRUPT, log, None, None) == 0
os.waitpid(log, WALL)
print("held", flush=True)
sys.stdin.read()
libc.ptrace(DETACH, log, None, None)
END
cat >write.py <<'END'
# 70,000 writes, side by side.
import os, sys, threading


def write(n):
    fd = os.open(f"{sys.argv[1]}/f{n}", os.O_WRONLY | os.O_CREAT, 0o644)
    for i in range(2500):
        os.pwrite(fd, b"%d\n" % i, 0)
    os.close(fd)


threads = [threading.Thread(target=write, args=(n,)) for n in range(28)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
END

mkfifo release
# shellcheck disable=SC2154 # lib.sh's
python3 hold.py "${member_pid[$behind]}" <release >held 2>&1 &
exec 9>release
wait_for 20 grep -qs held held
ok $? "the log of member $behind stands still"
timeout 120 python3 write.py "m$who"
ok $? "70,000 writes go on without it"
kill -0 "${member_pid[$behind]}"
ok $? "it lives"
exec 9>&-
member_mount "$behind" -o timeout=60s
has_all() {
	timeout 20 sync "m$behind" 2>/dev/null && [ "$(cat "m$behind"/f* | sort -u)" = 2499 ]
}
wait_for 60 has_all
ok $? "and has all of it when its disk goes on"
done_testing
