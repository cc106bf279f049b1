#!/bin/bash
# An ensemble that nobody asks for anything: what its daemons cost a processor. It is their own time on
# it that is counted, so a busy machine changes nothing.
. "$(dirname "$0")/lib.sh"

ensemble_start 3 || exit 1
for id in 1 2 3; do
	member_mount $id || exit 1
	echo x >"$T/m$id/f$id"
done
is "$(cat "$T"/m1/f1)" x "the ensemble works"

# Nanoseconds on a processor so far, of all threads.
busy_ns() {
	cat /proc/"$1"/task/*/schedstat | awk '{ n += $1 } END { print n }'
}

# What is left of the work (the image is written, the log's WAL is moved) ends by itself: the best of
# some stretches counts.
names=() pids=()
for id in 1 2 3; do
	names+=("replica $id" "fsd $id" "mountd $id")
	pids+=("${member_pid[$id]}" "$(fsd_pid "m$id")" "${mountd_pid[m$id]}")
done
idle_s=2
declare -A best
for _ in 1 2 3; do
	before=()
	for pid in "${pids[@]}"; do
		before+=("$(busy_ns "$pid")")
	done
	began_ns=$(date +%s%N)
	sleep $idle_s
	took_ns=$(($(date +%s%N) - began_ns))
	for i in "${!pids[@]}"; do
		permille=$((($(busy_ns "${pids[i]}") - before[i]) * 1000 / took_ns))
		((permille >= ${best[$i]:-1000})) || best[$i]=$permille
	done
done
for i in "${!pids[@]}"; do
	ok "$((best[i] >= 10))" "an idle ${names[i]} takes less than 1 % of a processor (${best[$i]} ‰)"
done

done_testing
