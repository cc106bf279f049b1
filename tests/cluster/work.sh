# shellcheck shell=bash
# The clients of the cluster tests, one on each mount, that work all the time and
# write down what they are told (client.h); faults, counted; the verdict of
# verify.c. Sourced by nemesis.sh.
#
#   clients_start                 one on each mount, working
#   fault TEXT                    before each: enough must be going on
#   flows COUNT NAME…             so many more changes, together, and in time
#   goes_on COUNT NAME…           each acknowledges so many more
#   cluster_verify FAULTS         ends the clients, and checks everything; so many faults at least
#   tree_clear                    what they made, for the next ones
PACE=${PACE:-20000}
FLOW_S=10 # for the 40 to 80 changes before a fault
H=$T/histories
faults=0
declare -A client_pid=()

# What all of them work on: made once, before they start.
tree_make() {
	local top=$T/${mounts[0]} i
	rm -rf "$H" && mkdir "$H" "$top"/{reg,tmp,names,log,eph,lock,flock} || return 1
	for i in 0 1 2 3; do
		printf 'initial.................' >"$top/reg/$i" || return 1
	done
	for i in "${mounts[@]}"; do
		sync "$T/$i" || return 1
	done
}

tree_clear() {
	rm -r "$T/${mounts[0]}"/{reg,tmp,names,log,eph,lock,flock}
}

clients_are() {
	local name
	for name in "${mounts[@]}"; do
		[ -e "$H/$name.$1" ] || return 1
	done
}

clients_start() {
	local name
	tree_make || return 1
	for name in "${mounts[@]}"; do
		"$build/tests/cluster-client" work "$name" "$T/$name" "$H" "$SEED" "$PACE" \
			>>"$T/client-$name.log" 2>&1 </dev/null 8>&- 9>&- &
		client_pid[$name]=$!
	done
	wait_for 30 clients_are ready && touch "$H/go"
}

# Into REPLY, without a process: what the mounts' clients have acknowledged altogether.
acknowledged() {
	local name number
	REPLY=0
	for name in "$@"; do
		read -r number <"$H/$name.progress" || number=0
		REPLY=$((REPLY + 10#$number))
	done
}

acknowledged_upto() {
	local goal=$1
	shift
	acknowledged "$@"
	[ "$REPLY" -ge "$goal" ]
}

flows() {
	local count=$1
	shift
	acknowledged "$@"
	wait_for $FLOW_S acknowledged_upto $((REPLY + count)) "$@"
}

each_upto() {
	local name
	for name in "${!goal[@]}"; do
		acknowledged_upto "${goal[$name]}" "$name" || return 1
	done
}

goes_on() {
	local count=$1 name
	local -A goal=()
	shift
	for name in "$@"; do
		acknowledged "$name"
		goal[$name]=$((REPLY + count))
	done
	wait_for 60 each_upto && return 0
	for name in "$@"; do
		acknowledged_upto "${goal[$name]}" "$name" || echo "# $name does not go on"
	done
	return 1
}

# --- faults ---

strike() {
	local up
	faults=$((faults + 1))
	read -r up _ </proc/uptime
	echo "$up $faults $*" >>"$T/faults"
}

# An idle cluster proves nothing: something has to be going on when it strikes.
fault() {
	local why=
	flows $((40 + RANDOM % 40)) "${mounts[@]}" || why="too little is going on before: $*"
	verdict "$why" "$why"
	strike "$@"
}

# --- the end ---

clients_stop() {
	local name
	for name in "${mounts[@]}"; do
		kill "${client_pid[$name]}"
	done
	wait_for 60 clients_are stopped || return 1
	timeout 60 "$build/tests/cluster-client" end "$2" "$T/$2" "$H" &&
		timeout 60 "$build/tests/cluster-client" finish "$1" "$T/$1" "$H" || return 1
	for name in "${mounts[@]}"; do
		wait_for 70 process_gone "${client_pid[$name]}" || return 1
		wait "${client_pid[$name]}" || return 1
	done
}

cluster_dump() {
	timeout 60 sync "$T/$1" && timeout 120 "$build/tests/cluster-client" dump "$T/$1" >"$T/dump-$1"
}

all_right() {
	[ "$failed" -eq 0 ]
}

logged() {
	local what=$1 name
	shift
	for name in "$@"; do
		grep -h "$what" "$T/mount-$name.log"
	done
}

# Brief sessions end, and are suspended; a long one goes on, and its mount is told everything.
sessions_verify() {
	[ -n "$(logged 'session expired' "${brief[@]}")" ] && [ -n "$(logged 'deadline has passed' "${brief[@]}")" ]
	ok $? "brief sessions were suspended, and expired"
	is "$(logged 'session expired\|changes were missed\|events are lost' "${long[@]}")" "" "long ones went on"
}

# No fault lasts for as long as that.
failures() {
	awk '$3 ~ /^long/ && ($8 == "ETIMEDOUT" || $8 == "EHOSTUNREACH")' "$T/history" | head -n 5
}

# Everything is healed by now.
cluster_verify() {
	local name first=${long[0]}
	clients_stop "$first" "${long[1]}"
	ok $? "every client ends, every watcher has seen the end" || hanging | sed 's/^/# /'
	wait_for 10 nobody_hangs
	ok $? "no process is in D state" || { hanging | sed 's/^/# /'; mounts_abort; }
	for name in "${mounts[@]}"; do
		cluster_dump "$name"
		ok $? "all of $name is read"
		cmp "$T/dump-$first" "$T/dump-$name" 2>&1 | sed 's/^/# /'
		ok "${PIPESTATUS[0]}" "  and is what $first shows"
	done
	sort -n "$H"/*.history >"$T/history"
	"$build/tests/cluster-verify" "$T/dump-$first" "$T/history" | sed 's/^/# /'
	ok "${PIPESTATUS[0]}" "the histories are right"
	is "$(failures)" "" "no call of a long session has failed for want of a leader"
	! grep -q 'info: leading' "$T/replica-$size.log"
	ok $? "the observer has never led"
	[ "$faults" -ge "$1" ]
	ok $? "$faults faults, of $1 at least"
	acknowledged "${mounts[@]}"
	echo "# $faults faults, $REPLY changes acknowledged, $(wc -l <"$T/history") calls"
}
