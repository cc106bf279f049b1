#!/bin/bash
# A write is done once, or nobody knows, also where fsd hangs until its session is over; and one that
# asks something first is done beside others.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A -o timeout=1s && mount_start B -o timeout=60s || exit 1
cd "$T" || exit 1

cat >append.py <<'PY'
import os

fd = os.open("A/lines", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
i = 0
while not os.path.exists("stop"):
    i += 1
    try:
        os.write(fd, b"%d\n" % i)
    except OSError as e:
        print(e.strerror, flush=True)
PY
python3 append.py >said &
writer=$!
wait_for 10 test -s B/lines
fsd=$(fsd_pid A)
kill -STOP "$fsd"
wait_for 30 process_gone "$fsd"
wait_for 30 mounted "$T/A"
: >stop
wait $writer
sync B/lines
is "$(sort -n B/lines | uniq -d | head -n 5)" "" "no line is there twice"
is "$(sort -u said | grep -v 'Connection timed out')" "" "what nobody knows is ETIMEDOUT"

# B's fsd: what takes two messages, while another process writes all the time.
mkdir B/d
echo x >B/f
python3 -c '
import os
fd = os.open("B/w", os.O_CREAT | os.O_WRONLY)
while not os.path.exists("stop2"):
    os.pwrite(fd, b"x", 0)' &
writer=$!
wait_for 10 test -s B/w
for _ in $(seq 100); do
	: >B/d/.zab/ephemeral/e
	chmod 600 B/d/.zab/ephemeral/e
	rm B/d/.zab/ephemeral/e || rm -f B/d/e
	version=$(sed -n 's/^version //p' B/.zab/stat/f)
	chmod 600 "B/.zab/version=$version/f"
done 2>errors
: >stop2
wait $writer
is "$(sort errors | uniq -c | head -n 3)" "" "chmod and rm through a modifier, beside a writer"
# B's fsd is killed by these scripts without a process of their own, which would close what they have
# open. `meanwhile`: before there is another one.
cat >fsd.py <<'PY'
import os, signal, sys, time

def fsd():
    with open("/proc/%s/task/%s/children" % (sys.argv[1], sys.argv[1])) as children:
        return int((children.read().split() or [0])[-1])

def replaced(meanwhile=lambda: None):
    old = fsd()
    os.kill(old, signal.SIGKILL)
    meanwhile()
    while fsd() == old:
        time.sleep(0.01)
PY
# What was queued and has failed is told by fsync(2), though the fsd that knew it is dead.
cat >queued.py <<'PY'
import errno, os
from fsd import replaced

def said(call):
    try:
        call()
        return "nothing"
    except OSError as e:
        return errno.errorcode[e.errno]

for path, data in ("d/.zab/async/queued", b"x"), (".zab/stream", b"delete /d/queued\n"):
    fd = os.open("B/" + path, os.O_CREAT | os.O_WRONLY)
    if os.path.exists("B/d/queued"):
        os.unlink("B/d/queued")
    os.write(fd, data)
    os.mkdir("B/d/behind")
    os.rmdir("B/d/behind")
    replaced()
    print(said(lambda: os.fsync(fd)), said(lambda: os.fsync(fd)))
PY
# shellcheck disable=SC2154 # lib.sh sets it
is "$(timeout 60 python3 queued.py "${mountd_pid[B]}" 2>&1)" "ENOENT nothing
ENOENT nothing" "what has failed, and nobody was told of yet, is told when fsd was killed meanwhile, once"

# What is open is there to be read, though it was replaced or removed after the death of the fsd that
# opened it.
cat >unread.py <<'PY'
import os
from fsd import replaced

names = "replaced", "removed", "empty", "part", "ends"
for name in names:
    with open("A/" + name, "w") as file:
        file.write("" if name == "empty" else "old")
fds = [os.open("B/" + name, os.O_RDONLY) for name in names]
fds.append(os.open("B/.zab/async/removed", os.O_RDONLY))
part = os.read(fds[3], 1)
ends = os.pread(fds[4], 1, 0), os.pread(fds[4], 10, 2)
def elsewhere():
    with open("A/new", "w") as file:
        file.write("new")
    os.rename("A/new", "A/replaced")
    for name in names[1:]:
        os.unlink("A/" + name)
replaced(elsewhere)
print([os.read(fd, 10) for fd in fds[:3] + fds[5:]], part + os.read(fds[3], 10))
print(ends, os.pread(fds[4], 1, 1))
PY
is "$(timeout 60 python3 unread.py "${mountd_pid[B]}" 2>&1)" "[b'old', b'old', b'', b'old'] b'old'
(b'o', b'd') b'l'" "what was opened and not read yet, or not all of it, is there for the next fsd"

# No more of that than HANDLE_SNAPSHOTS_MAX, and what is closed makes room again.
cat >bound.py <<'PY'
import errno, os
from fsd import replaced

with open("A/big", "wb") as file:
    file.write(b"o" * 1000000)
fds = [os.open("B/big", os.O_RDONLY) for _ in range(300)]
for fd in fds[:200]:
    os.close(fd)
fds = fds[200:] + [os.open("B/big", os.O_RDONLY) for _ in range(200)]
replaced(lambda: os.unlink("A/big"))
kept = gone = 0
for fd in fds:
    try:
        kept += os.read(fd, 2000000) == b"o" * 1000000
    except OSError as e:
        gone += e.errno == errno.ENOENT
print(kept, gone)
PY
is "$(timeout 100 python3 bound.py "${mountd_pid[B]}" 2>&1)" "268 32" "  up to a bound"

# One that leaves has waited for what is queued, and leaves what was not read, and half a line.
cat >left.py <<'PY'
import os, signal, sys, time
from fsd import fsd

stream = os.open("B/.zab/stream", os.O_RDWR)
queued = os.open("B/d/.zab/async/queued", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
lines, results, wanted, replaced = 0, b"", b"", 0
for _ in range(4):
    old = fsd()
    os.write(stream, b"".join(b"create /d/n%d v\n" % i for i in range(lines, lines + 800)) + b"create /d/half")
    for i in range(500):
        os.write(queued, b"%d\n" % i)
    os.kill(int(sys.argv[1]), signal.SIGHUP)
    end = time.monotonic() + 20
    while os.path.exists("/proc/%d" % old) and time.monotonic() < end:
        time.sleep(0.005)
    replaced += not os.path.exists("/proc/%d" % old)
    os.write(stream, b"%d v\n" % lines)
    os.fsync(queued)
    os.fsync(stream)
    results += os.read(stream, 10000)
    wanted += b"".join(b"ok create /d/n%d\n" % i for i in range(lines, lines + 800)) + b"ok create /d/half%d\n" % lines
    lines += 800
while True:
    result = os.read(stream, 10000)
    if not result:
        break
    results += result
print(replaced, results == wanted, len(os.listdir("B/d")))
with open("B/d/queued") as file:
    print(file.read() == "".join("%d\n" % i for i in range(500)) * 4)
PY
rm -rf B/d && mkdir B/d
is "$(timeout 60 python3 left.py "${mountd_pid[B]}" 2>&1)" "4 True 3205
True" "SIGHUP: what is queued is done, results and the beginning of a line are the next one's"

# Of a stream's lines no later write waits for those that there are not: half of the ids of a WRITE
# are for other things, and empty lines need none.
is "$(timeout 40 python3 -c '
import os
fd = os.open("B/.zab/stream", os.O_WRONLY)
print(os.write(fd, b"check /\n" * 1024 + b"\n" * (1 << 19) + b"check /\n" * 2000))
os.fsync(fd)' 2>&1)" 548480 "a WRITE of more lines than have ids, all but a few of them empty"

# Who is killed has written: all of it is queued at once, which takes no time to speak of.
lines=130000 # in one WRITE
# shellcheck disable=SC2154 # lib.sh sets it
[[ $build != *san* ]] || lines=40000
fsd=$(fsd_pid B)
python3 -c '
import os, sys
fd = os.open("B/.zab/stream", os.O_WRONLY)
print("begins", flush=True)
os.write(fd, b"check /\n" * int(sys.argv[1]) + b"create /last x\n")' $lines >begun &
writer=$!
in_write() {
	grep -qs request_wait "/proc/$writer/wchan"
}
wait_for 20 test -s begun && wait_for 20 in_write
kill -9 $writer
wait $writer 2>/dev/null
wait_for 60 test -e B/last
ok $? "a writer of $lines lines is killed: they are done"
is "$(fsd_pid B)" "$fsd" "  by the same fsd"

cd /
done_testing
