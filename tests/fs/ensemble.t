#!/bin/bash
# Three nodes: what is written on one is read on all, any one of them may die,
# stand still, or lose its disk, and no acknowledged write is lost or done twice.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/writers.sh"

ensemble_start 3 "pass_interval = 1" || exit 1
for id in 1 2 3; do
	member_mount $id -o timeout=30s || exit 1
done
cd "$T" || exit 1

# fsync(2) is a round through the ensemble: what was acknowledged anywhere is then read here.
synced() {
	timeout 20 sync "$1" 2>/dev/null
}

for id in 1 2 3; do
	mkdir m$id/d$id && echo "from $id" >m$id/d$id/f
	ok $? "node $id writes"
done
for id in 1 2 3; do
	synced m$id
	is "$(cat m$id/d1/f m$id/d2/f m$id/d3/f)" "from 1
from 2
from 3" "node $id reads all of it"
done
watch_start m3/d1 events
echo again >m1/d1/f
wait_for 10 grep -q 'MODIFY f' events
ok $? "a write on node 1 is an event on node 3"
watch_stop

goes_on() {
	writers_do 50
}
# What is there, on the nodes given, is what was acknowledged.
writer_stop() {
	local file=$1 id
	shift
	writers_stop
	for id in "$@"; do
		synced "m$id"
		writer_was_right "m$id/$file" acks "  node $id has each acknowledged write once, in order"
	done
}
other_than() {
	local id
	for id in 1 2 3; do
		[ "$id" = "$1" ] || echo "$id"
	done
}
snapshots() {
	grep -c 'snapshot in force' "replica-$1.log"
}

killed=$(leader)
read -rd '' near far < <(other_than "$killed")
writer_start "m$near/killed"
goes_on
ok $? "a writer on a node that does not lead is busy"
member_end "$killed" KILL
wait_for 20 leads "$killed"
ok $? "the leader is killed: another one leads"
goes_on
ok $? "  writes go on"
member_start "$killed"
wait_for 20 serves "$killed"
ok $? "  started again it is in the ensemble"
goes_on
writer_stop killed 1 2 3
grep 'info: recovered' "replica-$killed.log" | tail -n 1 | grep -qE ' zxid=0x[0-9a-f]+ logged=0x[1-9a-f][0-9a-f]* '
ok $? "  and its log says what is applied, and how far the log goes"
is "$(snapshots "$killed")" 0 "  by what its log lacked, not by a snapshot"

# The writer's own replica dies, too: fsd asks the next process again.
writer_start "m1/turns"
for id in 1 2 3 1 2 3; do
	goes_on
	member_end $id KILL
	member_start $id
	wait_for 20 serves $id
	ok $? "replica $id is killed and started, and serves"
done
goes_on
writer_stop turns 1 2 3

stopped=$(leader)
read -rd '' near far < <(other_than "$stopped")
writer_start "m$near/stopped"
goes_on
member_signal "$stopped" STOP
wait_for 20 leads "$stopped"
ok $? "the leader stands still: another one leads"
goes_on
ok $? "  writes go on"
member_signal "$stopped" CONT
follows() {
	[ "$(member_role "$1")" = following ]
}
wait_for 20 follows "$stopped"
ok $? "  when it goes on it follows"
goes_on
writer_stop stopped 1 2 3

# Without the other two. The configuration changes meanwhile: the log is to be cut.
last=1
mount_start last -s "$T/$last/front.sock" -o timeout=4s || exit 1
cat last/d1/f >before
for id in 2 3; do
	member_end $id KILL
done
is "$(timeout 20 cat last/d1/f)" "$(cat before)" "both others are killed: reads go on at first"
nobody() {
	[ "$(timeout 20 cat last/.zab/cluster/leader)" = 0 ]
}
wait_for 20 nobody
ok $? "  the last one knows that nobody leads"
begun=$(date +%s%3N)
why=$(errno_of 'os.mkdir("last/alone")')
took=$(($(date +%s%3N) - begun))
is "$why" EHOSTUNREACH "  a write fails"
[ $took -lt 15000 ]
ok $? "  after the session's timeout of 4 s: $took ms"
unreadable() {
	! timeout 20 cat last/d1/f >/dev/null 2>&1
}
wait_for 20 unreadable
ok $? "  then reads fail, too"
conf_write "pass_interval = 1" "log_rows_min = 20" "log_tree_percent = 0"
member_end $last TERM
for id in 1 2 3; do
	member_start $id
done
for id in 1 2 3; do
	wait_for 30 serves $id
	ok $? "  all come back: node $id serves"
done
service() {
	timeout 20 mkdir last/back 2>/dev/null || [ -d last/back ]
}
wait_for 20 service
ok $? "  and so does service"
synced m3
[ -d m3/back ]
ok $? "  for all"
[ ! -e m3/alone ]
ok $? "  what failed did not happen"
mount_stop last

# A disk is lost.
wiped=$(leader)
read -rd '' near far < <(other_than "$wiped")
writer_start "m$near/wiped"
member_end "$wiped" KILL
rm -rf "${T:?}/$wiped/data"
# Of a copy: the replica lets nobody else in. One that was taken at a bad moment says 0.
log_begins() {
	cp "$1/data/log.db" peek.db
	cp "$1/data/log.db-wal" peek.db-wal
	python3 -c 'import sqlite3
try:
    print(sqlite3.connect("peek.db").execute("SELECT min(zxid) FROM log").fetchone()[0] or 0)
except sqlite3.Error:
    print(0)'
	rm -f peek.db*
}
cut() {
	local id
	for id in "$near" "$far"; do
		[ "$(log_begins "$id")" -gt $((1 << 32 | 20)) ] || return 1
	done
}
wait_for 30 cut
ok $? "a node loses its disk, and the others' logs are cut"
before=$(snapshots "$wiped")
member_start "$wiped"
wait_for 30 serves "$wiped"
ok $? "  without databases, and without -I, it joins"
grep -q 'info: no databases, no voter until synchronised' "replica-$wiped.log"
ok $? "  as no voter at first, and says so"
is "$(snapshots "$wiped")" $((before + 1)) "  by a snapshot"
goes_on
writer_stop wiped 1 2 3
is "$(cat m"$wiped"/d[123]/f)" "$(cat m"$far"/d[123]/f)" "  it has all that it had"
writer_start "m$near/counts"
goes_on
member_end "$far" KILL
goes_on
ok $? "  and it counts: with another one's death there are two"
writer_stop counts "$near" "$wiped"
member_start "$far"
wait_for 30 serves "$far"
ok $? "  who comes back, too"
listing() {
	synced "m$1"
	find "m$1" -printf '%P %i %s %n %m\n' | sort | md5sum
}
is "$(listing 1)" "$(listing 2)" "nodes 1 and 2 agree"
is "$(listing 1)" "$(listing 3)" "nodes 1 and 3 agree"

cd /
done_testing
