# shellcheck shell=bash
# Faults of the network: what is dropped, or refused, between whom. See nemesis.sh.
networks=(cut_leader cut_follower cut_peers cut_half cut_everybody cut_mute cut_deaf cut_link
	cut_bridge cut_ring flap)

# Silently, or with an error for who sends.
how_cut() {
	how=drop
	[ $((RANDOM % 2)) -eq 0 ] || how='reject with icmp type admin-prohibited'
}

cut_one() {
	local how
	how_cut
	fault "$how around $1"
	cut_off "" "$how" "$1"
	unable=("$1")
	net_apply
	lasts "$1"
	net_heal
}

nemesis_cut_leader() {
	the_leader
	cut_one "$REPLY"
}

nemesis_cut_follower() {
	a_follower
	cut_one "$REPLY"
}

# Only what members say to each other: its mounts can move.
nemesis_cut_peers() {
	local id how
	the_leader
	id=$REPLY
	how_cut
	fault "$how around $id as a member"
	cut_off 'tcp dport 7400' "$how" "$id"
	cut_off 'tcp sport 7400' "$how" "$id"
	net_apply
	lasts "$id"
	net_heal
}

# A minority among themselves; the leader is there or not.
nemesis_cut_half() {
	local how
	how_cut
	minority
	local who=("${REPLIES[@]}")
	fault "$how around ${who[*]}"
	cut_off "" "$how" "${who[@]}"
	unable=("${who[@]}")
	net_apply
	lasts "${who[0]}"
	net_heal
}

# Everybody alone.
nemesis_cut_everybody() {
	local a b how
	how_cut
	fault "$how between all"
	for ((a = 1; a <= size; a++)); do
		for ((b = 1; b <= size; b++)); do
			[ $a -eq $b ] || net_cut $a $b "$how"
		done
	done
	net_apply
	until_suspended
	net_heal
}

# One way only: the leader says nothing, or hears nothing.
one_way() {
	local id=$1 b
	for ((b = 1; b <= size; b++)); do
		[ $b -eq "$id" ] && continue
		if [ "$2" = mute ]; then
			net_cut "$id" $b
		else
			net_cut $b "$id"
		fi
	done
	unable=("$id")
	net_apply
}

nemesis_cut_mute() {
	local id
	the_leader
	id=$REPLY
	fault "what $id says is dropped"
	one_way "$id" mute
	lasts "$id"
	net_heal
}

nemesis_cut_deaf() {
	local id
	the_leader
	id=$REPLY
	fault "what $id should hear is dropped"
	one_way "$id" deaf
	lasts "$id"
	net_heal
}

# From one to another, one way: everybody has a way to a majority still.
nemesis_cut_link() {
	local a how
	how_cut
	the_leader
	a=$REPLY
	a_follower
	local pair=("$a" "$REPLY")
	[ $((RANDOM % 2)) -eq 0 ] || pair=("$REPLY" "$a")
	fault "$how from ${pair[0]} to ${pair[1]}"
	net_cut "${pair[0]}" "${pair[1]}" "$how"
	net_apply
	goes_on 3 "${mounts[@]}"
	ok $? "  all go on"
	net_heal
}

# Two halves that don't see each other, and one in between who sees both, as the observer does.
nemesis_cut_bridge() {
	local a b half=$(((voters - 1) / 2)) how
	how_cut
	some_of "$voters"
	local who=("${REPLIES[@]}")
	fault "$how between ${who[*]:1:half} and ${who[*]:half + 1}, bridge ${who[0]}"
	for a in "${who[@]:1:half}"; do
		for b in "${who[@]:half + 1}"; do
			net_cut "$a" "$b" "$how"
			net_cut "$b" "$a" "$how"
		done
	done
	net_apply
	goes_on 3 "${mounts[@]}"
	ok $? "  all go on"
	net_heal
}

# Each voter sees a majority, and each another one; of three everybody sees all.
nemesis_cut_ring() {
	local a b how
	how_cut
	fault "$how in a ring: each sees its neighbours"
	for ((a = 1; a <= voters; a++)); do
		for ((b = 1; b <= voters; b++)); do
			case $(((a - b + voters) % voters)) in
			0 | 1 | $((voters - 1))) ;;
			*) net_cut $a $b "$how" ;;
			esac
		done
	done
	net_apply
	goes_on 3 "${mounts[@]}"
	ok $? "  all go on"
	net_heal
}

# It comes and goes.
nemesis_flap() {
	local how n
	the_leader
	local id=$REPLY
	how_cut
	fault "$how around $id, again and again"
	for n in 1 2 3 4; do
		cut_off "" "$how" "$id"
		unable=("$id")
		net_apply
		moment_of $((1 + RANDOM % 20))
		net_heal
		moment_of $((1 + RANDOM % 20))
	done
}
