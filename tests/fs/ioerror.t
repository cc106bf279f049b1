#!/bin/bash
# The replica's disk fails, by errors that strace(1) injects: the process exits
# with EX_IOERR and says why, acknowledges nothing that may be lost, and
# recovers when started again. And each acknowledgement waited for an fsync.
. "$(dirname "$0")/lib.sh"

node_start "pass_interval = 1" && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
allow_error 'storage failed'
allow_error 'disk I/O error'

tracer=
# Attaches to the replica: strace's options.
trace_start() {
	: >strace.err
	# shellcheck disable=SC2154 # lib.sh sets it
	strace -f -y -qq -o strace.out -p "$replica_pid" "$@" 2>strace.err 8>&- 9>&- &
	tracer=$!
	wait_for 10 traced
}

# Every thread, or it has failed already.
traced() {
	local task
	! process_gone "$replica_pid" || return 0
	for task in "/proc/$replica_pid/task"/*; do
		grep -q "^TracerPid:[[:space:]]$tracer$" "$task/status" 2>/dev/null || return 1
	done
}

trace_stop() {
	kill "$tracer" 2>/dev/null
	wait "$tracer" 2>/dev/null
}

replica_status() {
	wait_for 20 process_gone "$replica_pid" || kill -9 "$replica_pid"
	wait "$replica_pid"
	echo $? >status
	wait "$tracer" 2>/dev/null
}

# Each writes numbered lines to one file from its mount, and notes what was acknowledged.
cat >writer.py <<'END'
import os, sys
mount, start = sys.argv[1], int(sys.argv[2])
fd = os.open(mount + "/log", os.O_WRONLY | os.O_APPEND)
ack = open("ack", "a", buffering=1)
for n in range(start, start + 50):
    os.write(fd, b"%s%d\n" % (mount.encode(), n))
    ack.write("%s%d\n" % (mount, n))
END

agree() {
	is "$(sort B/log)" "$(sort ack)" "$1"
}

touch A/log ack
is "$(cat B/log)" "" "two mounts"

trace_start -y -e trace=fdatasync,fsync
ok $? "strace follows the replica"
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	echo "s$n" >>A/log
	echo "s$n" >>ack
done
trace_stop
syncs=$(grep -c 'log.db-wal' strace.out)
[ "$syncs" -ge 20 ]
ok $? "20 acknowledged writes, one after the other: at least 20 syncs of the log ($syncs)"
agree "all are there"

start=0
# CALL WHEN: the disk fails at this call, while both mounts write.
fails() {
	local call=$1 when=$2 lines writers=()
	start=$((start + 1000))
	lines=$(wc -l <replica.log)
	trace_start -e "trace=$call" -e "inject=$call:error=EIO:when=$when" -P "$T/data/log.db" -P "$T/data/log.db-wal"
	for mount in A B; do
		timeout 60 python3 writer.py $mount $start &
		writers+=($!)
	done
	replica_status
	is "$(cat status)" 74 "$call fails with EIO: status 74"
	tail -n +"$((lines + 1))" replica.log | grep -q 'error: storage failed, .*I/O error'
	ok $? "  and why"
	is "$(grep -c 'leading' <(tail -n +"$((lines + 1))" replica.log))" 0 "  it did not go on by itself"
	replica_start
	ok $? "  started again, it recovers"
	wait "${writers[@]}"
	ok $? "  the calls that waited went on"
	agree "  every write is there once"
}

fails fdatasync 1
fails fdatasync 17
fails pwrite64 1
fails pwrite64 30
fails pwrite64 60+

# At the start (LeakSanitizer refuses to be traced): the first read, a later one, which SQLite takes for damage, the first sync.
node_stop
for failure in pread64 pread64:when=3 fdatasync; do
	call=${failure%:*}
	status=74
	[ "$failure" != pread64:when=3 ] || status=65
	# shellcheck disable=SC2154 # lib.sh sets it
	ASAN_OPTIONS=detect_leaks=0 timeout 30 strace -f -qq -o strace.out -e "trace=$call" -e "inject=$call:error=EIO${failure#"$call"}" -P "$T/data/log.db" -P "$T/data/log.db-wal" \
		"$build/zabfs-replica" -f zabfs.conf -i 1 -D data -d >"start-$failure" 2>&1
	is "$?" $status "$failure fails at the start: status $status"
	grep -qE 'I/O error|log.db: database disk image is malformed' "start-$failure"
	ok $? "  and why"
done
replica_start
ok $? "it starts when the disk does"
agree "with all that was there"

cd /
done_testing
