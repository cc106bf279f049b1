#!/bin/bash
# A mount whose own replica is killed, or stands still, moves to another one: the
# session goes on, with its ephemerals and open files, nothing is lost or done
# twice, no event is missed; and it comes back when the replica does.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/writers.sh"

ensemble_start 3 "pass_interval = 1" || exit 1
member_mount 1 -o timeout=30s || exit 1
member_mount 2 -o timeout=30s || exit 1
cd "$T" || exit 1

# What .zab/session says.
session() {
	timeout 20 sed -n "s/^$2 //p" "$1/.zab/session"
}
attached() {
	[ "$(session m1 state)" = connected ] && [[ $(session m1 replica) =~ $1 ]]
}
id=$(session m1 id)
is "$(session m1 replica)" 1 "a mount is attached to its node's replica"

mkdir m1/d && touch m1/.zab/ephemeral/mine
exec 8>m1/.zab/held/held
watch_start m1/d events
watch_start m1/.zab session_events

goes_on() {
	writers_do 50
}
writer_start m1/appended
goes_on

# HOW UNDO: what happens to replica 1, and what makes it good.
moves() {
	local what=$1 undo=$2
	$what
	wait_for 20 attached '[23]'
	ok $? "$what: the mount moves to another replica"
	is "$(session m1 id)" "$id" "  with its session"
	goes_on
	ok $? "  writes go on"
	echo "by another" >"m2/d/$what"
	wait_for 20 grep -q "CREATE $what\$" events
	ok $? "  changes come"
	is "$(cat "m1/d/$what")" "by another" "  and are seen"
	is "$(ls m2/mine m2/held)" "m2/held
m2/mine" "  its ephemeral nodes are there"
	$undo
	wait_for 30 attached 1
	ok $? "$undo: the mount comes back"
	is "$(session m1 id)" "$id" "  with its session"
	goes_on
	ok $? "  writes go on"
}
kill_it() {
	member_end 1 KILL
}
start_it() {
	member_start 1
}
stop_it() {
	member_signal 1 STOP
}
continue_it() {
	member_signal 1 CONT
}
moves kill_it start_it
moves stop_it continue_it
wait_for 20 grep -q 'session' session_events
ok $? "who watches .zab/session hears of it"

# There and back at once, and both others in turn: never more than one is away.
for round in 1 2 3 4 5 6; do
	gone=$((round % 3 + 1))
	member_end $gone KILL
	goes_on
	ok $? "replica $gone is killed: writes go on"
	member_start $gone
	wait_for 30 serves $gone
	ok $? "  and is back"
done

(echo held >&8) 2>>errors
ok $? "the open file on the held node is good"
is "$(cat m2/held)" held "  as others see"
writers_stop
timeout 20 sync m2
writer_was_right m2/appended acks "each was done once, in order"
exec 8>&-
gone() {
	[ ! -e m2/held ]
}
wait_for 20 gone
ok $? "closed, the held node goes"

# A node without a replica of its own: the members' front addresses are enough.
mount_start far -s "$T/nobody.sock" -o timeout=5s || exit 1
is "$(cat far/appended | md5sum)" "$(md5sum <acks)" "a node without a replica mounts, too"
mkdir far/made && timeout 20 sync m2 && [ -d m2/made ]
ok $? "  and writes"

# Cut off from the leader, all it knows is old: it moves before its deadline.
mount_start near -s "$T/3/front.sock" -o timeout=4s || exit 1
member_end 1 TERM
member_end 2 TERM
unreadable() {
	! timeout 20 cat near/appended >/dev/null 2>&1
}
wait_for 20 unreadable
ok $? "with no quorum anywhere reads fail after the deadline"
is "$(session near state)" suspended "  the session is suspended"
member_start 1
member_start 2
readable() {
	timeout 20 cat near/appended >/dev/null 2>&1
}
wait_for 30 readable
ok $? "  and service comes back"

cd /
done_testing
