#!/bin/bash
# A write is done once, or nobody knows: beside an fsd that hangs until its session is over.
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
cd /
done_testing
