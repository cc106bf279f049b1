#!/bin/bash
# The recipes (zabfs-recipes(7)) when a mount stands still for longer than its
# session lasts, when the leader does, and when there is no quorum: somebody else goes
# on, who was cut off does no harm and comes back, nothing is lost or done twice.
# shellcheck disable=SC2154 # from lib.sh and recipes.sh
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/recipes.sh"

ensemble_start 3 || exit 1
member_mount 1 -o timeout=3s && member_mount 2 -o timeout=60s && member_mount 3 -o timeout=60s || exit 1
cd "$T" || exit 1
mkdir -p m2/{simple,fair,elect,elect.py,elect.c,group,conf} m2/queue/{items,claims,done}
gcc -std=c17 -o elect.c "$recipes/elect.c" || exit 1
declare -A program=([elect]=$recipes/elect [elect.py]=$recipes/elect.py [elect.c]=$T/elect.c)

# On a node: what a holder does, again and again, guarded by its token. Until it is ended.
cat >guarded <<'END'
#!/bin/bash
# PLACE NAME: writes its name to PLACE, guarded by its number.
echo "$FENCE" >"$T/fence.$2"
echo "${LOCK-}" >"$T/lock.$2"
echo $$ >"$T/in.$2"
trap 'echo ended >"$T/ended.$2"; exit' TERM
until [ -e "$T/stop" ] || [ -e "$T/leave.$2" ]; do
	[ -e "$T/wrote.$2" ] || { "$recipes/fenced" "$1" "$FENCE" "$2" && touch "$T/wrote.$2"; }
	sleep 0.05
done
END
chmod +x guarded
export recipes
value() {
	[ "$(timeout 20 cat "$1" 2>/dev/null)" = "$2" ]
}
connected() {
	has "$1/.zab/session" '^state connected'
}
run simple-old "$recipes/lock" m1/simple/x ./guarded m1/simple.value simple-old
run fair-old "$recipes/lock-fair" m1/fair ./guarded m1/fair.value fair-old
for kind in elect elect.py elect.c; do
	run $kind-old "${program[$kind]}" m1/$kind old ./guarded m1/$kind.value $kind-old
done
for who in simple fair elect elect.py elect.c; do
	wait_for 30 test -e wrote.$who-old || ok 1 "$who: the first is in"
done
run fair-out "$recipes/lock-fair" m1/fair ./section out quick
wait_for 30 lists m1/fair 2
run simple-new "$recipes/lock" m2/simple/x ./guarded m2/simple.value simple-new
run fair-new "$recipes/lock-fair" m2/fair ./guarded m2/fair.value fair-new
for kind in elect elect.py elect.c; do
	run $kind-new "${program[$kind]}" m2/$kind new ./guarded m2/$kind.value $kind-new
	wait_for 30 lists m2/$kind 2
done
run members "$recipes/members" m3/group
run a "$recipes/member" m1/group a 10.0.0.8:80
run b "$recipes/member" m2/group b 10.0.0.9:80
run upstream "$recipes/upstream" m1/group app upstream.conf true
run follow "$recipes/config-follow" m1/conf/app tee -a loaded
echo one >m2/conf/app
cat >work <<'END'
#!/bin/bash
# WHO: the worker on node 1 is slow.
read -r item
echo "$1 $item" >>"$T/tried"
[ "$1" != old ] || until [ -e "$T/finish" ]; do sleep 0.02; done
echo "$item by $1"
END
chmod +x work
run worker-old "$recipes/queue-work" m1/queue ./work old
"$recipes/queue-put" m2/queue item >/dev/null
wait_for 30 has tried old
run worker-new "$recipes/queue-work" m2/queue ./work new
wait_for 30 has members.out '^members: a b$' && wait_for 30 has loaded one
ok $? "all is as it should be"

# Node 1's mount stands still: its session ends.
fsd=$(fsd_pid m1)
kill -STOP "$fsd"
for who in simple fair elect elect.py elect.c; do
	wait_for 30 test -e wrote.$who-new
	ok $? "$who: the next one is in, when the session of the holder is over"
	is "$(cat m2/$who.value)" "$(cat fence.$who-new) $who-new" "  and writes"
done
wait_for 30 has members.out '^members: b$'
ok $? "member: it is no longer in the group"
wait_for 30 lists m2/queue/done 1
is "$(cat m2/queue/done/*)" "item by new" "queue: another worker does what the one had claimed"
echo two >m2/conf/app
kill -CONT "$fsd"
wait_for 30 connected m1
sync m1

# What the old ones do now.
for who in simple fair elect elect.py elect.c; do
	is "$(timeout 60 "$recipes/fenced" m1/$who.value "$(cat fence.$who-old)" late 2>/dev/null; echo $?):$(cat m1/$who.value)" \
		"1:$(cat fence.$who-new) $who-new" "$who: a write of the old one is refused by its number"
done
is "$( (echo "check $(cat lock.fair-old) ; create /harm x" >m1/.zab/txn) 2>&1 | grep -c 'No such file'):$(test -e m1/harm; echo $?)" 1:1 \
	"lock-fair: so is a transaction that checks the lock"
(echo "check $(cat lock.fair-new) ; create /good x" >m1/.zab/txn)
ok $? "  and that of the new one is not"
is "$(status fair-out)" 75 "lock-fair: who waited there is out, and says so"
for kind in elect elect.py elect.c; do
	is "$(status $kind-old):$(wait_for 30 test -e ended.$kind-old; cat ended.$kind-old)" 75:ended "$kind: the old leader's command is ended"
done
wait_for 30 has loaded two
ok $? "config-follow: what was changed meanwhile is loaded"
tail_is() {
	[ "$(tail -n 1 "$1")" = "$2" ]
}
wait_for 30 tail_is members.out "members: a b"
ok $? "member: it is back in the group"
touch finish
wait_for 30 has worker-old.out 'No such file'
is "$(cat m2/queue/done/*):$(ls m2/queue/items)" "item by new:" "queue: what the old worker did late does not count"
kill "${pid_of[a]}"
wait_for 30 tail_is members.out "members: b"
touch leave.{simple,fair}-{old,new}
is "$(status simple-old fair-old simple-new fair-new)" "0 0 0 0" "locks: all end"
kill "${pid_of[worker-old]}" "${pid_of[worker-new]}" "${pid_of[members]}" "${pid_of[follow]}"

# The leader stands still: whoever holds something goes on holding it.
run stays "$recipes/lock-fair" m2/fair ./section stays stay
wait_for 30 has_entered stays
run next "$recipes/lock-fair" m3/fair ./section next quick
wait_for 30 lists m3/fair 2
stopped=$(leader)
member_signal "$stopped" STOP
wait_for 30 leads "$stopped"
run last "$recipes/lock-fair" m2/fair ./section last quick
wait_for 30 lists m3/fair 3
is "$(entered)" "stays " "the leader stands still: a lock stays whose it is"
leave stays
is "$(status stays next last)" "0 0 0" "  and passes on under another leader"
member_signal "$stopped" CONT
was_right "  the leader comes back"

# No quorum: who leads here ends before anyone could lead elsewhere.
run again "${program[elect]}" m1/elect again ./guarded m1/elect.value again
touch leave.elect-new
wait_for 30 test -e in.again
ok $? "elect: node 1 leads again"
member_end 2 TERM
member_end 3 TERM
wait_for 30 test -e ended.again
ok $? "without a quorum it does not lead for longer than the session lasts"
is "$(status again)" 75 "  and says that it is out"
is "$(grep -c server upstream.conf):$(grep -c 10.0.0.9:80 upstream.conf)" 1:1 "upstream: the list stays"
member_start 2
member_start 3
# shellcheck disable=SC2016 # for that shell
run after bash -c 'while "$@"; [ $? = 75 ]; do sleep 0.1; done' - \
	"${program[elect]}" m1/elect after ./guarded m1/elect.value after
wait_for 60 test -e wrote.after
ok $? "started again and again, it leads when there is a quorum"
touch leave.after
is "$(status after)" 0 "  and ends"
done_testing
