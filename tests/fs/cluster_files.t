#!/bin/bash
# What an operator sees of an ensemble, .zab/cluster: members, leader, epoch, as
# each member knows them, quorum or not; and leadership handed over by a write.
# (Patience, so that a busy machine loses no leader.)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/writers.sh"

fourth="127.$((1 + $$ / 256 % 254)).$(($$ % 256)).4"
ensemble_start 3 "init_limit = 50" "sync_limit = 50" "pass_interval = 1" "log_rows_min = 20" "log_tree_percent = 0" \
	"observer 4 { peer = \"$fourth:7400\" front = \"$fourth:7401\" }" || exit 1
member_start 4 -I
for id in 1 2 3; do
	member_mount $id -o timeout=30s || exit 1
done
cd "$T" || exit 1

# A column of a member's line, as member WHO sees it: column WHO ID N.
column() {
	awk -v id="$2" -v n="$3" '$1 == id { print $n }' "m$1/.zab/cluster/members"
}
shows() {
	[[ $(column "$1" "$2" "$3") =~ ^$4$ ]]
}
# Serving, nothing behind: members that one sees so.
settled() {
	[ "$(awk '$3 == "serving" && $5 == 0' "m$1/.zab/cluster/members" | wc -l)" = "$2" ]
}
# As the leader sees them.
serving() {
	[ "$(awk '$3 == "serving"' "m$(leader)/.zab/cluster/members" | wc -l)" = "$1" ]
}
write_errno() {
	errno_of "os.write(os.open('$1', os.O_WRONLY), b'$2')"
}
other_than() {
	local id
	for id in 1 2 3; do
		[[ " $* " == *" $id "* ]] || echo "$id"
	done
}

is "$(find m1/.zab/cluster -printf '%P %y %m %U\n' | sort)" " d 555 0
epoch f 444 0
leader f 644 0
members f 444 0" "the files, their modes and owner"
is "$(cd m1/.zab && echo *)" "async cluster container data ephemeral events held metrics quota self sequence session stat stream sync txn" "listed in the root's .zab"
mkdir m1/d
[ ! -e m1/d/.zab/cluster ]
ok $? "  and in no other"
for id in 1 2 3; do
	wait_for 20 settled $id 4
	ok $? "node $id sees four members that serve, none behind" || sed 's/^/# /' m$id/.zab/cluster/members
	is "$(cat m$id/.zab/cluster/leader)" "$(leader)" "  and knows the leader"
done
is "$(head -n 1 m1/.zab/cluster/members | tr -s ' ')" "# ID ROLE STATE ZXID LAG ADDRESS" "the first line names the columns"
is "$(awk '{ print NF }' m2/.zab/cluster/members | sort | uniq -c | tr -s ' ')" " 4 6
 1 7" "  of which each member has one"
is "$(awk '!/^#/ { print $1, $6 }' m2/.zab/cluster/members)" "$(sed -nE 's/^[a-z]+ ([0-9]+) \{ peer = "([^"]*)".*/\1 \2/p' zabfs.conf)" "  with its address"
is "$(awk '!/^#/ { print $2 }' m3/.zab/cluster/members | sort | uniq -c | tr -s ' ')" " 2 follower
 1 leader
 1 observer" "one leads, an observer is one"
is "$(cat m1/.zab/cluster/epoch)" "$(sed -nE 's/.* info: leading epoch=([0-9]+) .*/\1/p' "replica-$(leader).log" | tail -n 1)" "the epoch is the log's"
[[ $(column 2 2 4) =~ ^0x[0-9a-f]+$ ]]
ok $? "a zxid is a number in hexadecimal: $(column 2 2 4)"
before=$(column 2 2 4)
mkdir m2/e
[ $(($(column 2 2 4))) -gt $((before)) ]
ok $? "  that grows"

# Input that is none, through a member that leads and one that does not.
led=$(leader)
for id in 1 2 3; do
	for input in " " 0 4 9 x -1 1x "1 2" 99999999999; do
		is "$(write_errno m$id/.zab/cluster/leader "$input")" EINVAL "node $id: \"$input\" is no voter's id"
	done
done
is "$(write_errno m1/.zab/cluster/leader "$led")" none "who leads is told to lead: nothing to do"
true >m1/.zab/cluster/leader
ok $? "an empty truncation is no command"
is "$(cat m1/.zab/cluster/leader)" "$led" "  the leader is the same"
for file in members epoch; do
	(: >m1/.zab/cluster/$file) 2>/dev/null
	[ $? -ne 0 ]
	ok $? "$file can't be opened for writing"
done
touch m1/.zab/cluster/new 2>/dev/null
[ $? -ne 0 ]
ok $? "nothing can be made there"
setpriv --reuid 65534 --clear-groups bash -c "echo $led >m1/.zab/cluster/leader" 2>/dev/null
[ $? -ne 0 ]
ok $? "only root hands over"

# Round and round, under writers on every node; each write is there once, in its order.
for id in 1 2 3; do
	writer_start m$id/log$id acks-$id
done
for round in 1 2 3 4 5 6; do
	writers_do 30 acks-{1,2,3} || echo "# the writers are slow"
	was=$(leader)
	heir=$((was % 3 + 1))
	asker=$((round % 3 + 1))
	wait_for 20 serving 4 || echo "# not all serve"
	is "$(write_errno m$asker/.zab/cluster/leader "$heir\\n")" none "handed over from $was to $heir, asked on node $asker"
	is "$(cat m$heir/.zab/cluster/leader)" $heir "  when write(2) returns it leads"
done
writers_do 30 acks-{1,2,3}
writers_stop
timeout 20 sync m1
for id in 1 2 3; do
	writer_was_right m1/log$id acks-$id "node $id: $(wc -l <acks-$id) writes, each once, in order"
done

# One is killed: an operator sees it, and it can't be handed to.
led=$(leader)
read -rd '' dead other < <(other_than "$led")
member_end "$dead" KILL
wait_for 20 shows "$other" "$dead" 3 unreachable
ok $? "a member is killed: the others say unreachable"
is "$(awk -v id="$dead" '$1 == id { print $2, $4, $5 }' "m$led/.zab/cluster/members")" "unknown - -" "  of what it is nothing is known"
is "$(write_errno "m$other/.zab/cluster/leader" "$dead")" EBUSY "  it can't lead: EBUSY"
is "$(cat "m$other/.zab/cluster/leader")" "$led" "  the leader leads on"

# One stands still: its connections are there, and nothing comes.
member_start "$dead"
wait_for 20 settled "$led" 4
ok $? "it is back"
member_signal "$other" STOP
wait_for 30 shows "$led" "$other" 3 unreachable
ok $? "a member stands still: it is unreachable, too"
member_signal "$other" CONT
wait_for 30 settled "$led" 4
ok $? "  until it goes on"

# A disk is lost: the tree comes as a snapshot. The one that gets it writes slowly, to be watched.
head -c 1000000 /dev/zero >big
for ((n = 0; n < 24; n++)); do
	cp big m1/d/big$n || break
done
ok $? "a tree of 24 MB"
cut() {
	local id
	for id in "$led" "$dead"; do
		[ "$(awk '$1 == "zabfs_log_rows" { print $2 }' "m$id/.zab/metrics")" -le 20 ] || return 1
	done
}
wait_for 30 cut
ok $? "  of which the logs are cut"
member_end "$other" KILL
rm -rf "${T:?}/$other/data"
mkdir "$other/data"
# shellcheck disable=SC2154
ASAN_OPTIONS=detect_leaks=0 strace -D -f -qq --seccomp-bpf -o strace.out -e trace=pwrite64 -e inject=pwrite64:delay_enter=1000 \
	"$build/zabfs-replica" -f zabfs.conf -i "$other" -D "$other/data" -s "$other/front.sock" -d \
	>>"replica-$other.log" 2>&1 </dev/null 8>&- 9>&- &
# shellcheck disable=SC2034
member_pid[$other]=$!
progress() {
	[ "$(column "$1" "$other" 3 | sed -nE 's/^snapshot:([0-9]+)%$/\1/p')" -gt "$2" ] 2>/dev/null
}
wait_for 30 progress "$led" 0
ok $? "a snapshot's progress is seen by the leader: $(column "$led" "$other" 3)"
half=$(column "$other" "$other" 3)
[[ $half =~ ^snapshot:[0-9]+%$ ]]
ok $? "  and by the one that gets it, which serves nobody yet: $half"
half=${half//[!0-9]/}
wait_for 30 progress "$other" "$half"
ok $? "  it grows"
wait_for 60 settled "$led" 4
ok $? "  until it serves"
member_end "$other" TERM
member_start "$other"
wait_for 30 settled "$led" 4

# The last one of three. Its mount has a session that nobody can say is alive, then none.
member_end "$led" KILL
member_end "$dead" KILL
wait_for 30 shows "$other" "$other" 3 electing
ok $? "the last one of three looks for a leader"
is "$(cat "m$other/.zab/cluster/leader")" 0 "  and says that there is none"
is "$(awk -v id="$other" '!/^#/ && $1 != 4 && $1 != id { print $2, $3 }' "m$other/.zab/cluster/members")" "unknown unreachable
unknown unreachable" "  nor anybody else"
member_end "$other" KILL
member_start "$other"
listed() {
	[ "$(timeout 5 cat "m$other/.zab/cluster/members" 2>/dev/null | wc -l)" = 5 ]
}
wait_for 30 listed
ok $? "  the member restarts, still alone: its mount has no session with it, and reads members"
is "$(timeout 60 bash -c "echo $led 2>&1 >m$other/.zab/cluster/leader" 2>&1 | grep -c 'No route to host')" 1 "  a hand-over: EHOSTUNREACH, after the session's deadline"
member_start "$led"
member_start "$dead"
wait_for 30 settled "$other" 4
ok $? "all are back"

cd /
done_testing
