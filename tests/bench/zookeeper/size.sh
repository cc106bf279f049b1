# shellcheck shell=bash
# One member, small and with many znodes of 100 bytes: memory, start-up, and
# what a snapshot (ours: a pass that writes the image) does to a writer. Sourced
# by run.
# shellcheck disable=SC2034,SC2154 # run sets them, ours.sh uses them

# first SYSTEM: starts the only server again; its time from exec to the first answer.
size_first() {
	local began=$EPOCHREALTIME answered
	if [[ $1 == zabfs ]]; then
		ours_start 1 "${@:2}"
		answered=$("$bin/bench_wire" first "$ours/1/sock" 120000) ||
			{ tail -n 5 "$ours/1/replica.log" >&2; fail "zabfs does not answer"; }
	else
		zk_start 1
		answered=$("$bin/bench_zookeeper" first "${zk_port[1]}" 120000) ||
			{ tail -n 5 "$zk/1/log" >&2; fail "ZooKeeper does not answer"; }
	fi
	first_us=$((${answered#* } - ${began/./}))
}

size_fill() {
	"$bin/bench_wire" load "$ours/1/sock" "$1" 10000 100 "$2" >"$work/load" || fail "fill"
	note "size/$3" zabfs load_rate "$(quantile "$work/load" load_rate 0.5)"
	"$bin/bench_zookeeper" fill "$(zk_host 1)" "$1" 10000 100 "$2" >"$work/load" || fail "fill"
	note "size/$3" zookeeper load_rate "$(quantile "$work/load" load_rate 0.5)"
	sleep 5 # whatever follows a load
	note "size/$3" zabfs resident "$(resident "${ours_pid[1]}")"
	note "size/$3" zookeeper resident "$(resident "${zk_pid[1]}")"
}

# A writer beside a load that makes ZooKeeper take snapshots.
size_load() {
	local one=("$bin/bench_requests" 0 1 100 "${stall_s}000" "$ours/1/sock")
	local many=("$bin/bench_requests" 0 16 100 "${stall_s}000" "$ours/1/sock")
	if [[ $1 == zookeeper ]]; then
		one=("$bin/bench_zookeeper" load 0 1 100 "${stall_s}000" "$(zk_host 1)")
		many=("$bin/bench_zookeeper" load 0 16 100 "${stall_s}000" "$(zk_host 1)")
	fi
	"${one[@]}" >"$work/stall" &
	writer_pid[1]=$!
	"${many[@]}" >"$work/stall.load" || fail "stall: $1"
	wait "${writer_pid[1]}" || fail "stall: $1"
	unset "writer_pid[1]"
	note size/stall "$1" longest_ns "$(quantile "$work/stall" longest 0.5)"
	note size/stall "$1" write_ns "$(quantile "$work/stall" write 0.5)"
	note size/stall "$1" load_rate "$(quantile "$work/stall.load" rate 0.5)"
}

zk_snapshots() {
	find "$zk/1/data/version-2" -name 'snapshot.*' | wc -l
}

# Its present process has begun a pass over everything.
size_pass_seen() {
	sed -n "s/.*zabfs-replica\\[${ours_pid[1]}\\].* pass begins rows=//p" "$ours/1/replica.log" |
		awk -v nodes="$nodes" '$1 >= nodes { seen = 1 } END { exit !seen }'
}

# Ours writes what has changed since the last pass: here everything, anew in each round.
size_stall() {
	local before
	ours_end 1 KILL
	rm -rf "$ours/1/data"
	cp -a "$ours/1/data.full" "$ours/1/data"
	sync -f "$ours/1/data" # what is copied is not the replica's to wait for
	sed -i 's/^pass_interval.*/pass_interval = 5/' "$ours/conf"
	size_first zabfs -v
	size_load zabfs
	size_pass_seen ||
		say "size: no pass over everything beside the writer"
	before=$(zk_snapshots)
	size_load zookeeper
	(($(zk_snapshots) > before)) || say "size: no snapshot of ZooKeeper's beside the writer"
}

size_start() {
	ours_end 1 TERM
	size_first zabfs
	note size/start zabfs first_ns "${first_us}000"
	zk_end 1 TERM
	size_first zookeeper
	note size/start zookeeper first_ns "${first_us}000"
}

figure_size() {
	local round
	ours_new 1 "pass_interval = 86400"
	ours_start 1
	wait_until 30 ours_all_serve || fail "zabfs: no service"
	ours_founding=
	zk_up 1
	say "size: 10,000 znodes"
	size_fill 10000 small small
	say "size: $nodes znodes"
	size_fill "$nodes" many many
	ours_end 1 KILL
	cp -a "$ours/1/data" "$ours/1/data.full"
	for ((round = 1; round <= rounds; round++)); do
		say "size: a writer beside a snapshot, round $round of $rounds"
		size_stall
	done
	for ((round = 1; round <= rounds; round++)); do
		say "size: start-up, round $round of $rounds"
		size_start
	done
	ours_down
	zk_down
}

rows_size() {
	cells "memory with 10,000 znodes of 100 B" bytes resident '<= 0.1' size/small size/small
	cells "memory with $nodes znodes of 100 B" bytes resident '<= 0.2' size/many size/many
	cells "start-up with $nodes znodes" ns first_ns '<= 0.25' size/start size/start
	cells "longest write beside a snapshot of $nodes znodes" ns longest_ns - size/stall size/stall
}

plot_size() {
	:
}
