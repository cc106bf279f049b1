#!/bin/bash
# The recipes (zabfs-recipes(7)) on three nodes, under contention, their processes
# killed: locks, elections, counters. recipes_groups.t has the others, recipes_cut.t
# sessions that end and an ensemble without a quorum.
# shellcheck disable=SC2154 # from lib.sh and recipes.sh
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/recipes.sh"

ensemble_start 3 || exit 1
for id in 1 2 3; do
	member_mount $id -o timeout=60s || exit 1
done
cd "$T" || exit 1
mkdir m1/{simple,fair,shared,elect,cron}

# Locks: six on three nodes, the third is killed with the lock.
# contend RECIPE ARGUMENT…: M/ is the mount.
contend() {
	local i args
	for i in 1 2 3 4 5 6; do
		args=("${@/#M\//m$((i % 3 + 1))/}")
		run "$i" "$recipes/${args[0]}" "${args[@]:1}" ./section "$i" "$([ "$i" = 3 ] && echo die || echo quick)"
	done
	is "$(status 1 2 3 4 5 6)" "0 0 137 0 0 0" "$1: all six get it, and one is killed with it"
	was_right "$1"
}
contend lock M/simple/x
contend lock-fair M/fair
contend lock-shared write M/shared

# In the order of coming, none woken in vain, whoever is killed. Each wait is written down. (A mount
# that goes to another replica for a while, on a loaded machine, says so in its session.)
mkdir bin
cat >bin/inotifywait <<'END'
#!/bin/bash
echo "waits $PPID" >>"$T/waits"
what=$(/usr/bin/inotifywait "${@/#-qq/-q}" --format '%w %e')
status=$?
echo "wakes $PPID $status $what" >>"$T/waits"
exit $status
END
chmod +x bin/inotifywait
waiting() {
	[ "$(grep -s waits waits | sort -u | wc -l)" = "$1" ]
}
PATH=$T/bin:$PATH run first "$recipes/lock-fair" m1/fair ./section first stay
wait_for 30 has_entered first
for n in 1 2 3 4 5; do
	PATH=$T/bin:$PATH run "w$n" "$recipes/lock-fair" m$((n % 3 + 1))/fair ./section "w$n" quick
	wait_for 30 waiting "$n"
done
leave first
is "$(status w1 w2 w3 w4 w5)" "0 0 0 0 0" "lock-fair: five wait"
is "$(entered)" "first w1 w2 w3 w4 w5 " "  and get it in the order of coming"
is "$(grep -c 'wakes .* 0 .*/lock-' waits)" 5 "  each is woken once" || sed 's/^/# /' waits
was_right lock-fair

run first "$recipes/lock-fair" m1/fair ./section first stay
wait_for 30 has_entered first
for n in 1 2 3; do
	run "w$n" "$recipes/lock-fair" m$((n % 3 + 1))/fair ./section "w$n" quick
	wait_for 30 lists m1/fair $((n + 1))
done
kill -9 "${pid_of[w1]}" "${pid_of[w2]}"
wait_for 30 lists m3/fair 2
is "$(entered)" "first " "lock-fair: waiters are killed: nobody gets in for that"
# Its file stays open on the mount of the one who waits.
exec 6<"m1/fair/$(ls m1/fair | head -n 1)"
rm "m2/fair/$(ls m2/fair | head -n 1)"
is "$(status w3):$(entered)" "0:first w3 " "  the holder's name is removed: the next one gets it"
exec 6<&-
rm -f two-at-once # the first was still in
leave first
status first >/dev/null
was_right lock-fair

# Readers together, in turn with writers.
run r1 "$recipes/lock-shared" read m1/shared ./section r1 stay -s
run r2 "$recipes/lock-shared" read m2/shared ./section r2 stay -s
wait_for 30 has_entered r1 && wait_for 30 has_entered r2
ok $? "lock-shared: two readers at once"
run w1 "$recipes/lock-shared" write m3/shared ./section w1 stay
wait_for 30 lists m1/shared 3
run r3 "$recipes/lock-shared" read m1/shared ./section r3 stay -s
run r4 "$recipes/lock-shared" read m2/shared ./section r4 stay -s
wait_for 30 lists m1/shared 5
kill -9 "$(cat in.r1)"
leave r2
wait_for 30 has_entered w1
ok $? "  a writer when both are gone, one of them killed"
is "$(entered | wc -w)" 3 "  and before the readers that came later"
kill -9 "$(cat in.w1)"
wait_for 30 has_entered r3 && wait_for 30 has_entered r4
ok $? "  who follow together when it is killed"
leave r3
leave r4
is "$(status r2 r3 r4)" "0 0 0" "  and end"
: >entered
was_right lock-shared

# Fencing.
is "$("$recipes/fenced" m1/guarded 0x9 a && "$recipes/fenced" m2/guarded 0x10 b; echo $?)" 0 "fenced: tokens that grow"
is "$("$recipes/fenced" m3/guarded 0x9 c 2>/dev/null; echo $?):$(cat m3/guarded)" "1:0x10 b" "  an older one is refused"

# A counter.
echo 0 >m1/counter
for n in 1 2 3 4 5 6; do
	run "$n" bash -c "for i in 1 2 3; do '$recipes/counter' m$((n % 3 + 1))/counter; done"
done
run killed bash -c "while :; do '$recipes/counter' m1/counter; done"
wait_for 60 test -s killed.out
kill -9 "${pid_of[killed]}"
is "$(status 1 2 3 4 5 6)" "0 0 0 0 0 0" "counter: six count at once"
# One that was under way may go on for a moment.
none_lost() {
	[ "$(timeout 20 cat m1/counter)" = "$(cat [1-6].out killed.out | wc -l)" ]
}
wait_for 30 none_lost
ok $? "  none is lost"
is "$(cat [1-6].out killed.out | sort -n | uniq -d)" "" "  and no number given twice"

# Elections: the same in bash, Python and C.
gcc -std=c17 -Wall -Wextra -Werror -o elect.c "$recipes/elect.c"
ok $? "elect.c builds, with libc alone"
programs=("$recipes/elect" "$recipes/elect.py" "$T/elect.c")
# The n-th to lead, since the start.
led() {
	[ "$(wc -l <entered)" -ge "$1" ]
} 2>/dev/null
newest() {
	tail -n 1 entered | cut -d ' ' -f 1
}
first_listed() {
	local names
	names=$(ls m1/elect) && cat "m1/elect/$(head -n 1 <<<"$names")"
}
for n in 0 1 2 3 4 5 6; do
	run "c$n" "${programs[$((n % 3))]}" m$((n % 3 + 1))/elect "c$n" ./section "c$n" stay
	wait_for 30 lists m1/elect $((n + 1))
done
for n in 0 1 2; do
	wait_for 30 led $((n + 1))
	is "$(newest):$(first_listed)" "c$n:c$n" "elect: $(basename "${programs[$n]}") leads"
	wait_for 30 test -e "in.c$n"
	kill -9 "${pid_of[c$n]}"
	wait_for 30 process_gone "${pid_of[c$n]}"
	sync m1
	is "$(entered | wc -w):$(first_listed)" "$((n + 1)):c$n" "  killed, it leads as long as its command goes on"
	kill -9 "$(cat "in.c$n")"
done
for n in 3 4 5; do
	wait_for 30 led $((n + 1))
	is "$(newest)" "c$n" "  then $(basename "${programs[$((n - 3))]}") leads"
	wait_for 30 test -e "in.c$n"
	leave "c$n"
	is "$(status "c$n")" 0 "  whose command ends, and it with it"
done
wait_for 30 led 7
ok $? "  and so on"
leave c6
is "$(status c6):$(ls m1/elect)" "0:" "  until nobody stands"
was_right elect

# cron: once in each turn, on one node, and never twice at a time.
cron() { # TURN HOW
	local id
	for id in 1 2 3; do
		TURN=$1 run "$id" "$recipes/cron-one" m$id/cron job ./section "turn$1" "$2"
	done
}
cron 1 quick
is "$(status 1 2 3):$(entered)" "0 0 0:turn1 " "cron-one: three nodes are called, one runs"
cron 1 quick
is "$(status 1 2 3):$(entered)" "0 0 0:turn1 " "  who is late does not run it again"
cron 2 stay
wait_for 30 has_entered turn2
TURN=3 run late "$recipes/cron-one" m1/cron job ./section turn3 quick
is "$(status late):$(entered)" "0:turn1 turn2 " "  nor while it runs, in the next turn"
wait_for 30 test -e in.turn2
kill -9 "$(cat in.turn2)"
free() {
	flock -n m2/cron/job true
}
wait_for 30 free
cron 4 quick
is "$(status 1 2 3):$(entered)" "0 0 0:turn1 turn2 turn4 " "  killed, it runs in the next turn"
was_right cron-one

# What would be no use to start again.
hopeless() { # DIR RECIPE ARGUMENT…
	local out status
	out=$(timeout 60 "${@:2}" 2>&1)
	status=$?
	[[ $status != 0 && $status != 75 && $status -lt 124 && $out == *"$1"* ]]
	ok $? "$(basename "$2") $1: it ends, says why, and that is not 75"
}
mkdir local
touch m1/file
for dir in m1/nowhere local m1/file; do
	for program in "${programs[@]}"; do
		hopeless $dir "$program" $dir me true
	done
	hopeless $dir "$recipes/lock" $dir/x true
	hopeless $dir "$recipes/lock-fair" $dir true
	hopeless $dir "$recipes/lock-shared" write $dir true
	hopeless $dir "$recipes/barrier" $dir/x 1 true
	hopeless $dir "$recipes/members" $dir
	hopeless $dir "$recipes/member" $dir me
	hopeless $dir "$recipes/config-follow" $dir/x true
	hopeless $dir "$recipes/rendezvous" $dir/x
done
done_testing
