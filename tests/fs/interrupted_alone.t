#!/bin/bash
# ^C ends every call that waits for a majority, where the mount's own replica is there and all others
# are gone; when they are back nothing is held by whoever was interrupted. interrupted.t has a replica
# that is gone.
. "$(dirname "$0")/lib.sh"

ensemble_start 3 || exit 1
member_mount 1 -o timeout=60s || exit 1
cd "$T" || exit 1

mkdir -p m1/d/full m1/d/empty
for name in value cut mode gone from to old written synced lock queued; do
	echo value >m1/d/$name
done

nobody_leads() {
	[ "$(timeout 20 cat m1/.zab/cluster/leader)" = 0 ]
}
service() {
	timeout 20 sync m1/d/synced
}
free() {
	timeout 20 flock -n m1/d/lock true
}
nothing_held() {
	! ls -d m1/d/h-* >/dev/null 2>&1
}

stat m1/d/* m1/d/made >/dev/null 2>&1
# shellcheck disable=SC2154 # from lib.sh
coproc RUN { exec timeout 300 python3 "$here/tests/fs/interrupted.py" m1 made changes; }
# shellcheck disable=SC2153 # bash sets it
run=$RUN_PID
read -r _ <&"${RUN[0]}"
member_end 2 KILL
member_end 3 KILL
wait_for 30 nobody_leads
ok $? "one of three is left"
is "$(timeout 20 cat m1/d/value)" value "  which answers"
echo go >&"${RUN[1]}"
cat <&"${RUN[0]}" >said
wait "$run"
is "$(cat said)" "28 were interrupted" "^C ends each call that waits for a majority"
is "$(ps -eo stat,args | grep -c '^D.* m1/')" 0 "nobody is left in D"
is "$(timeout 20 cat m1/d/value)" value "reads go on"

member_start 2
member_start 3
wait_for 30 service
ok $? "the others are back: service goes on"
wait_for 20 free
ok $? "a lock that nobody waits for any more is nobody's"
wait_for 20 nothing_held
ok $? "nor is anything held"
case $(timeout 20 cat m1/d/written) in
value | unknown) ok 0 "what was written is there whole, or not at all" ;;
*) ok 1 "what was written is there whole, or not at all: $(cat m1/d/written)" ;;
esac

cd /
done_testing
