# shellcheck shell=bash
# The faults of the cluster tests: each is a function `nemesis_NAME` that strikes,
# lets it last, and heals what it did. Sourced by tests/cluster/*.t, after lib.sh.
#
#   nemesis_run NAME…   one after another; after each the whole ensemble serves again

# A member at random; the leader; another than those.
some() {
	REPLY=$((1 + RANDOM % size))
}

the_leader() {
	wait_for 30 leads
	REPLY=$(leader)
}

a_follower() {
	local lead
	the_leader
	lead=$REPLY
	some
	[ "$REPLY" != "$lead" ] || REPLY=$((1 + lead % size))
}

# The mounts of all members but those, into REPLIES.
mounts_but() {
	local name
	REPLIES=()
	for name in "${mounts[@]}"; do
		[[ " $* " == *" ${node_of[$name]} "* ]] || REPLIES+=("$name")
	done
}

# A fault lasts until the others have noticed, or a shorter time that is counted in what they do.
lasts() {
	local id=$1
	mounts_but "$id"
	if [ $((RANDOM % 2)) -eq 0 ]; then
		wait_for 20 leads "$id"
		goes_on 3 "${REPLIES[@]}"
	else
		flows $((1 + RANDOM % 40)) "${REPLIES[@]}"
	fi
	ok $? "  the others go on"
}

# --- processes ---

killed() {
	fault "kill -9 of $*"
	local id
	for id in "$@"; do
		member_signal "$id" KILL
	done
	for id in "$@"; do
		member_end "$id" KILL
	done
}

started() {
	local id
	for id in "$@"; do
		member_start "$id"
	done
}

nemesis_kill_leader() {
	local id
	the_leader
	id=$REPLY
	killed "$id"
	lasts "$id"
	started "$id"
}

nemesis_kill_follower() {
	local id
	a_follower
	id=$REPLY
	killed "$id"
	lasts "$id"
	started "$id"
}

nemesis_kill_majority() {
	local id n=$((size / 2 + 1)) who=()
	some
	for ((id = REPLY; ${#who[@]} < n; id = id % size + 1)); do
		who+=("$id")
	done
	killed "${who[@]}"
	started "${who[@]}"
}

nemesis_kill_all() {
	local who
	mapfile -t who < <(seq "$size")
	killed "${who[@]}"
	started "${who[@]}"
}

# --- the network ---

# Both directions, between each of the first and each of the others.
cut_off() {
	local verdict=$1 a b others
	shift
	others=$(seq "$size")
	for a in "$@"; do
		for b in $others; do
			[[ " $* " == *" $b "* ]] && continue
			net_cut "$a" "$b" "$verdict"
			net_cut "$b" "$a" "$verdict"
		done
	done
	net_apply
}

# Silently, or with an error for who sends.
how_cut() {
	how=drop
	[ $((RANDOM % 2)) -eq 0 ] || how='reject with icmp type admin-prohibited'
}

nemesis_cut_leader() {
	local id how
	the_leader
	id=$REPLY
	how_cut
	fault "$how around the leader, $id"
	cut_off "$how" "$id"
	lasts "$id"
	net_heal
}

nemesis_cut_follower() {
	local id how
	a_follower
	id=$REPLY
	how_cut
	fault "$how around a follower, $id"
	cut_off "$how" "$id"
	lasts "$id"
	net_heal
}

# Every single mount's client goes on before the next.
nemesis_run() {
	local name
	for name in "$@"; do
		echo "# $name"
		"nemesis_$name"
		goes_on 3 "${mounts[@]}"
		ok $? "$name: afterwards everybody goes on" || return 1
	done
}
