# shellcheck shell=bash
# Many faults at once, at moments that have nothing to do with what the last one has
# done. See nemesis.sh.

# So many more changes, or half a second without: together less than a long session has.
storm_moment() {
	acknowledged "${mounts[@]}"
	wait_ms 500 acknowledged_upto $((REPLY + $1)) "${mounts[@]}"
}

storm_kill() {
	[ -n "${member_pid[$1]:-}" ] || return 0
	strike "  kill -9 of $1"
	killed "$1"
}

storm_start() {
	local id
	for ((id = 1; id <= size; id++)); do
		[ -n "${member_pid[$id]:-}" ] || member_start $id
	done
}

storm_stop() {
	[ -n "${member_pid[$1]:-}" ] || return 0
	strike "  SIGSTOP of $1"
	signal STOP "$1"
}

storm_continue() {
	signal CONT "${!member_pid[@]}"
}

storm_cut() {
	[ "$1" != "$2" ] || return 0
	strike "  drop from $1 to $2"
	net_cut "$1" "$2"
	net_apply
}

nemesis_storm() {
	local n a b what moment
	fault "a storm"
	for n in 1 2 3 4 5 6 7 8; do
		# All drawn at once: the schedule does not depend on how it went.
		some
		a=$REPLY
		some
		b=$REPLY
		what=$((RANDOM % 8))
		moment=$((RANDOM % 30))
		case $what in
		0 | 1) storm_kill "$a" ;;
		2) storm_start ;;
		3) storm_stop "$a" ;;
		4) storm_continue ;;
		5 | 6) storm_cut "$a" "$b" ;;
		7) net_heal ;;
		esac
		storm_moment $moment
	done
	storm_continue
	net_heal
	storm_start
}
