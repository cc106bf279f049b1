#!/bin/bash
# An exchange made elsewhere, while a process here looks the names up: it finds what is there after it, the
# echo what was there before. Told it is all the same.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
mkdir A/d && ls B/d
watch_start B/d events -e create,move --format '%e %f' >/dev/null

cat >exchange.py <<'PY'
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def exchange(a, b):
    assert libc.renameat2(-100, a.encode(), -100, b.encode(), 2) == 0, ctypes.get_errno()  # RENAME_EXCHANGE
def told(line):
    end = time.monotonic() + 60
    while line not in open("events").read().splitlines():
        assert time.monotonic() < end
        time.sleep(0.002)
for n in range(60):
    a, b, mark = "a%d" % n, "b%d" % n, "mark%d" % n
    os.mkdir("A/d/" + a)
    open("A/d/" + b, "w").close()
    told("CREATE " + b)
    os.path.lexists("B/d/" + a), os.path.lexists("B/d/" + b)
    exchange("A/d/" + a, "A/d/" + b)
    for _ in range(3):
        try:
            os.mkdir("B/d/" + a)
        except FileExistsError:
            pass
    open("A/d/" + mark, "w").close()
    told("CREATE " + mark)
PY
timeout 300 python3 exchange.py
ok $? "exchanges are made while others look"
is "$(sed 's/,ISDIR//' events | grep -c '^MOVED_FROM a')" 60 "each is told"
is "$(sed 's/,ISDIR//' events | grep -c '^MOVED_TO a')" 60 "  both ways"
is "$(grep -h 'event was not raised' mount-*.log)" "" "no event was given up"

cd /
done_testing
