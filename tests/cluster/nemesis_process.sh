# shellcheck shell=bash
# Faults of processes: killed, stopped, ended. See nemesis.sh.
processes=(kill_leader kill_follower kill_twice kill_minority kill_observer kill_majority kill_all
	stop_leader stop_follower stop_majority stop_fsd kill_fsd no_quorum rolling)
# What is over soon: at many moments.
quick=(kill_leader kill_follower kill_twice kill_minority kill_observer kill_majority kill_all slow clock_member)

killed() {
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

signal() {
	local name=$1 id
	shift
	for id in "$@"; do
		member_signal "$id" "$name"
	done
}

kill_one() {
	fault "kill -9 of $1"
	killed "$1"
	lasts "$1"
	started "$1"
}

nemesis_kill_leader() {
	the_leader
	kill_one "$REPLY"
}

nemesis_kill_follower() {
	a_follower
	kill_one "$REPLY"
}

# Once more, while it recovers.
nemesis_kill_twice() {
	local id
	some
	id=$REPLY
	fault "kill -9 of $id, twice"
	killed "$id"
	started "$id"
	moment_of $((1 + RANDOM % 60))
	killed "$id"
	started "$id"
}

nemesis_kill_minority() {
	minority
	fault "kill -9 of ${REPLIES[*]}"
	killed "${REPLIES[@]}"
	local who=("${REPLIES[@]}")
	lasts "${who[0]}"
	started "${who[@]}"
}

# Nobody counts on it: the majority of the voters is enough.
nemesis_kill_observer() {
	minority
	local who=("$size" "${REPLIES[@]}")
	fault "kill -9 of ${who[*]}, the observer and a minority"
	killed "${who[@]}"
	lasts "${who[1]}"
	started "${who[@]}"
}

kill_at_once() {
	fault "kill -9 of $*"
	killed "$@"
	started "$@"
}

nemesis_kill_majority() {
	majority
	kill_at_once "${REPLIES[@]}"
}

nemesis_kill_all() {
	some_of "$voters"
	kill_at_once "${REPLIES[@]}" "$size"
}

stop_one() {
	fault "SIGSTOP of $1"
	signal STOP "$1"
	lasts "$1"
	signal CONT "$1"
}

nemesis_stop_leader() {
	the_leader
	stop_one "$REPLY"
}

nemesis_stop_follower() {
	a_follower
	stop_one "$REPLY"
}

suspended() {
	[ "$(timeout -k 1 20 sed -n 's/^state //p' "$T/$1/.zab/session")" = suspended ]
}

# No majority, until those whose deadline is short know it: they read no more.
until_suspended() {
	local name
	for name in "${brief[@]}"; do
		wait_for 30 suspended "$name"
		ok $? "  without a majority $name knows when its time is over"
	done
}

nemesis_stop_majority() {
	majority
	local who=("${REPLIES[@]}")
	fault "SIGSTOP of ${who[*]}"
	signal STOP "${who[@]}"
	until_suspended
	signal CONT "${who[@]}"
}

nemesis_no_quorum() {
	majority
	local who=("${REPLIES[@]}")
	fault "kill -9 of ${who[*]}, which stay away"
	killed "${who[@]}"
	until_suspended
	started "${who[@]}"
}

# Of what that mount has made, nothing is left: its session is over.
session_over() {
	! ls "$T/$2/eph" | grep -q "^$1\\."
}

# A mount that stands still: the others go on; one whose session is short loses it. The first time
# it is one of those: each run is to see a session that expires.
expired=
nemesis_stop_fsd() {
	local name other pid
	some_mount
	name=$REPLY
	[ -n "$expired" ] || name=${brief[0]}
	expired=1
	other=${mounts[0]}
	[ "$name" != "$other" ] || other=${mounts[1]}
	pid=$(fsd_pid "$name")
	fault "SIGSTOP of fsd of $name"
	kill -STOP "$pid"
	if [[ " ${brief[*]} " == *" $name "* ]]; then
		wait_for 30 session_over "$name" "$other"
		ok $? "  the session of $name ends, and its ephemerals go"
	else
		flows 40 "$other"
		ok $? "  the others go on"
	fi
	# (mountd may have replaced it)
	kill -CONT "$pid" 2>/dev/null
}

replaced() {
	local pid
	pid=$(fsd_pid "$1") && [ "$pid" != "$2" ]
}

# What waits to be told to watchers there is no more than the logs have, which are short here.
keeps_up() {
	REPLY=$(timeout -k 1 20 sed -n 's/^zabfs_mount_echo_queue //p' "$T/$1/.zab/metrics" 2>/dev/null)
	[ "$REPLY" -lt 500 ] 2>/dev/null
}

# Another one takes over, and those who use the mount notice nothing.
nemesis_kill_fsd() {
	local name pid
	some_mount
	name=$REPLY
	if ! wait_for 20 keeps_up "$name"; then
		echo "# the machine is too slow for it: fsd of $name is left alone, echo_queue=$REPLY"
		return
	fi
	pid=$(fsd_pid "$name")
	fault "kill -9 of fsd of $name"
	kill -KILL "$pid"
	wait_for 30 replaced "$name" "$pid"
	ok $? "  mountd has another one"
}

# One after another, each only when all serve again.
nemesis_rolling() {
	local id
	for ((id = 1; id <= size; id++)); do
		fault "restart of $id"
		member_end $id TERM
		member_start $id
		wait_for 30 serves $id
		ok $? "  restarted, $id serves"
	done
}
