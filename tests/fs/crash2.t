#!/bin/bash
# kill -9 of the replica in the middle of a write load, again and again: every
# acknowledged write is there, none is there twice, none that failed is there.
# CRASH_KILLS sets how often (100).
. "$(dirname "$0")/lib.sh"

kills=${CRASH_KILLS:-100}
node_start "pass_interval = 1" "log_rows_min = 500" && mount_start A && mount_start B || exit 1
cd "$T" || exit 1

cat >writer.py <<'END'
# Appends numbered lines and creates numbered files; writes down what was acknowledged, and what failed.
import os, sys
mount, name = sys.argv[1:3]
log = os.open("%s/log%s" % (mount, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.makedirs("%s/files%s" % (mount, name), exist_ok=True)
ack = open("ack" + name, "w", buffering=1)
n = 0
while not os.path.exists("stop"):
    n += 1
    try:
        if n % 2:
            os.write(log, b"%d\n" % n)
        else:
            os.close(os.open("%s/files%s/%d" % (mount, name, n), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        ack.write("ok %d\n" % n)
    except OSError as e:
        ack.write("failed %d %d\n" % (n, e.errno))
END
cat >check.py <<'END'
import collections, os, sys
bad = []
for name in "1234":
    acks = [line.split() for line in open("ack" + name)]
    if len(acks) < 50:
        bad.append("writer %s was idle: %d writes" % (name, len(acks)))
    for mount in "AB":
        lines = collections.Counter(int(x) for x in open("%s/log%s" % (mount, name)).read().split())
        files = set(int(x) for x in os.listdir("%s/files%s" % (mount, name)))
        for what, n, *_ in acks:
            n = int(n)
            there = lines[n] if n % 2 else n in files
            if what == "ok" and there != 1:
                bad.append("%s: acknowledged %d of writer %s is there %d times" % (mount, n, name, there))
            if what == "failed":
                bad.append("writer %s: %d failed" % (name, n))
        last = int(acks[-1][1])
        bad += ["%s: line %d of writer %s: %d times" % (mount, n, name, c) for n, c in lines.items() if c > 1]
        bad += ["%s: %d of writer %s was never written" % (mount, n, name) for n in lines if n > last]
        bad += ["%s: file %d of writer %s was never written" % (mount, n, name) for n in files if n > last]
print("\n".join(bad[:20]))
END

writers=()
for name in 1 2 3 4; do
	mount=A
	[ "$name" -le 2 ] || mount=B
	python3 writer.py $mount "$name" &
	writers+=($!)
done
killed=0
while [ "$killed" -lt "$kills" ]; do
	# A random moment under load, not a synchronisation.
	read -r -t "0.$((RANDOM % 250 + 50))" <> <(:)
	replica_kill9
	replica_start || break
	killed=$((killed + 1))
done
is "$killed" "$kills" "the replica was killed $kills times and came back"
touch stop
wait "${writers[@]}"
ok $? "the writers ended by themselves"
is "$(timeout 60 python3 check.py)" "" "every acknowledged write is there once, no other"
find A -printf "%P %i %s\n" | sort > /tmp/ca; find B -printf "%P %i %s\n" | sort > /tmp/cb; is "$(diff /tmp/ca /tmp/cb)" "" "both mounts agree"
replica_restart
is "$(timeout 60 python3 check.py)" "" "and so it is after a clean restart"

cd /
done_testing
