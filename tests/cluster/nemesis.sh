# shellcheck shell=bash
# What the faults of the cluster tests have in common. Each is a function
# `nemesis_NAME` in one of nemesis_*.sh that strikes, lets it last, and undoes what
# it did. Sourced by tests/cluster/*.t and soak, after lib.sh.
#
#   nemesis_each N           all but snap, N times, each time in another order
#   nemesis_quick N          likewise those that are soon over
#   nemesis_rounds N NAME…   likewise these
#   nemesis_random N         so many, drawn from all
#   NEMESES='NAME…'          these instead of all
#   nemesis_run NAME         one; afterwards everybody has to go on
cluster=$(dirname "${BASH_SOURCE[0]}")
. "$cluster/work.sh"
. "$cluster/nemesis_process.sh"
. "$cluster/nemesis_net.sh"
. "$cluster/nemesis_disk.sh"
. "$cluster/nemesis_storm.sh"

# --- who: into REPLY ---

# The observer, too.
some() {
	REPLY=$((1 + RANDOM % size))
}

the_leader() {
	wait_for 30 leads
	REPLY=$(leader)
}

a_follower() {
	local who
	some
	who=$REPLY
	the_leader
	[ "$who" != "$REPLY" ] || who=$((1 + who % size))
	REPLY=$who
}

some_mount() {
	REPLY=${mounts[RANDOM % ${#mounts[@]}]}
}

# So many voters, neighbours in a circle, into REPLIES.
some_of() {
	local id
	REPLIES=()
	for ((id = 1 + RANDOM % voters; ${#REPLIES[@]} < $1; id = id % voters + 1)); do
		REPLIES+=("$id")
	done
}

minority() {
	some_of $(((voters - 1) / 2))
}

majority() {
	some_of $((voters / 2 + 1))
}

# --- for how long ---

# The mounts of all members but the unable ones, into REPLIES.
able_mounts() {
	local name
	REPLIES=()
	for name in "${mounts[@]}"; do
		[[ " ${unable[*]} " == *" ${node_of[$name]} "* ]] || REPLIES+=("$name")
	done
}

# Until another than that one leads and the others go on; or a shorter time, counted in what they do.
lasts() {
	local long=$((RANDOM % 2)) moment=$((1 + RANDOM % 60))
	able_mounts
	if [ $long -eq 1 ]; then
		wait_for 30 leads "$1" && goes_on 3 "${REPLIES[@]}"
	else
		moment_of $moment
	fi
	ok $? "  the others go on"
}

# At a random moment of recovery: it takes what it takes.
moment_of() {
	able_mounts
	acknowledged "${REPLIES[@]}"
	wait_for 30 acknowledged_upto $((REPLY + $1)) "${REPLIES[@]}"
}

# --- the run ---

nemesis_run() {
	local begun=${EPOCHREALTIME/./}
	"nemesis_$1"
	goes_on 3 "${mounts[@]}"
	ok $? "$1: afterwards everybody goes on" || return 1
	echo "# $1: $(((${EPOCHREALTIME/./} - begun) / 1000)) ms"
}

# Into `order`.
shuffle() {
	local i j one
	order=("$@")
	for ((i = $# - 1; i > 0; i--)); do
		j=$((RANDOM % (i + 1)))
		one=${order[i]}
		order[i]=${order[j]}
		order[j]=$one
	done
}

nemesis_rounds() {
	local n=$1 name order
	shift
	# shellcheck disable=SC2086 # words
	[ -z "${NEMESES:-}" ] || set -- $NEMESES
	while [ $((n--)) -gt 0 ]; do
		shuffle "$@"
		for name in "${order[@]}"; do
			nemesis_run "$name" || return 1
		done
	done
}

nemesis_each() {
	nemesis_rounds "$1" "${processes[@]}" "${networks[@]}" "${disks[@]}" storm
}

nemesis_quick() {
	nemesis_rounds "$1" "${quick[@]}"
}

nemesis_random() {
	local n=$1 all=("${processes[@]}" "${networks[@]}" "${disks[@]}" storm snap)
	while [ $((n--)) -gt 0 ]; do
		nemesis_run "${all[RANDOM % ${#all[@]}]}" || return 1
	done
}
