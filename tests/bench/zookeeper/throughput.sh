# shellcheck shell=bash
# Reads, writes and mixtures of them: over the wire against ZooKeeper's C client,
# and through the mounts against the same. One outstanding: a session with one
# server, a follower of three; more: a session with each. Sourced by run.
# shellcheck disable=SC2154 # run sets them

# The member that one request at a time goes to.
follower() {
	local id
	for ((id = 1; id <= $1; id++)); do
		[[ $id == "$2" && $1 != 1 ]] || { echo "$id"; return; }
	done
}

# throughput_targets MEMBERS OUTSTANDING: sets sockets, mounts, hosts.
throughput_targets() {
	local id
	sockets=() mounts=() hosts=()
	if (($2 == 1)); then
		id=$(follower "$1" "$(ours_leader)")
		sockets=("$ours/$id/sock") mounts=("$ours/$id/m")
		hosts=("$(zk_host "$(follower "$1" "$(zk_leader)")")")
		return
	fi
	for ((id = 1; id <= $1; id++)); do
		sockets+=("$ours/$id/sock")
		mounts+=("$ours/$id/m")
		hosts+=("$(zk_host "$id")")
	done
}

# throughput_cell MEMBERS READ-PERCENT OUTSTANDING BYTES: both in turn, and the mounts for 1 KiB.
throughput_cell() {
	local cell=$1/$2/$3/$4 how
	throughput_targets "$1" "$3"
	collect "wire/$cell" zabfs "$bin/bench_requests" "$2" "$3" "$4" "$run_ms" "${sockets[@]}"
	collect "wire/$cell" zookeeper "$bin/bench_zookeeper" load "$2" "$3" "$4" "$run_ms" "${hosts[@]}"
	(($4 == 1024)) || return 0
	for how in held open; do
		[[ $how == held || $2 == 0 || $2 == 100 ]] || continue
		collect "$how/$cell" zabfs "$bin/bench_callers" "$how" "$2" "$3" "$4" "$run_ms" "${mounts[@]}"
	done
}

# throughput_warm OUTSTANDING MS: a cold ZooKeeper may let a request wait for longer than its
# session lasts; that is no figure yet.
throughput_warm() {
	local try
	for try in 1 2 3; do
		"$bin/bench_zookeeper" load 50 "$1" 1024 "$2" "${hosts[@]}" >/dev/null && return
		say "the warm-up failed ($try)"
	done
	fail "warm-up"
}

figure_throughput() {
	local members round percent outstanding
	for members in 1 3; do
		ours_up "$members"
		zk_up "$members"
		throughput_targets "$members" 256
		say "throughput: $members member(s): Java warms up"
		throughput_warm 256 "$warm_ms"
		throughput_warm 1 "$((warm_ms / 4))"
		for ((round = 1; round <= rounds; round++)); do
			say "throughput: $members member(s), round $round of $rounds"
			for outstanding in 1 256; do
				for percent in 0 100; do
					throughput_cell "$members" "$percent" "$outstanding" 100
					throughput_cell "$members" "$percent" "$outstanding" 1024
				done
			done
			for percent in 20 40 60 80; do
				throughput_cell "$members" "$percent" 256 1024
			done
		done
		ours_down
		zk_down
	done
}

# throughput_rows MEMBERS: some cells, in words.
throughput_rows() {
	local n=$1 s="" bytes size what percent aim
	((n == 1)) || s=s
	for what in write:0 read:100; do
		percent=${what#*:} what=${what%:*}
		for bytes in 100:"100 B" 1024:"1 KiB"; do
			size=${bytes#*:} bytes=${bytes%:*}
			aim=-
			[[ $n/$what/$bytes != 3/write/1024 ]] || aim='<= 0.35'
			cells "$n member$s: $what of $size, one at a time" ns "${what}_ns" "$aim" "wire/$n/$percent/1/$bytes" "wire/$n/$percent/1/$bytes"
			aim=-
			[[ $n/$bytes != 3/1024 ]] || aim='>= 10'
			cells "$n member$s: $what of $size, 256 outstanding" rate rate "$aim" "wire/$n/$percent/256/$bytes" "wire/$n/$percent/256/$bytes"
		done
		cells "$n member$s: … the servers' processor time for each" ns server_ns - "wire/$n/$percent/256/1024" "wire/$n/$percent/256/1024"
		aim=-
		[[ $n/$what != 3/write ]] || aim='<= 0.5'
		cells "$n member$s: $what of 1 KiB through the mount, open file" ns "${what}_ns" "$aim" "held/$n/$percent/1/1024" "wire/$n/$percent/1/1024"
		cells "$n member$s: … by 256 threads" rate rate - "held/$n/$percent/256/1024" "wire/$n/$percent/256/1024"
		cells "$n member$s: open, $what of 1 KiB, close" ns "${what}_ns" - "open/$n/$percent/1/1024" "wire/$n/$percent/1/1024"
		cells "$n member$s: … by 256 threads" rate rate - "open/$n/$percent/256/1024" "wire/$n/$percent/256/1024"
	done
}

rows_throughput() {
	throughput_rows 1
	throughput_rows 3
}

# For the plot: lines "READ-PERCENT RATE", a block for each curve.
plot_throughput() {
	local curve percent cell
	for curve in wire/3:zabfs wire/1:zabfs held/3:zabfs wire/3:zookeeper wire/1:zookeeper; do
		for percent in 0 20 40 60 80 100; do
			cell=${curve%:*}/$percent/256/1024
			printf '%d %d\n' "$percent" "$(middle "$cell" "${curve#*:}" rate)"
		done
		printf '\n\n'
	done >"$work/mix"
	gnuplot -c tests/bench/zookeeper/mix.gp "$work/mix" "$results/zookeeper-mix.png" || fail "plot"
}
