#!/bin/bash
# ^C ends every call that waits, whatever it waits for, while the replica stands
# still and while there is none; nobody is left in D; and when the replica goes
# on, what was interrupted is done whole or not at all.
. "$(dirname "$0")/lib.sh"

node_start && mount_start L -o timeout=60s || exit 1
cd "$T" || exit 1

mkdir L/d L/d/full L/d/empty
for name in value cut mode gone from to old written synced lock queued; do
	echo value >L/d/$name
done
ln -s value L/d/link

# interrupt_all NAME COMMAND...: the command strikes when all files are open, and the kernel
# knows the names: else each call would wait for a look-up.
interrupt_all() {
	local name=$1 pid
	shift
	stat L/d/* "L/d/$name" L/d/full/.zab >/dev/null 2>&1
	# shellcheck disable=SC2034,SC2154 # its descriptors are used; here is of lib.sh
	coproc RUN { exec timeout 300 python3 "$here/tests/fs/interrupted.py" L "$name"; }
	pid=$RUN_PID
	read -r _ <&"${RUN[0]}"
	"$@"
	echo go >&"${RUN[1]}"
	cat <&"${RUN[0]}" >"$name"
	wait "$pid"
}

# shellcheck disable=SC2154 # from lib.sh
stand_still() {
	kill -STOP "$replica_pid"
}

connected() {
	grep -q '^state.*connected' L/.zab/session
}

free() {
	flock -n L/d/lock true
}

nothing_held() {
	! ls -d L/d/h-* >/dev/null 2>&1
}

interrupt_all dead replica_end KILL
is "$(cat dead)" "39 were interrupted" "without a replica ^C ends each call that waits"
is "$(ps -eo stat,args | grep -c '^D.* L/')" 0 "nobody is left in D"
replica_start
wait_for 20 connected
ok $? "the session goes on with the next replica"
[ ! -e L/d/dead ] && ! ls -d L/d/[sh]-* 2>/dev/null && [ -e L/d/gone ] && [ -d L/d/empty ] && [ -e L/d/from ]
ok $? "nothing is made, removed or renamed by what was interrupted before it could be sent"
# What > has opened is empty from then on, as anywhere.
is "$(cat L/d/written L/d/cut | tr '\n' ,)" value,value, "nor written"
is "$(stat -c %a L/d/mode)" 644 "nor changed"
wait_for 20 free
ok $? "nor locked"

interrupt_all stopped stand_still
is "$(cat stopped)" "39 were interrupted" "while it stands still, likewise"
is "$(ps -eo stat,args | grep -c '^D.* L/')" 0 "nobody is left in D"
kill -CONT "$replica_pid"
wait_for 20 connected
ok $? "the session goes on with the replica"
wait_for 20 free
ok $? "a lock that nobody waits for any more is nobody's"
wait_for 20 nothing_held
ok $? "nor is anything held"
timeout 20 sync L/d/written
ok $? "an fsync goes through"
case $(cat L/d/written) in
value | unknown) ok 0 "what was written is there whole, or not at all" ;;
*) ok 1 "what was written is there whole, or not at all: $(cat L/d/written)" ;;
esac
mkdir L/d/after && rmdir L/d/after
ok $? "and the mount serves"

cd /
done_testing
