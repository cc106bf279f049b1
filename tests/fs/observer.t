#!/bin/bash
# An observer: its mounts read and write like any other, nobody counts on it, and
# it comes and goes, leader or not, and without its disk.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/writers.sh"

fourth="127.$((1 + $$ / 256 % 254)).$(($$ % 256)).4"
ensemble_start 3 "pass_interval = 1" "log_rows_min = 20" "log_tree_percent = 0" \
	"observer 4 { peer = \"$fourth:7400\" front = \"$fourth:7401\" }" || exit 1
# As it is started from the first time on.
member_start 4
wait_for 30 serves 4 || exit 1
for id in 1 2 3 4; do
	member_mount $id -o timeout=30s || exit 1
done
cd "$T" || exit 1

session() {
	timeout 20 sed -n "s/^$2 //p" "$1/.zab/session"
}
is "$(session m4 replica)" 4 "a mount is attached to its node's observer"

# Reads and writes, here and there.
mkdir m4/d && echo "from 4" >m4/d/f && touch m4/d/.zab/ephemeral/mine
ok $? "it writes"
exec 9>m4/d/.zab/held/held
timeout 20 sync m1
is "$(ls m1/d)" "f
held
mine" "  as others see"
is "$(cat m1/d/f)" "from 4" "  and read"
watch_start m4/d events
echo "from 1" >m1/d/f
wait_for 10 grep -q 'MODIFY f' events
ok $? "what others write is an event here"
watch_stop
timeout 20 sync m4
is "$(cat m4/d/f)" "from 1" "  and is read behind a sync"
exec 9>&-
gone() {
	[ ! -e "$1" ]
}
wait_for 10 gone m1/d/held
ok $? "closed, its held node goes everywhere"

# A writer on it, while leaders die.
writer_start m4/appended
for round in 1 2 3; do
	writers_do 30
	led=$(leader)
	member_end "$led" KILL
	writers_do 30
	ok $? "$round: the leader is killed, and who writes through the observer goes on"
	member_start "$led"
	wait_for 30 serves "$led"
done
writers_stop
timeout 20 sync m1
writer_was_right m1/appended acks "each was done once, in order"

# It is not counted: two voters of three are a majority without it, one is none with it.
wait_for 30 leads
led=$(leader)
away=$((led % 3 + 1))
member_end 4 KILL
member_end $away KILL
timeout 20 mkdir "m$led/without"
ok $? "the observer and one voter are killed: two of three are enough"
member_start 4
wait_for 30 serves 4
ok $? "  started again it serves"
served() {
	[ "$(session m4 replica)" = 4 ]
}
wait_for 30 served
ok $? "  its mount comes back"
[ -d m4/without ]
ok $? "  and shows what it has missed"
mount_start brief -s "$T/4/front.sock" -o timeout=3s || exit 1
last=$((6 - led - away))
member_end $last KILL
nobody() {
	[ "$(cat m4/.zab/cluster/leader)" = 0 ]
}
wait_for 30 nobody
ok $? "one voter of three and the observer: nobody leads"
is "$(errno_of 'os.mkdir("brief/with")')" EHOSTUNREACH "  a write is not done"
[ -d m4/without ]
ok $? "  reads go on"
member_start $last
member_start $away
for id in 1 2 3 4; do
	wait_for 30 serves $id
	ok $? "all are back: $id serves"
done
[ ! -e m1/with ]
ok $? "what failed did not happen"
timeout 20 mkdir m4/again
ok $? "the mount writes again"

# Without its disk, and without the rows that it has missed.
member_end 4 KILL
rm -rf "${T:?}/4/data"
for ((n = 0; n < 60; n++)); do
	echo $n >"m$led/d/f$n"
done
cut() {
	[ "$(awk '$1 == "zabfs_log_rows" { print $2 }' "m$(leader)/.zab/metrics")" -le 20 ]
}
wait_for 30 cut
before=$(grep -c 'snapshot in force' replica-4.log)
member_start 4
wait_for 30 serves 4
ok $? "without its disk it comes back"
[ "$(grep -c 'snapshot in force' replica-4.log)" -gt "$before" ]
ok $? "  by a snapshot"
wait_for 30 served
listing() {
	timeout 20 sync "m$1"
	find "m$1" -printf '%P %i %s %n %m\n' | sort | md5sum
}
is "$(listing 4)" "$(listing 1)" "  and shows what the others do"
column() {
	awk -v n="$1" '$1 == 4 { print $n }' m4/.zab/cluster/members
}
is "$(column 2)" observer "it is an observer still"
! grep -q 'info: leading' replica-4.log
ok $? "  and has never led"

# Made a voter, it has no vote before a leader has synchronised it, which takes three of the four.
for id in 1 2 3 4; do
	member_end $id TERM
done
members+=("member 4 { peer = \"$fourth:7400\" front = \"$fourth:7401\" }")
conf_write "pass_interval = 1"
member_start 4
member_start 1
state_is() {
	[ "$(column 3)" = "$1" ]
}
wait_for 30 state_is no-vote
ok $? "an observer that is made a voter, without a majority of the others: no-vote"
is "$(column 2)" looking "  it looks for a leader"
grep -q 'warning: no vote until a leader has synchronised this member needed=3 others=3' replica-4.log
ok $? "  and its log says what it waits for"
member_start 2
member_start 3
wait_for 30 state_is serving
ok $? "with the others it serves"
is "$(column 2)" follower "  as a voter"
grep -c 'warning: no vote' replica-[123].log | sort -u >others
is "$(cat others)" "replica-1.log:0
replica-2.log:0
replica-3.log:0" "who has a vote says nothing"

cd /
done_testing
