#!/bin/bash
# The replica's disk is full: writers get ENOSPC and nothing of theirs happens,
# nothing that was acknowledged is lost, readers notice nothing, and writing
# goes on by itself when there is space again; also through a kill -9.
. "$(dirname "$0")/lib.sh"

# No pass of the image frees anything while it is asked what is refused.
disk_start 24 && node_start "pass_interval = 86400" && mount_start A && mount_start B || exit 1
cd "$T" || exit 1

# Writers write down each outcome; a value is told by its number alone.
cat >writer.py <<'END'
import os, sys
name = sys.argv[1]
os.makedirs("A/w" + name, exist_ok=True)
log = open("ack" + name, "a", buffering=1)
for n in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
    path = "A/w%s/%d" % (name, n % 5)
    try:
        fd = os.open(path, os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"%08d" % n * 8000)
        log.write("%d %d\n" % (n % 5, n))
        os.close(fd)
    except OSError as e:
        sys.exit(os.strerror(e.errno))
END
cat >check.py <<'END'
import os
bad = []
for name in "123":
    last = dict(line.split() for line in open("ack" + name))
    for mount in "AB":
        for k, n in last.items():
            value = open("%s/w%s/%s" % (mount, name, k), "rb").read()
            if value != b"%08d" % int(n) * 8000:
                bad.append("%s/w%s/%s: %s… of %d bytes, not %s" % (mount, name, k, value[:8], len(value), n))
print("\n".join(bad))
END

echo old >A/value
mkdir A/d
cat B/value >/dev/null
session=$(grep ^id A/.zab/session)
# A file that isn't ours takes a part of the disk from the start, and then the
# rest of it, until not even the smallest transaction finds room.
cat >fill.py <<'END'
import errno, os
ballast = os.open("data/ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def take():
    for size in (65536, 4096, 512):
        try:
            while True:
                os.write(ballast, b"x" * size)
                os.fsync(ballast)
        except OSError:
            pass
refused = 0
while refused < 3:
    take()
    try:
        os.chmod("A/filler", 0o600 + refused)
        refused = 0
    except OSError as e:
        if e.errno != errno.ENOSPC:
            raise
        refused += 1
END
head -c 8M /dev/zero >data/ballast
touch A/filler

writers=()
for name in 1 2 3; do
	timeout 120 python3 writer.py "$name" 1 100000 2>end"$name" &
	writers+=($!)
done
wait_for 60 test -s ack1
timeout 60 python3 fill.py
ok $? "the disk is full"
wait "${writers[@]}"
is "$(sort -u end1 end2 end3)" "No space left on device" "each of three writers ends with ENOSPC"
is "$(python3 check.py)" "" "every acknowledged value is there, none that failed"
grep -q 'warning: disk full, writes are refused' replica.log
ok $? "the log says so"
# shellcheck disable=SC2154 # lib.sh sets it
kill -0 "$replica_pid"
ok $? "the replica lives"
# What a transaction that failed gives back would be enough for a small one.
filling() {
	while [ -e filling ]; do
		cat /dev/zero >>data/ballast2 2>/dev/null
		read -r -t 0.02 <> <(:)
	done
}
touch filling
filling &
filler=$!
fails() {
	[ "$(errno_of 'os.chmod("A/filler", 0o600 + os.urandom(1)[0] % 64)')" = ENOSPC ]
}
wait_for 30 fails
is "$(errno_of 'os.mkdir("A/n")')" ENOSPC "mkdir: ENOSPC"
is "$(errno_of 'os.write(os.open("B/value", os.O_WRONLY | os.O_TRUNC), b"new")')" ENOSPC "write: ENOSPC, from the other mount too"
is "$(errno_of 'os.open("A/.zab/ephemeral/e", os.O_CREAT | os.O_WRONLY)')" ENOSPC "an ephemeral: ENOSPC"
is "$(errno_of 'os.rmdir("A/d")')" ENOSPC "to remove is a transaction, too"
is "$(cat A/value B/value)" "old
old" "what was refused did not happen"
[ ! -e B/n ] && [ -d B/d ]
ok $? "nor was anything made or removed"
is "$(grep ^state A/.zab/session B/.zab/session | sort -u | wc -l)" 2 "both mounts have their sessions"
is "$(grep ^id A/.zab/session)" "$session" "the same ones"

rm filling
wait "$filler"

# Killed, and started on the full disk: it says so, unless the log's end, written
# back, made room enough for it to begin its epoch.
replica_kill9
sed -i 's/^pass_interval.*/pass_interval = 1/' zabfs.conf
lines=$(wc -l <replica.log)
replica_launch
says() {
	tail -n +"$((lines + 1))" replica.log | grep -qE 'warning: disk full, writes are refused|info: leading'
}
wait_for 20 says
ok $? "killed and started on the full disk, it says so, or serves"
rm data/ballast data/ballast2
replica_leads
ok $? "and begins when there is space"
is "$(python3 check.py)" "" "nothing was lost"
is "$(errno_of 'os.mkdir("A/n")')" none "writing goes on"
is "$(grep ^id A/.zab/session)" "$session" "in the same session"

# Space comes back under the running replica.
watch_start B/d events -e create --format %f
head -c 4M /dev/zero >data/ballast 2>/dev/null
timeout 60 python3 fill.py
ok $? "full again"
rm data/ballast
writes() {
	echo new >A/value 2>/dev/null
}
wait_for 30 writes
ok $? "space is back: writing goes on, without a restart"
is "$(cat B/value)" new "and the other mount sees it"
touch A/d/f
wait_for 10 grep -qx f events
ok $? "with its events"
for name in 1 2 3; do
	timeout 60 python3 writer.py "$name" 200000 10
	ok $? "writer $name goes on"
done
is "$(python3 check.py)" "" "what it wrote is there"
replica_restart
is "$(python3 check.py)" "" "and is all there after a restart"
is "$(find A -printf '%P %i %s\n' | sort | md5sum)" "$(find B -printf '%P %i %s\n' | sort | md5sum)" "both mounts agree"

cd /
done_testing
