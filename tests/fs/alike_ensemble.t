#!/bin/bash
# What a mount shows of directories without asking is what the others show, also while members and
# front ends are killed: mounts move to other members and home again, are told what they missed, and
# ask once more for what they had no answer to.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

rounds=${ROUNDS:-5}
ensemble_start 3 || exit 1
for id in 1 2 3; do
	member_mount "$id" || exit 1
done

PYTHONDONTWRITEBYTECODE=1 timeout $((100 + rounds * 20)) python3 -u "$here/tests/fs/alike.py" "$rounds" "$T/m1" "$T/m2" "$T/m3" >"$T/out" 2>&1 &
alike=$!
killed=0
while kill -0 $alike 2>/dev/null; do
	id=$((killed % 3 + 1))
	member_end "$id" KILL
	member_start "$id"
	wait_for 60 serves "$id" || break
	kill -9 "$(fsd_pid "m$((killed / 3 % 3 + 1))")"
	killed=$((killed + 1))
done
wait $alike
is "$? $(grep -v '^# ' "$T/out" | head -n 20)" "0 " "three mounts show the same of directories that all change at once"
ok $((killed < 3)) "  while members and front ends are killed"
grep '^# ' "$T/out"
echo "# $killed killed"

done_testing
