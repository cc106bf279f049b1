# shellcheck shell=bash
# Where the time of a write(2) goes: processor and wake-ups of each thread,
# system calls a write, one write's timeline, and functions by perf where the
# machine has it. Sourced by tests/bench/run; works on its node.
# shellcheck disable=SC2154 # bin, work and the pids are run's

profile_writes=2000

# PID's threads: name, voluntary and involuntary switches, user and system ticks.
profile_threads() {
	local task
	for task in "/proc/$1/task"/*; do
		printf '%s/%s ' "$(cat "/proc/$1/comm")" "$(tr ' ' _ <"$task/comm")-${task##*/}"
		awk '/^voluntary/ { v = $2 } /^nonvoluntary/ { n = $2 } END { printf "%d %d ", v, n }' "$task/status"
		sed 's/.*) //' "$task/stat" | awk '{ print $12, $13 }'
	done
}

# profile_shares WRITES: what each thread took between two of these, for each write.
profile_shares() {
	awk -v n="$1" -v hz="$(getconf CLK_TCK)" '
		NR == FNR { v[$1] = $2; p[$1] = $3; u[$1] = $4; s[$1] = $5; next }
		{ printf "%-44s %6.2f %6.2f %7.1f µs %7.1f µs\n", $1, ($2 - v[$1]) / n, ($3 - p[$1]) / n,
			($4 - u[$1]) * 1e6 / hz / n, ($5 - s[$1]) * 1e6 / hz / n }' "$work/before" "$work/after"
}

# A write load without the disk's own writes between.
profile_load() {
	"$bin/bench_callers" held 0 1 1024 "$1" "$work/A"
}

profile_switches() {
	local pid
	for pid in "$@"; do profile_threads "$pid"; done >"$work/before"
	profile_load 3000 >"$work/load"
	for pid in "$@"; do profile_threads "$pid"; done >"$work/after"
	echo "== one writer, $(mean "$work/load" rate) writes/s, median $(time_text "$(quantile "$work/load" write 0.5)")"
	echo "== for each write: sleeps, preemptions, processor (user, system)"
	profile_shares "$(($(mean "$work/load" rate) * 3))"
}

profile_trace() {
	local name=$1 pid=$2 tracer
	strace -f -qq -ttt -T -o "$work/trace.$name" -p "$pid" &
	tracer=$!
	wait_until 2 grep -qs . "$work/trace.$name" || true
	"$bin/bench_calls" write "$work/A/value" "$work/raw" 1 "$profile_writes" >/dev/null
	kill -INT "$tracer"
	wait "$tracer"
	echo "== $name: system calls a write (traced, so slow; idle ticks included)"
	awk -v n="$profile_writes" '
		!/<[0-9.]+>$/ { next }
		{ call = $3; sub(/\(.*/, "", call); if ($3 == "<...") call = $4
		  t = $NF; gsub(/[<>]/, "", t); count[call]++; time[call] += t }
		END { for (c in count) printf "%-20s %7.2f %9.1f µs each\n", c, count[c] / n, time[c] * 1e6 / count[c] }' \
		"$work/trace.$name" | sort -k2,2nr | head -n 20
	echo "== $name: the last calls"
	tail -n 400 "$work/trace.$name" | head -n 40 | cut -c 1-150
}

# profile_perf_of PID,PID… COMMAND…: while it runs, for three seconds.
profile_perf_of() {
	local pids=$1
	shift
	command -v perf >/dev/null || { echo "== no perf here"; return; }
	"$@" >/dev/null &
	perf record -q -g -F 4999 -p "$pids" -o "$work/perf" -- sleep 3 2>/dev/null || { wait $!; return; }
	wait $!
	echo "== perf: by thread and function (self)"
	perf report -i "$work/perf" --stdio --no-children -g none --sort comm,dso,symbol 2>/dev/null |
		sed -e '/^#/d' -e '/^$/d' -e 's/[- ]*$//' | head -n 40
}

profile_write() {
	local replica=$bench_replica_pid fsd
	fsd=$(fsd_pid "$work" A)
	profile_switches "$replica" "$fsd"
	profile_perf_of "$replica,$fsd" profile_load 4000
	profile_trace replica "$replica"
	profile_trace fsd "$fsd"
}
