# shellcheck shell=bash
# What a person with a shell waits for, on three nodes: a watch on another
# node, and one operation of a script. Sourced by run.
# shellcheck disable=SC2154 # run sets them

latency_watch() {
	local id leader others=()
	leader=$(ours_leader)
	for id in 1 2 3; do
		[[ $id == "$leader" ]] || others+=("$id")
	done
	: >"$ours/${others[0]}/m/event"
	sync "$ours/${others[1]}/m"
	collect watch zabfs "$bin/bench_event" "$ours/${others[0]}/m/event" "$ours/${others[1]}/m/event" "$events"
	leader=$(zk_leader)
	others=()
	for id in 1 2 3; do
		[[ $id == "$leader" ]] || others+=("$id")
	done
	collect watch zookeeper "$bin/bench_zookeeper" watch "$(zk_host "${others[0]}")" "$(zk_host "${others[1]}")" "$events"
}

# shell_times CELL SYSTEM N COMMAND…: the median of N, one by one in this shell.
shell_times() {
	local cell=$1 system=$2 n=$3 began ended i
	shift 3
	for ((i = 0; i < n; i++)); do
		began=$EPOCHREALTIME
		"$@" || fail "$cell: $system"
		ended=$EPOCHREALTIME
		echo "t $((${ended/./} - ${began/./}))000"
	done >"$work/shell" 2>"$work/shell.err"
	note "shell/$cell" "$system" ns "$(quantile "$work/shell" t 0.5)"
}

zabfs_write() {
	echo v >"$ours/1/m/f"
}
zabfs_read() {
	cat "$ours/1/m/f" >/dev/null
}
etcd_write() {
	etcdctl --endpoints "$etcd_endpoint" put f v >/dev/null
}
etcd_read() {
	etcdctl --endpoints "$etcd_endpoint" get f >/dev/null
}
zookeeper_write() {
	JVMFLAGS="-Dzookeeper.log.dir=$work" /usr/share/zookeeper/bin/zkCli.sh -server "$(zk_host 1)" set /f v >/dev/null 2>&1
}
zookeeper_read() {
	JVMFLAGS="-Dzookeeper.log.dir=$work" /usr/share/zookeeper/bin/zkCli.sh -server "$(zk_host 1)" get /f >/dev/null 2>&1
}

latency_shell() {
	shell_times write zabfs "$shells" zabfs_write
	shell_times write etcd $((shells / 4)) etcd_write
	shell_times write zookeeper $((shells / 40 + 1)) zookeeper_write
	shell_times read zabfs "$shells" zabfs_read
	shell_times read etcd $((shells / 4)) etcd_read
	shell_times read zookeeper $((shells / 40 + 1)) zookeeper_read
}

figure_latency() {
	local round
	ours_up 3
	zk_up 3
	etcd_up 3
	JVMFLAGS="-Dzookeeper.log.dir=$work" /usr/share/zookeeper/bin/zkCli.sh -server "$(zk_host 1)" create /f v >"$work/zkcli" 2>&1 ||
		fail "zkCli.sh"
	for ((round = 1; round <= rounds; round++)); do
		say "latency: round $round of $rounds"
		latency_watch
		latency_shell
	done
	ours_down
	zk_down
	etcd_down
}

rows_latency() {
	compare "a write's call to the event of a watch on another node" ns - "$(middle watch zabfs began_modify_ns)" \
		"$(middle watch zookeeper began_event_ns)"
	cells "echo v > f, and zkCli.sh set" ns ns - shell/write shell/write
	cells "echo v > f, and etcdctl put" ns ns '<= 0.0333' shell/write shell/write etcd
	cells "cat f, and zkCli.sh get" ns ns - shell/read shell/read
	cells "cat f, and etcdctl get" ns ns - shell/read shell/read etcd
}

plot_latency() {
	:
}
