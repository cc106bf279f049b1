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
cd /
done_testing
