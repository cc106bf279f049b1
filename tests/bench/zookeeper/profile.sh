# shellcheck shell=bash
# Where the time of pipelined writes goes in an ensemble of three: processor and
# sleeps of each thread, fsyncs of log.db a write, and functions by perf where the
# machine has it. Sourced by run; tests/bench/profile.sh has what it shares with one node's.
# shellcheck disable=SC2154 # run sets them

profile_load3() {
	"$bin/bench_requests" 0 "$1" 1024 "$2" "${sockets[@]}"
}

# How many fsyncs of log.db the members have counted.
profile_fsyncs() {
	local id
	for ((id = 1; id <= ours_count; id++)); do
		awk '$1 ~ /^zabfs_log_fsync_duration_seconds_count/ { print "fsyncs/" id, $2 }' id="$id" "$ours/$id/m/.zab/metrics"
	done
}

# profile_outstanding N
profile_outstanding() {
	local pid rate writes ms=3000
	for pid in "${ours_pid[@]}"; do profile_threads "$pid"; done >"$work/before"
	profile_fsyncs >"$work/fsyncs.before"
	profile_load3 "$1" "$ms" >"$work/load"
	for pid in "${ours_pid[@]}"; do profile_threads "$pid"; done >"$work/after"
	profile_fsyncs >"$work/fsyncs.after"
	rate=$(quantile "$work/load" rate 0.5)
	writes=$(awk -v r="$rate" -v ms="$ms" 'BEGIN { print r * ms / 1000 }')
	echo "== $1 outstanding: $rate writes/s, median $(time_text "$(quantile "$work/load" write 0.5)"); for each write:"
	profile_shares "$writes"
	awk -v n="$writes" '
		NR == FNR { f[$1] = $2; next }
		{ printf "%-44s %6.3f\n", $1, ($2 - f[$1]) / n }' "$work/fsyncs.before" "$work/fsyncs.after"
}

profile_ensemble() {
	local pids id sockets=()
	ours_up 3
	for ((id = 1; id <= ours_count; id++)); do
		sockets+=("$ours/$id/sock")
	done
	profile_load3 256 2000 >/dev/null
	profile_outstanding 1
	profile_outstanding 256
	pids=$(IFS=,; echo "${ours_pid[*]}")
	profile_perf_of "$pids" profile_load3 256 4000
	ours_down
}
