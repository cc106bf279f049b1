# shellcheck shell=bash
# zabfs's side of the comparison: an ensemble on loopback, a replica and a mount
# for each member. Sourced by run; tests/bench/lib.sh has mounts and their end.
# shellcheck disable=SC2154 # run sets them

declare -A ours_pid=()
ours_count=0 ours_founding=

# ours_new N [CONF-LINE…]: a configuration, and empty folders $ours/ID.
ours_new() {
	local id ports
	ours_count=$1 ours_founding=-I
	shift
	ours=$work/ours$ours_count
	rm -rf "$ours"
	read -ra ports <<<"$(tests/free-ports $((2 * ours_count)))"
	mkdir -p "$ours"
	{
		printf '%s\n' 'cluster = "bench"' "socket = \"$ours/nobody.sock\"" "$@"
		for ((id = 1; id <= ours_count; id++)); do
			echo "member $id { peer = \"127.0.0.1:${ports[2 * id - 2]}\" front = \"127.0.0.1:${ports[2 * id - 1]}\" }"
		done
	} >"$ours/conf"
	for ((id = 1; id <= ours_count; id++)); do
		mkdir -p "$ours/$id/data"
		ln -s ../conf "$ours/$id/conf"
	done
}

# Does not wait for anything.
ours_start() {
	local dir=$ours/$1
	"$bench_build/zabfs-replica" -f "$dir/conf" -i "$1" -D "$dir/data" -s "$dir/sock" -d $ours_founding "${@:2}" \
		2>>"$dir/replica.log" &
	ours_pid[$1]=$!
}

process_gone() {
	! kill -0 "$1" 2>/dev/null
}

# process_end PID SIGNAL: whatever state it is in.
process_end() {
	kill -CONT "$1" 2>/dev/null
	kill "-$2" "$1" 2>/dev/null
	wait_until 60 process_gone "$1" 2>/dev/null || { say "$(ps -o args= -p "$1" | cut -c 1-60)… does not end"; kill -KILL "$1"; }
	wait "$1" 2>/dev/null
}

# ours_end ID SIGNAL
ours_end() {
	[[ -n ${ours_pid[$1]:-} ]] || return 0
	process_end "${ours_pid[$1]}" "$2"
	unset "ours_pid[$1]"
}

# The last role that its present process has logged.
ours_role() {
	[[ -n ${ours_pid[$1]:-} ]] || return 0
	sed -nE "s/.*zabfs-replica\\[${ours_pid[$1]}\\] info: (leading|following|looking) .*/\\1/p" \
		"$ours/$1/replica.log" | tail -n 1
}

ours_serves() {
	[[ $(ours_role "$1") =~ ^(leading|following)$ ]]
}

ours_all_serve() {
	local id
	for ((id = 1; id <= ours_count; id++)); do
		ours_serves "$id" || return 1
	done
}

ours_leader() {
	local id
	for id in "${!ours_pid[@]}"; do
		[[ $(ours_role "$id") != leading ]] || echo "$id"
	done
}

ours_up() {
	local id
	ours_new "$@"
	for ((id = 1; id <= ours_count; id++)); do
		ours_start "$id"
	done
	wait_until 30 ours_all_serve || fail "zabfs: no ensemble"
	ours_founding=
	for ((id = 1; id <= ours_count; id++)); do
		mount_start "$ours/$id" m
	done
}

ours_down() {
	local id
	for ((id = 1; id <= ours_count; id++)); do
		mount_stop "$ours/$id" m
	done
	for id in "${!ours_pid[@]}"; do
		ours_end "$id" TERM
	done
	ours_count=0
}

# The resident bytes of a process.
resident() {
	awk '$1 == "VmRSS:" { print $2 * 1024 }' "/proc/$1/status"
}
