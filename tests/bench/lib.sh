# shellcheck shell=bash
# What tests/bench/run and its profile are made of: a node of its own in a
# temporary folder, statistics over samples, and the table. No figure is
# defined here. Sourced, never run.
# shellcheck disable=SC2034,SC2154 # replica_first_us and work are run's

bench_build=${ZABFS_BUILD:-build}
bench_replica_pid=
declare -A bench_mountd_pid=()

fail() {
	echo "bench: $*" >&2
	exit 1
}

say() {
	echo "bench: $*" >&2
}

# wait_until SECONDS COMMAND…: polls, and fails at the deadline.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.02
	done
}

# node_new DIR PASS-INTERVAL: a configuration and an empty data directory.
node_new() {
	local ports
	read -ra ports <<<"$(tests/free-ports 3)"
	mkdir -p "$1/data"
	cat >"$1/conf" <<-END
		cluster = "bench"
		socket = "$1/sock"
		pass_interval = $2
		member 1 { peer = "127.0.0.1:${ports[0]}"  front = "127.0.0.1:${ports[1]}"  http = "127.0.0.1:${ports[2]}" }
	END
}

# replica_start DIR [-I]: prints nothing; replica_first_us is set to the time from exec to the first answer.
replica_start() {
	local began=$EPOCHREALTIME answered
	"$bench_build/zabfs-replica" -f "$1/conf" -i 1 -D "$1/data" -d "${@:2}" 2>>"$1/replica.log" &
	bench_replica_pid=$!
	answered=$("$bench_build/tests/bench_wire" first "$1/sock" 120000) ||
		{ tail -n 5 "$1/replica.log" >&2; fail "the replica does not answer"; }
	replica_first_us=$((${answered#* } - ${began/./}))
}

# replica_end SIGNAL
replica_end() {
	[[ -n $bench_replica_pid ]] || return 0
	kill -"$1" "$bench_replica_pid" 2>/dev/null
	wait "$bench_replica_pid" 2>/dev/null
	bench_replica_pid=
}

# Resident bytes.
replica_memory() {
	awk '$1 == "VmRSS:" { print $2 * 1024 }' "/proc/$bench_replica_pid/status"
}

replica_ticks() {
	awk '{ print $14 + $15 }' "/proc/$bench_replica_pid/stat"
}

# Waits until the replica has used no processor for a while (a pass is over).
replica_idle() {
	local before after quiet=0 tries
	before=$(replica_ticks)
	for ((tries = 0; tries < 240 && quiet < 8; tries++)); do
		sleep 0.5
		after=$(replica_ticks)
		((quiet = after - before <= 1 ? quiet + 1 : 0))
		before=$after
	done
}

mounted() {
	mountpoint -q "$1" && timeout 5 cat "$1/.zab/session" >/dev/null 2>&1
}

# mount_start DIR NAME: DIR/NAME is a mount of the node.
mount_start() {
	mkdir -p "$1/$2"
	"$bench_build/zabfs-mountd" -f "$1/conf" -s "$1/sock" -d "$1/$2" 2>>"$1/$2.log" &
	bench_mountd_pid[$1/$2]=$!
	wait_until 20 mounted "$1/$2" || { tail -n 5 "$1/$2.log" >&2; fail "no mount at $2"; }
}

mount_stop() {
	local pid=${bench_mountd_pid[$1/$2]:-}
	[[ -n $pid ]] || return 0
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	unset "bench_mountd_pid[$1/$2]"
	# A mount that is still there hangs on a daemon that isn't: cut it.
	if grep -qF " $1/$2 " /proc/self/mountinfo; then
		umount -f -l "$1/$2"
	fi
}

fsd_pid() {
	pgrep -P "${bench_mountd_pid[$1/$2]}" | head -n 1
}

# Whatever happened: no process, mount or folder stays behind.
node_end() {
	local key
	for key in "${!bench_mountd_pid[@]}"; do
		mount_stop "${key%/*}" "${key##*/}"
	done
	replica_end TERM
	[[ -z ${work:-} ]] || rm -rf --one-file-system "$work"
}

# quantile FILE SERIES Q: of the lines "SERIES NUMBER".
quantile() {
	awk -v s="$2" '$1 == s { print $2 }' "$1" | sort -n |
		awk -v q="$3" '{ v[NR] = $1 } END { if (!NR) exit 1; i = int(q * NR + 0.999999); print v[i < 1 ? 1 : i] }'
}

mean() {
	awk -v s="$2" '$1 == s { sum += $2; n++ } END { if (!n) exit 1; printf "%.0f\n", sum / n }' "$1"
}

# Nanoseconds as people read them.
time_text() {
	awk -v ns="$1" 'BEGIN {
		if (ns < 0 ? ns > -1e6 : ns < 1e6) printf(ns < 1e4 && ns > -1e4 ? "%.1f µs\n" : "%.0f µs\n", ns / 1e3)
		else if (ns < 1e9) printf "%.1f ms\n", ns / 1e6
		else printf "%.2f s\n", ns / 1e9
	}'
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a / b }'
}

# rows_rate ROWS NANOSECONDS: a second.
rows_rate() {
	awk -v n="$1" -v ns="$2" 'BEGIN { printf "%.0f\n", n * 1e9 / ns }'
}

at_most() {
	awk -v v="$1" -v limit="$2" 'BEGIN { if (v <= limit) print "met"; else printf "missed by %.2f×\n", v / limit }'
}

at_least() {
	awk -v v="$1" -v limit="$2" 'BEGIN { if (v >= limit) print "met"; else printf "missed by %.2f×\n", limit / v }'
}

# row WHAT TARGET MEDIAN P99 RATIO VERDICT; "-" for none.
row() {
	local IFS=$'\t'
	[[ $# == 6 ]] || fail "row: $*"
	printf '%s\n' "$*" >>"$work/table"
}

# times WHAT TARGET LIMIT-NS FILE SERIES: a row whose median has a limit (- for none).
times() {
	local median p99 verdict=-
	median=$(quantile "$4" "$5" 0.5) || fail "no samples: $5"
	p99=$(quantile "$4" "$5" 0.99)
	[[ $3 == - ]] || verdict=$(at_most "$median" "$3")
	row "$1" "$2" "$(time_text "$median")" "$(time_text "$p99")" - "$verdict"
}

# A line that says where and when.
machine_text() {
	printf '%s, %s × %s, Linux %s, %s\n' "$(date -u +%F)" "$(nproc)" \
		"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(uname -r)" \
		"$(findmnt -no FSTYPE -T "$work")"
}

table_text() {
	local -a width=(0 0 0 0 0 0) cell
	local i
	while IFS=$'\t' read -ra cell; do
		for i in "${!cell[@]}"; do
			((${#cell[i]} > width[i])) && width[i]=${#cell[i]}
		done
	done <"$work/table"
	while IFS=$'\t' read -ra cell; do
		for i in "${!cell[@]}"; do
			printf '%s%*s' "${cell[i]}" $((width[i] - ${#cell[i]} + 2)) ''
		done
		printf '\n'
	done <"$work/table" | sed 's/ *$//'
}

table_markdown() {
	awk -F '\t' '{ line = "|"; for (i = 1; i <= NF; i++) line = line " " $i " |"; print line }
		NR == 1 { print "|---|---|---|---|---|---|" }' "$work/table"
}
