# shellcheck shell=bash
# How long there is no service: a writer on each node writes one value after
# another while a follower is killed, the leader is killed, the leader stands
# still (SIGSTOP). A gap is the longest time between two writes that were done,
# of the writers on the other nodes, and of the one whose own server it was,
# which has to move. Sourced by run.
# shellcheck disable=SC2154 # run sets them

declare -A writer_pid=()
outage_kinds=(follower-killed leader-killed leader-stopped)

# outage_writers SYSTEM: one for each node; zookeeper's know all servers, and begin with their own.
outage_writers() {
	local id hosts other
	for id in 1 2 3; do
		if [[ $1 == zabfs ]]; then
			"$bin/bench_calls" writer "$ours/$id/m/writer$id" 600000 >"$outage/w$id" &
		else
			hosts=$(zk_host "$id")
			for other in 1 2 3; do
				[[ $other == "$id" ]] || hosts+=,$(zk_host "$other")
			done
			"$bin/bench_zookeeper" writer "$hosts" 600000 >"$outage/w$id" &
		fi
		writer_pid[$id]=$!
	done
}

outage_writers_end() {
	local id
	for id in "${!writer_pid[@]}"; do
		kill "${writer_pid[$id]}"
		wait "${writer_pid[$id]}" 2>/dev/null
		unset "writer_pid[$id]"
	done
}

done_since() {
	(($(tail -n 200 "$outage/w$1" | awk -v t="$2" '$1 == "done_us" && $2 > t' | wc -l) >= 20))
}

# All three have written since then.
all_write_since() {
	done_since 1 "$1" && done_since 2 "$1" && done_since 3 "$1"
}

now_us() {
	local now=$EPOCHREALTIME
	echo "${now/./}"
}

# gap FILE FROM TO: microseconds.
gap() {
	awk -v from="$2" -v to="$3" '
		$1 != "done_us" { next }
		$2 > from && last && last < to && $2 - last > most { most = $2 - last }
		{ last = $2 }
		END { print most + 0 }' "$1"
}

# outage_event SYSTEM KIND: it happens, service comes back, the victim comes back.
outage_event() {
	local system=$1 kind=$2 prefix=ours victim id from to near=0 moved us
	[[ $system == zabfs ]] || prefix=zk
	victim=$("${prefix}_leader")
	[[ -n $victim ]] || fail "$system: nobody leads"
	[[ $kind != follower-killed ]] || victim=$((victim % 3 + 1))
	from=$(now_us)
	case $kind in
	*-killed) "${prefix}_end" "$victim" KILL ;;
	*) outage_stop "$prefix" "$victim" STOP ;;
	esac
	printf '%s %s\n' "$from" "$kind" >>"$outage/events"
	wait_until 90 all_write_since $((from + 500000)) || fail "$system: no service after $kind"
	sleep 2
	to=$(now_us)
	for id in 1 2 3; do
		us=$(gap "$outage/w$id" "$from" "$to")
		if [[ $id == "$victim" ]]; then
			moved=$us
		elif ((us > near)); then
			near=$us
		fi
	done
	note "outage/$kind" "$system" near_ns "${near}000"
	note "outage/$kind" "$system" moved_ns "${moved}000"
	case $kind in
	*-killed) "${prefix}_start" "$victim" ;;
	*) outage_stop "$prefix" "$victim" CONT ;;
	esac
	printf '%s %s\n' "$to" "back" >>"$outage/events"
	wait_until 60 "${prefix}_all_serve" || fail "$system: the victim does not come back"
	wait_until 90 all_write_since "$(now_us)" || fail "$system: no service after the return"
	sleep 3
}

outage_stop() {
	local -n pids=${1}_pid
	kill "-$3" "${pids[$2]}"
}

# outage_round SYSTEM: all of them; the last round's course is plotted.
outage_round() {
	local kind
	outage=$work/outage.$1
	rm -rf "$outage"
	mkdir "$outage"
	outage_writers "$1"
	wait_until 60 all_write_since "$(now_us)" || fail "$1: the writers do not write"
	sleep 2
	for kind in "${outage_kinds[@]}"; do
		outage_event "$1" "$kind"
	done
	outage_writers_end
}

figure_outage() {
	local round
	ours_up 3
	zk_up 3
	for ((round = 1; round <= rounds; round++)); do
		say "outage: round $round of $rounds"
		outage_round zabfs
		outage_round zookeeper
	done
	ours_down
	zk_down
}

rows_outage() {
	local kind aim
	for kind in "${outage_kinds[@]}"; do
		case $kind in
		leader-killed) aim='<= 100000000 ns' ;;
		leader-stopped) aim='<= 1000000000 ns' ;;
		*) aim=- ;;
		esac
		cells "${kind/-/ }: longest gap on other nodes" ns near_ns "$aim" "outage/$kind" "outage/$kind"
		cells "${kind/-/ }: longest gap on its own node" ns moved_ns - "outage/$kind" "outage/$kind"
	done
}

# Lines "SECONDS WRITES-A-SECOND" of bins of 100 ms, and "SECONDS WHAT" of events.
plot_outage() {
	local system start
	for system in zabfs zookeeper; do
		outage=$work/outage.$system
		start=$(awk '{ printf "%.0f\n", $1 - 2000000; exit }' "$outage/events")
		cat "$outage"/w[123] | awk -v start="$start" '
			$1 == "done_us" && $2 >= start { n[int(($2 - start) / 100000)]++ }
			END { for (b in n) if (b + 0 > last) last = b + 0
				for (b = 0; b < last; b++) printf "%.1f %d\n", b / 10, n[b] * 10 }' >"$outage/bins"
		awk -v start="$start" '{ printf "%.2f \"%s\"\n", ($1 - start) / 1e6, $2 }' "$outage/events" >"$outage/marks"
		awk -v s="$system" '{ print "outage/course", s, "at_" $1, $2 }' "$outage/bins" "$outage/marks" >>"$raw"
	done
	gnuplot -c tests/bench/zookeeper/outage.gp "$work/outage.zabfs" "$work/outage.zookeeper" \
		"$results/zookeeper-outage.png" || fail "plot"
}
