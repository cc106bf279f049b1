#!/bin/bash
# flock(2) on three nodes: the queue outlives the leader, and mounts move while they wait. What becomes
# of the locks of a node that is cut off is seen in cluster/.
# shellcheck disable=SC2034,SC2154 # flock.sh's
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/flock.sh"
flock_s=30

ensemble_start 3 || exit 1
for id in 1 2 3; do
	member_mount $id -o timeout=20s || exit 1
done
cd "$T" || exit 1
touch m1/lock
sync m2/lock m3/lock

killed=$(leader)
hold first m1/lock
has first
for id in 1 2 3; do
	hold "at-$id" "m$id/lock"
	in_queue "at-$id" "m$id/lock"
done
member_end "$killed" KILL
wait_for 20 leads "$killed"
ok $? "the leader is killed while four wait for one lock or have it"
for id in 1 2 3; do
	waits "at-$id" m1/lock
	ok $? "  who waits on node $id waits on"
done
flock -n m2/lock true
is $? 1 "  it is locked"
let_go first
has at-1
ok $? "  released, it goes to the one that came first"
member_start "$killed"
wait_for 20 serves "$killed"
for id in 1 2 3; do
	has "at-$id"
	let_go "at-$id"
done
is "$(cat order)" "first
at-1
at-2
at-3" "all get it, in the order in which they came"

# Every replica in turn, the waiters' own ones too.
hold turns m1/lock
has turns
hold behind m2/lock
in_queue behind m2/lock
for id in 1 2 3; do
	member_end $id KILL
	member_start $id
	wait_for 30 serves $id
done
waits behind m1/lock
ok $? "each replica was killed once: who waits waits on"
let_go turns
has behind
ok $? "  and gets the lock"
let_go behind

counter() {
	local i
	for ((i = 0; i < 20; i++)); do
		# shellcheck disable=SC2016
		flock "m$1/lock" sh -c 'read -r n <"m$1/n"; echo $((n + 1)) >"m$1/n"' - "$1" || return
	done
}
echo 0 >m1/n
sync m2/n m3/n
pids=()
for id in 1 2 3 1 2 3; do
	counter $id &
	pids+=($!)
done
counted() {
	[ "$(cat m1/n)" -ge "$1" ]
}
wait_for 60 counted 20
member_end "$(leader)" KILL
wait "${pids[@]}"
ok $? "six processes on three nodes count, the leader is killed meanwhile"
sync m1/n
is "$(cat m1/n)" 120 "  none is lost"

done_testing
