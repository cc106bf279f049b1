# shellcheck shell=bash
# What the recipes' parts of `recipes` share: the rounds, what strikes the holder,
# and the holder of a lock. Each recipe is three functions in recipes_*.sh:
#
#   NAME_before   `old`, on node 1, holds or works; on nodes 2 and 3 others wait for that
#   NAME_struck   what the others do; `lost` says whether what was held has gone
#   NAME_after    what old does when it is mended, and what is true of all that happened
#
# In each round they have a directory of their own, $D on every mount, and $round
# before the names of their processes. What a strike of the process kills they add to
# `victims`. Sourced after lib.sh and fs/recipes.sh.
#
#   round_run ROUND NAME…         one strike, for those recipes
#   start NAME COMMAND…           run, by the round's name of it; out_of NAME, ends NAME…, goes NAME
#   gone_from DIR N               node 2 lists N names there
#   hold KIND NAME [GUARD]        a command for a lock; it writes to GUARD, fenced, all the time
# shellcheck disable=SC2034,SC2154 # its readers', and lib.sh's

round=
D=
lost= # by what strikes: yes or empty
victims=()
timeout_s=6 # of node 1's session; the others outlast everything
export recipes

# Two at once are a finding, and so is a token that is refused though the lock is still there.
cat >"$T/hold" <<'END_OF_SCRIPT'
#!/bin/bash
kind=$1
name=$2
share=-x
[ $# -gt 2 ] || share=-s
# Two judges: while one that has lost the lock without noticing is before the first, the second
# sees the others.
exec 5<>"$T/judge.$kind.5" 7<>"$T/judge.$kind.7"
for judge in 5 7; do
	if flock $share -n $judge; then
		echo "$name" >"$T/judge.$kind.$judge"
	else
		echo "$name while $(cat "$T/judge.$kind.$judge")" >>"$T/together.$kind"
	fi
done
echo "${FENCE-} $name" >>"$T/entered.$kind"
echo $$ >"$T/in.$name"
n=0
until [ -e "$T/leave.$name" ] || [ -e "$T/stop" ]; do
	sleep 0.3
	[ $# -gt 2 ] || continue
	# The version that it has written is one more than the last that it has compared with.
	if BASH_XTRACEFD=6 bash -x "$recipes/fenced" "$3" "$FENCE" "$name" 2>"$T/error.$name" \
		6>"$T/trace.$name" 5>&- 7>&-; then
		version=$(sed -n 's/^+ version=//p' "$T/trace.$name" | tail -n 1)
		echo "$((version + 1)) $((FENCE)) $name" >>"$T/steps.$kind"
		n=$((n + 1))
		echo $n >"$T/wrote.$name"
	elif grep -q 'is over' "$T/error.$name"; then
		touch "$T/refused.$name"
	fi
done
END_OF_SCRIPT
chmod +x "$T/hold"

# --- processes ---

start() {
	local name=$1
	shift
	run "$round-$name" "$@"
}

out_of() {
	cat "$T/$round-$1.out"
}

ends() {
	local names=("${@/#/$round-}")
	status "${names[@]}"
}

ended() {
	[ -s "$T/$round-$1.status" ]
}

goes() {
	leave "$round-$1"
}

is_in() {
	[ -e "$T/in.$round-$1" ]
}

victim() {
	victims+=("${pid_of[$round-$1]}")
}

gone_from() {
	wait_for 60 lists "m2/$D/$1" "$2"
}

# --- the rounds ---

connected() {
	has "$1/.zab/session" '^state connected'
}

is_leader() {
	[ "$(leader)" = "$1" ]
}

# Refused while that one is not up to date.
hand_over() {
	is_leader "$1" || echo "$1" >m3/.zab/cluster/leader 2>/dev/null
	is_leader "$1"
}

strike_process() {
	kill -9 "${victims[@]}"
}

strike_fsd() {
	local n fsd
	for n in 1 2 3; do
		fsd=$(fsd_pid m1)
		kill -9 "$fsd"
		wait_for 30 another_fsd "$fsd" && connected m1
		ok $? "  fsd is killed, and another one goes on: $n"
	done
}

another_fsd() {
	local fsd
	fsd=$(fsd_pid m1) && [ "$fsd" != "$1" ] && mounted m1
}

strike_mountd() {
	mount_kill9 m1
}

mend_mountd() {
	mount_launch m1 1 $timeout_s
}

strike_leader() {
	cut_off "" drop 1
	net_apply
}

strike_follower() {
	cut_off "" 'reject with icmp type admin-prohibited' 1
	net_apply
}

round_run() {
	local recipe begun=${EPOCHREALTIME/./}
	round=$1
	D=$1
	victims=()
	shift
	lost=yes
	[ "$round" != fsd ] || lost=
	case $round in
	leader) wait_for 30 hand_over 1 ;;
	*) wait_for 30 hand_over 2 ;;
	esac
	ok $? "$round: who leads is as it should be"
	mkdir "m2/$D" && sync m1 m3
	for recipe; do
		"${recipe}_before"
	done
	strike_"$round"
	for recipe; do
		"${recipe}_struck"
	done
	net_heal
	[ "$round" != mountd ] || mend_mountd
	wait_for 60 connected m1 && sync m1 m2 m3
	ok $? "$round: mended"
	for recipe; do
		"${recipe}_after"
	done
	echo "# $round: $(((${EPOCHREALTIME/./} - begun) / 1000)) ms"
}
