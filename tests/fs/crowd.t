#!/bin/bash
# More mounts than sessions_max: one waits until there is room, and is let in then.
# shellcheck disable=SC2154,SC2034 # lib.sh has them
. "$(dirname "$0")/lib.sh"

node_start "sessions_max = 1" && mount_start A || exit 1
cd "$T" || exit 1

connected() {
	grep -q '^state connected' "$1/.zab/session"
}
figure() {
	awk -v name="$1" '$1 == name { print $2 }' A/.zab/metrics
}
refused() {
	[ "$(figure zabfs_sessions_refused_total)" -ge "$1" ]
}

wait_for 20 connected A
ok $? "a mount has the only session"
mkdir B
"$build/zabfs-mountd" -f zabfs.conf -d B >>mount-B.log 2>&1 </dev/null &
mountd_pid[B]=$!
wait_for 20 refused 3
ok $? "another one asks again and again"
is "$(figure zabfs_sessions) of $(figure zabfs_sessions_limit)" "1 of 1" "there is no room"
! mounted "$T/B"
ok $? "it waits"
is "$(grep -c 'session refused .*why="sessions_max"' replica.log)" 1 "with one line in the replica's log"
echo v >A/f
is "$(cat A/f)" v "the first goes on"
mount_stop A
wait_for 20 mounted "$T/B" && wait_for 20 connected B
ok $? "its end makes room"
is "$(cat B/f)" v "and the other is served"

cd /
done_testing
