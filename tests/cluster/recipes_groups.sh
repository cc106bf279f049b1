# shellcheck shell=bash
# What several agree on, one of them struck: barrier, rendezvous, membership,
# configuration, two-phase commit. See recipes.sh.
# shellcheck disable=SC2154 # from recipes.sh and lib.sh

# --- two barriers for three: at one old waits, at the other all work ---

# BARRIER NAME NODE; the third is written down when it is through, and works until it is told.
comes() {
	# shellcheck disable=SC2016 # for that shell
	start "$1.$2" "$recipes/barrier" "m$3/$D/$1" 3 bash -c \
		'echo "$1" >>"$T/$2.passed"; until [ -e "$T/leave.$2.$1" ] || [ -e "$T/stop" ]; do sleep 0.1; done' - "$2" "$round-$1"
}

passed() {
	tr '\n' ' ' <"$T/$round-$1.passed"
} 2>/dev/null

have_passed() { # BARRIER N
	[ "$(passed "$1" | wc -w)" -eq "$2" ]
}

barrier_before() {
	comes waits old 1
	gone_from waits 1
	victim waits.old
	comes waits two 2
	gone_from waits 2
	comes works old 1
	victim works.old
	comes works two 2
	comes works three 3
	wait_for 60 have_passed works 3
	ok $? "$round, barrier: three have come, and pass"
	is "$(passed waits)" "" "  two don't"
}

barrier_struck() {
	goes works.two
	goes works.three
	if [ -z "$lost" ]; then
		comes waits three 3
		wait_for 60 have_passed waits 3
		ok $? "$round, barrier: a third one comes, and all pass"
		gone_from works 1
		! ended works.two && ! ended works.three
		ok $? "  nobody leaves before all are through"
		return
	fi
	is "$(ends works.two works.three)" "0 0" "$round, barrier: nobody waits for a lost one to leave"
	gone_from waits 1
	comes waits three 3
	gone_from waits 2
	is "$(passed waits)$(timeout 20 cat "m2/$D/waits/.zab/data")" "" "  nor does a lost one count"
	comes waits four 2
	wait_for 60 have_passed waits 3
	ok $? "  but one who comes for it"
	is "$(passed waits | tr ' ' '\n' | sort | xargs)" "four three two" "  those pass"
}

barrier_after() {
	local name old=0
	[ "$round" != process ] || old=137
	for name in works.old waits.old waits.two waits.three waits.four; do
		goes "$name"
	done
	is "$(ends works.old waits.two waits.three)" "$old 0 0" "$round, barrier: all are through"
	[[ $(ends waits.old) =~ ^(0|75|137)$ ]]
	ok $? "  and the lost one has passed, too, or says that it is out"
	[ -z "$lost" ] || is "$(ends waits.four)" 0 "  nor who came for it"
}

# --- rendezvous: node 1 says `here`; for `there` all wait ---

ask() { # NAME NODE
	start "ask.$1.$2" "$recipes/rendezvous" "m$2/$D/$1"
}

say() { # NAME NODE VALUE
	timeout 60 "$recipes/rendezvous" "m$2/$D/$1" "$3" 2>/dev/null
}

answers() { # NAME NODE…
	local id name=$1
	shift
	for id; do
		echo "$(ends "ask.$name.$id"):$(out_of "ask.$name.$id" | tail -n 1)" # behind what it says of errors
	done | sort -u
}

rendezvous_before() {
	local id
	for id in 1 2 3; do
		ask here $id
		ask there $id
	done
	victim ask.there.1
	is "$(say here 1 one; echo $?):$(say here 2 two; echo $?):$(say here 3 three; echo $?)" 0:1:1 "$round, rendezvous: one says it"
	is "$(answers here 1 2 3)" 0:one "  and all hear it"
}

unsaid() {
	local names
	names=$(ls "m2/$D") && ! grep -qx here <<<"$names"
}

rendezvous_struck() {
	case $round in
	process | fsd) is "$(say here 2 two; echo $?)" 1 "$round, rendezvous: it stays said" ;;
	*)
		wait_for 60 unsaid
		ok $? "$round, rendezvous: it goes with its mount's session"
		is "$(say here 2 two; echo $?)" 0 "  and may be said again"
		;;
	esac
	ask here 2
	ask here 3
	is "$(say there 3 that; echo $?):$(answers there 2 3)" 0:0:that "  those who wait hear the same"
}

rendezvous_after() {
	local wanted=0:that
	[ "$round" != process ] || wanted=137:
	ask here 1
	is "$(answers here 1 2 3 | wc -l)" 1 "$round, rendezvous: all have heard the same"
	is "$(answers there 1)" "$wanted" "  so has who waited on node 1"
}

# --- a group: old is `a`, on node 1; a second one waits for that name ---

tail_is() {
	[ "$(tail -n 1 "$T/$round-$1.out")" = "$2" ]
}

upstream_is() { # NODE VALUE…
	local file=$T/upstream.$round.$1
	shift
	[ "$(sed -n 's/^\tserver \(.*\);$/\1/p' "$file" 2>/dev/null | tr '\n' ' ')" = "$* " ]
}

group_before() {
	mkdir "m2/$D/group" && sync m1 m3
	start members "$recipes/members" "m3/$D/group"
	start members.1 "$recipes/members" "m1/$D/group"
	start upstream.1 "$recipes/upstream" "m1/$D/group" app "$T/upstream.$round.1" true
	start upstream.3 "$recipes/upstream" "m3/$D/group" app "$T/upstream.$round.3" true
	start a "$recipes/member" "m1/$D/group" a a1
	victim a
	start b "$recipes/member" "m2/$D/group" b b2
	wait_for 60 tail_is members "members: a b" && wait_for 60 upstream_is 1 a1 b2 && wait_for 60 upstream_is 3 a1 b2
	ok $? "$round, member: both are in the group"
	start twin "$recipes/member" "m3/$D/group" a a3
}

group_struck() {
	if [ -z "$lost" ]; then
		is "$(cat "m3/$D/group/a")" a1 "$round, member: it stays in the group"
		return
	fi
	wait_for 60 upstream_is 3 a3 b2
	ok $? "$round, member: another one gets the lost one's name"
}

group_after() {
	local first=a3
	[ "$round" != process ] || start a "$recipes/member" "m1/$D/group" a a1
	[ -n "$lost" ] || first=a1
	wait_for 60 upstream_is 1 $first b2 && wait_for 60 upstream_is 3 $first b2
	ok $? "$round, upstream: the same list on all nodes"
	kill "${pid_of[$round-twin]}"
	wait_for 60 upstream_is 1 a1 b2 && wait_for 60 upstream_is 3 a1 b2 && wait_for 60 tail_is members "members: a b" && wait_for 60 tail_is members.1 "members: a b"
	ok $? "  and the lost one is back when its name is free"
	kill "${pid_of[$round-a]}" "${pid_of[$round-b]}" "${pid_of[$round-members]}" "${pid_of[$round-members.1]}" \
		"${pid_of[$round-upstream.1]}" "${pid_of[$round-upstream.3]}"
}

# --- configuration: all follow; old, on node 1, is in the middle of publishing ---

cat >"$T/reload" <<'END_OF_SCRIPT'
#!/bin/bash
words=$(sort -u) && echo $words >>"$1"
END_OF_SCRIPT
cat >"$T/pour" <<'END_OF_SCRIPT'
#!/bin/bash
# A value in two parts, the second when it is told.
yes old | head -n 50000
until [ -e "$1" ] || [ -e "$T/stop" ]; do
	sleep 0.1
done
yes old | head -n 50000
END_OF_SCRIPT
chmod +x "$T/reload" "$T/pour"

follow() {
	start "follow.$1" "$recipes/config-follow" "m$1/$D/conf/app" ./reload "$T/loaded.$round.$1"
}

publish() { # NODE WORD: three writes
	yes "$2" | head -n 50000 | timeout 60 "$recipes/config-publish" "m$1/$D/conf/app"
}

loaded() { # WORD NODE…
	local id word=$1
	shift
	for id; do
		[ "$(tail -n 1 "$T/loaded.$round.$id" 2>/dev/null)" = "$word" ] || return 1
	done
}

config_before() {
	mkdir "m2/$D/conf" && sync m1 m3
	publish 2 first
	sync m1 m3
	follow 1
	follow 2
	follow 3
	victim follow.1
	wait_for 60 loaded first 1 2 3
	ok $? "$round, config: all load it"
	# shellcheck disable=SC2016 # for that shell
	start publish bash -c 'exec "$1" "$2" < <("$T/pour" "$3")' - "$recipes/config-publish" "m1/$D/conf/app" "$T/leave.$round-publish"
	victim publish
	wait_for 60 half_published
	ok $? "  and a new one is there in part, which nobody sees"
}

half_published() {
	[ -s "m1/$D/conf/.app.$HOSTNAME.${pid_of[$round-publish]}" ]
}

config_struck() {
	local n pids=()
	publish 3 second
	for n in 1 2 3; do
		publish 2 "two$n" & pids+=($!)
		publish 3 "three$n" & pids+=($!)
		sort -u "m2/$D/conf/app" | wc -l >>"$T/whole.$round"
	done
	wait "${pids[@]}"
	is "$(sort -u "$T/whole.$round")" 1 "$round, config: a reader finds one value, whole, while several publish"
	publish 3 third
	wait_for 60 loaded third 2 3
	ok $? "  the last one is loaded on nodes 2 and 3"
}

config_after() {
	local published="0:old "
	[ "$round" != process ] || follow 1
	wait_for 60 loaded third 1
	ok $? "$round, config: and on node 1"
	goes publish
	case $round in
	process) published="137:third " ;;
	mountd) published="1:third " ;; # its mount is gone: nothing is published
	esac
	is "$(ends publish):$(sync m3; sort -u "m3/$D/conf/app" | tr '\n' ' ')" "$published" "  one in part is published as a whole or not at all"
	publish 2 last
	wait_for 60 loaded last 1 2 3
	ok $? "  and whatever is the last is loaded on all"
	is "$(cat "$T/loaded.$round".* | sort -u | grep -vxE '(first|second|third|old|last|two[123]|three[123])')" "" "  none in part"
	kill "${pid_of[$round-follow.1]}" "${pid_of[$round-follow.2]}" "${pid_of[$round-follow.3]}"
}

# --- two-phase commit: at `all` node 1's site has voted, at `some` it has not; all decide ---

two_phase() {
	timeout 60 "$recipes/two-phase" "$@" 2>>"$T/two-phase.errors"
}

# TRANSACTION NODE SECONDS
decides() {
	start "decide.$1.$2" "$recipes/two-phase" decide "m$2/$D/$1" "$3"
}

decision() { # TRANSACTION NODE…
	local id name=$1
	shift
	for id; do
		echo "$(ends "decide.$name.$id"):$(out_of "decide.$name.$id")"
	done | sort -u
}

two_phase_before() {
	local id
	two_phase begin "m1/$D/all" A B C && two_phase begin "m2/$D/some" A B C && sync m1 m2 m3
	for id in 1 2 3; do
		decides all $id 100
	done
	victim decide.all.1
	two_phase vote "m1/$D/all" A commit && two_phase vote "m2/$D/all" B commit && two_phase vote "m2/$D/some" B commit
	ok $? "$round, two-phase: begun, and some have voted"
}

two_phase_struck() {
	two_phase vote "m3/$D/all" C commit && two_phase vote "m3/$D/some" C commit
	decides some 1 1
	decides some 2 1
	decides some 3 1
	is "$(decision all 2 3)" 0:commit "$round, two-phase: all have voted for it, and it is decided"
	is "$(decision some 2 3)" 0:abort "  one is missing, and that is"
}

# One that was cut off, or has lost its mount, says so, or what the others say: nothing else.
two_phase_after() {
	is "$(two_phase vote "m1/$D/some" A commit; echo $?):$(cat "m1/$D/some/A")" 1: "$round, two-phase: a vote after the decision is refused"
	is "$(decision all 1 | grep -v '^0:commit$' | grep -c ^0:)" 0 "  who decided on node 1 says nothing else"
	is "$(decision some 1 | grep -v '^0:abort$' | grep -c ^0:)" 0 "  both times"
	is "$(two_phase decide "m1/$D/all" 0):$(two_phase decide "m1/$D/some" 0)" commit:abort "  and the decision is the same there"
}
