#!/bin/bash
# fsd is killed while a value of a megabyte comes to it: its caller sees nothing of that.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

node_start || exit 1
cat >"$T/large.py" <<'PY'
import os, signal, sys, threading, time
path, mountd = sys.argv[1], sys.argv[2]
def fsd(last):
    end = time.monotonic() + 60
    while True:
        with open("/proc/%s/task/%s/children" % (mountd, mountd)) as f:
            for pid in f.read().split():
                if pid != last:
                    return pid
        assert time.monotonic() < end
def kill(pid, when):
    while time.monotonic() < when:
        pass
    os.kill(int(pid), signal.SIGKILL)
last = ""
for n in range(8):  # two more, each soon, and mountd gives up
    value = b"%d," % n * 500000
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    last = fsd(last)
    killer = threading.Thread(target=kill, args=(last, time.monotonic() + n * 0.00015))
    killer.start()
    assert os.pwrite(fd, value, 0) == len(value)
    killer.join()
    os.close(fd)
    assert open(path, "rb").read() == value
PY
for m in A B C D; do
	mount_start $m || exit 1
	timeout 100 python3 "$T/large.py" "$T/$m/f" "${mountd_pid[$m]}"
	ok $? "a large value is written over eight deaths of fsd at $m"
	mount_stop $m
done
done_testing
