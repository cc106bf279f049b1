# shellcheck shell=bash
# The other side: ZooKeeper's servers as Debian's package starts them (its
# script, its options for Java, the settings of its example; fsync is on), and
# etcd's, on loopback, their data in $work. Sourced by run.
# shellcheck disable=SC2154 # run sets them

declare -A zk_pid=() etcd_pid=()
zk_count=0

# zk_new N: configurations and empty folders $zk/ID; zk_port[ID] is where clients connect.
zk_new() {
	local id member
	zk_count=$1
	zk=$work/zookeeper$1
	rm -rf "$zk"
	read -ra zk_port <<<"0 $(tests/free-ports $((3 * $1)))"
	for ((id = 1; id <= zk_count; id++)); do
		mkdir -p "$zk/$id/data"
		echo "$id" >"$zk/$id/data/myid"
		{
			printf '%s\n' tickTime=2000 initLimit=10 syncLimit=5 admin.enableServer=false \
				"dataDir=$zk/$id/data" clientPortAddress=127.0.0.1 "clientPort=${zk_port[id]}"
			for ((member = 1; member <= zk_count && zk_count > 1; member++)); do
				echo "server.$member=127.0.0.1:${zk_port[zk_count + member]}:${zk_port[2 * zk_count + member]}"
			done
		} >"$zk/$id/zoo.cfg"
	done
}

# Does not wait for anything.
zk_start() {
	JVMFLAGS="-Dzookeeper.log.dir=$zk/$1" /usr/share/zookeeper/bin/zkServer.sh start-foreground \
		"$zk/$1/zoo.cfg" >>"$zk/$1/log" 2>&1 &
	zk_pid[$1]=$!
}

zk_end() {
	[[ -n ${zk_pid[$1]:-} ]] || return 0
	process_end "${zk_pid[$1]}" "$2"
	unset "zk_pid[$1]"
}

# zk_role ID: leader, follower, standalone, or nothing.
zk_role() {
	[[ -n ${zk_pid[$1]:-} ]] || return 0
	timeout 1 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf srvr >&3 && cat <&3' - "${zk_port[$1]}" 2>/dev/null |
		sed -n 's/^Mode: //p'
}

zk_serves() {
	[[ -n $(zk_role "$1") ]]
}

zk_all_serve() {
	local id
	for ((id = 1; id <= zk_count; id++)); do
		zk_serves "$id" || return 1
	done
}

zk_leader() {
	local id
	for id in "${!zk_pid[@]}"; do
		[[ $(zk_role "$id") != leader ]] || echo "$id"
	done
}

zk_host() {
	echo "127.0.0.1:${zk_port[$1]}"
}

zk_up() {
	local id
	zk_new "$1"
	for ((id = 1; id <= zk_count; id++)); do
		zk_start "$id"
	done
	wait_until 60 zk_all_serve || { tail -n 5 "$zk"/*/log >&2; fail "ZooKeeper: no ensemble"; }
}

zk_down() {
	local id
	for id in "${!zk_pid[@]}"; do
		zk_end "$id" TERM
	done
	zk_count=0
}

# etcd_up N; etcd_endpoint is the first member's.
etcd_up() {
	local id ports cluster=
	read -ra ports <<<"$(tests/free-ports $((2 * $1)))"
	for ((id = 1; id <= $1; id++)); do
		cluster+="${cluster:+,}m$id=http://127.0.0.1:${ports[2 * id - 1]}"
	done
	etcd_endpoint=http://127.0.0.1:${ports[0]}
	for ((id = 1; id <= $1; id++)); do
		mkdir -p "$work/etcd/$id"
		etcd --name "m$id" --data-dir "$work/etcd/$id" --initial-cluster "$cluster" --initial-cluster-state new \
			--listen-client-urls "http://127.0.0.1:${ports[2 * id - 2]}" \
			--advertise-client-urls "http://127.0.0.1:${ports[2 * id - 2]}" \
			--listen-peer-urls "http://127.0.0.1:${ports[2 * id - 1]}" \
			--initial-advertise-peer-urls "http://127.0.0.1:${ports[2 * id - 1]}" \
			>>"$work/etcd/$id/log" 2>&1 &
		etcd_pid[$id]=$!
	done
	wait_until 30 etcdctl --endpoints "$etcd_endpoint" put bench up >/dev/null 2>&1 ||
		{ tail -n 5 "$work"/etcd/*/log >&2; fail "etcd: no cluster"; }
}

etcd_down() {
	local id
	for id in "${!etcd_pid[@]}"; do
		kill -9 "${etcd_pid[$id]}" 2>/dev/null
		wait "${etcd_pid[$id]}" 2>/dev/null
		unset "etcd_pid[$id]"
	done
}
