#!/bin/bash
# flock(2) on three nodes: the queue outlives the leader, mounts move while they wait, and a node
# that is cut off loses its locks before another one gets them.
. "$(dirname "$0")/lib.sh"

ensemble_start 3 || exit 1
for id in 1 2 3; do
	member_mount $id -o timeout=20s || exit 1
done
cd "$T" || exit 1
touch m1/lock
sync m2/lock m3/lock

declare -A holder
# Notes that it has it, and holds it until told to go.
hold() {
	mkfifo "go-$1"
	# shellcheck disable=SC2016 # it is the inner shell's
	flock "m$2/lock" sh -c 'echo >"has-$1"; echo "$1" >>order; read -r _ <"go-$1"' - "$1" &
	holder[$1]=$!
}
has() {
	wait_for 30 test -e "has-$1"
}
# Whoever had it wrongly would have said so by now.
waits() {
	local i
	for ((i = 0; i < 20; i++)); do
		[ ! -e "has-$1" ] && timeout 20 sync m1/lock || return 1
	done
}
# Its file is open, and it waits in a system call: flock(2), then.
is_waiting() {
	[ -e "/proc/$1/fd/3" ] && grep -qs '^[0-9]' "/proc/$1/syscall"
}
in_queue() {
	wait_for 20 is_waiting "${holder[$1]}"
	# Its place is its request's: the next one comes behind it.
	sync "m$2/lock"
}
let_go() {
	timeout 20 sh -c 'echo >"go-$1"' - "$1"
	wait "${holder[$1]}"
}

killed=$(leader)
hold first 1
has first
for id in 1 2 3; do
	hold "at-$id" $id
	in_queue "at-$id" $id
done
member_end "$killed" KILL
wait_for 20 leads "$killed"
ok $? "the leader is killed while four wait for one lock or have it"
for id in 1 2 3; do
	waits "at-$id"
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
hold turns 1
has turns
hold behind 2
in_queue behind 2
for id in 1 2 3; do
	member_end $id KILL
	member_start $id
	wait_for 30 serves $id
done
waits behind
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
