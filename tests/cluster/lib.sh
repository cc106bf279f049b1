# shellcheck shell=bash
# The harness of the cluster tests, on top of fs/lib.sh: each member, with the
# mounts of its node, in a network namespace of its own behind a router whose rules
# cut them off from each other, with a disk and a clock that obey (shim.c). work.sh
# has the clients, nemesis.sh the faults. Sourced by tests/cluster/*.t and soak.
#
#   members_start N               namespaces, voters 1 to N, and an observer, N + 1
#   mounts_start ID…              two mounts of each of these nodes, $T/longID and $T/briefID, and the observer's long one
#   net_cut A B [VERDICT [WHAT]]; net_apply; net_heal   packets from A to B
#   cut_off WHAT VERDICT ID…      those and all others, both ways; "": all packets
#   shim_set WHO DISK [SECONDS]   of a member's number, or a mount's name
#   watchdog_start SECONDS        a run that hangs ends, and fails
#
# SEED=n repeats a run's schedule; PACE=us is the clients' mean pause, at least.
. "$(dirname "${BASH_SOURCE[0]}")/../fs/lib.sh"

# In LD_PRELOAD a blank ends the path.
ln -s "$build/tests/cluster-shim.so" "$T/shim.so"

SEED=${SEED:-$((RANDOM << 15 | RANDOM))}
RANDOM=$SEED
echo "# SEED=$SEED"
export ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0

# No more of the log is kept than a mount may miss in the longest cut, so that who is away for long
# gets a snapshot.
log_rows=5000
long_s=9
brief_s=1

spaces=zabfs-$$
size=0   # of all
voters=0 # the observer is $size
rules=()
unable=()
mounts=()
long=()
brief=()
watchdog=
declare -A node_of

# --- the network ---

space() {
	echo "$spaces-$1"
}

# `ip netns exec` would make a mount namespace, too, and nobody else would see the mounts.
at() {
	local id=$1
	shift
	nsenter --net="/run/netns/$spaces-$id" "$@"
}

# No name of an interface is seen outside: they are made in their namespaces.
net_start() {
	local id
	ip netns add "$(space r)" || return 1
	at r sysctl -qw net.ipv4.ip_forward=1
	for ((id = 1; id <= size; id++)); do
		ip netns add "$(space $id)" &&
			ip link add eth0 netns "$(space $id)" type veth peer name "v$id" netns "$(space r)" &&
			ip -n "$(space $id)" link set lo up &&
			ip -n "$(space $id)" addr add "10.77.$id.2/24" dev eth0 &&
			ip -n "$(space $id)" link set eth0 up &&
			ip -n "$(space r)" addr add "10.77.$id.1/24" dev "v$id" &&
			ip -n "$(space r)" link set "v$id" up &&
			ip -n "$(space $id)" route add default via "10.77.$id.1" || return 1
	done
	net_heal
}

net_stop() {
	local id
	for id in r $(seq "$size"); do
		[ ! -e "/run/netns/$(space "$id")" ] || ip netns del "$(space "$id")"
	done
}

# What goes from A to B, all or WHAT of it, is dropped, or VERDICT, both as nft(8) has it.
net_cut() {
	rules+=("ip saddr 10.77.$1.2 ip daddr 10.77.$2.2 ${4:-} ${3:-drop}")
}

# Both directions, between each of the others and each of the first: all, or what WHAT says.
cut_off() {
	local what=$1 how=$2 a b
	shift 2
	for a in "$@"; do
		for ((b = 1; b <= size; b++)); do
			[[ " $* " == *" $b "* ]] && continue
			net_cut "$a" "$b" "$how" "$what"
			net_cut "$b" "$a" "$how" "$what"
		done
	done
}

# All at once.
net_apply() {
	{
		echo 'flush ruleset'
		echo 'table ip cut {'
		echo 'chain forward {'
		echo 'type filter hook forward priority 0'
		printf '%s\n' "${rules[@]}" '}' '}'
	} | at r nft -f - || ok 1 "  the rules are what nft takes"
}

# `unable`: members whose mounts nobody serves, for nemesis.sh.
net_heal() {
	rules=()
	unable=()
	net_apply
}

# --- members and mounts ---

# Without another process in between; WHO's disk and clock are as $T/WHO.shim says.
in_space() {
	local id=$1 who=$2
	shift 2
	ZABFS_SHIM=$T/$who.shim LD_PRELOAD=$T/shim.so \
		exec nsenter --net="/run/netns/$spaces-$id" "$@" </dev/null 8>&- 9>&-
}

shim_set() {
	printf '%s%-30s\n' "$2" "${3:-0}" 1<>"$T/$1.shim"
}

members_start() {
	local id
	voters=$1
	size=$((voters + 1))
	net_start || { echo "# no network namespaces"; return 1; }
	members=('plaintext = true')
	for ((id = 1; id <= voters; id++)); do
		members+=("member $id { peer = \"10.77.$id.2:7400\" front = \"10.77.$id.2:7401\" }")
	done
	members+=("observer $size { peer = \"10.77.$size.2:7400\" front = \"10.77.$size.2:7401\" }")
	conf_write "tick = 100" "pass_interval = 1" "log_rows_min = $log_rows" "log_tree_percent = 0"
	for ((id = 1; id <= voters; id++)); do
		shim_set $id -
		member_start "$id" -I
	done
	shim_set $size -
	member_start $size
	wait_for 30 leads && wait_for 30 serves $size && return 0
	echo "# nobody leads, or the observer does not follow:"
	tail -n 5 "$T"/replica-*.log | sed 's/^/# /'
	return 1
}

# fs/lib.sh's, in the member's namespace.
member_start() {
	local id=$1
	shift
	mkdir -p "$T/$id/data"
	in_space "$id" "$id" "$build/zabfs-replica" -f "$T/zabfs.conf" -i "$id" -D "$T/$id/data" \
		-s "$T/$id/front.sock" -d "$@" >>"$T/replica-$id.log" 2>&1 &
	member_pid[$id]=$!
}

mount_launch() {
	local name=$1 id=$2 timeout_s=$3
	mkdir -p "$T/$name" 2>/dev/null # a dead mount is no directory
	shim_set "$name" -
	in_space "$id" "$name" "$build/zabfs-mountd" -f "$T/zabfs.conf" -d -s "$T/$id/front.sock" \
		-o "timeout=${timeout_s}s" "$T/$name" >>"$T/mount-$name.log" 2>&1 &
	mountd_pid[$name]=$!
	mounts+=("$name")
	node_of[$name]=$id
}

mounts_start() {
	local id name
	for id in "$@"; do
		mount_launch "long$id" "$id" $long_s
		long+=("long$id")
		mount_launch "brief$id" "$id" $brief_s
		brief+=("brief$id")
	done
	mount_launch "long$size" "$size" $long_s
	long+=("long$size")
	for name in "${mounts[@]}"; do
		wait_for 20 mounted "$T/$name" && continue
		echo "# $name is not mounted:"
		tail -n 5 "$T/mount-$name.log" | sed 's/^/# /'
		return 1
	done
}

# --- what hangs ---

# Every process that waits for a mount of ours then gets an error, and can end.
mounts_abort() {
	local device
	awk -v dir="$T/" 'index($5, dir) == 1 { print $3 }' /proc/self/mountinfo |
		while read -r device; do
			{ echo 1 >"$fuse_connections/${device#*:}/abort"; } 2>/dev/null
		done
}

# In uninterruptible sleep, of what this script has started.
hanging() {
	ps -eo stat=,pid=,ppid=,wchan:20=,args= | awk -v dir="$T/" -v me=$$ \
		'$1 ~ /^D/ && (index($0, dir) || $3 == me)'
}

nobody_hangs() {
	[ -z "$(hanging)" ]
}

# A `read` of what never comes: no process of its own is left behind.
watchdog_start() {
	[ -p "$T/never" ] || mkfifo "$T/never"
	(
		trap - EXIT
		read -rt "$1" <>"$T/never"
		{ echo "after $1 s:"; hanging; } >"$T/hung"
		go_on
		mounts_abort
	) 8>&- 9>&- &
	watchdog=$!
}

watchdog_stop() {
	[ -n "$watchdog" ] || return 0
	kill -KILL "$watchdog" 2>/dev/null
	wait "$watchdog" 2>/dev/null
	watchdog=
	[ ! -e "$T/hung" ] || verdict "the run comes to its end" "$(cat "$T/hung")"
}

# What is the cluster's own, before and after fs/lib.sh ends the rest. Who has more to end has
# these two functions and calls them.
cluster_end() {
	local pid
	watchdog_stop
	watchdog_start 120
	net_heal
	for pid in "${client_pid[@]}"; do
		kill -KILL "$pid" 2>/dev/null
	done
}

cluster_ended() {
	watchdog_stop
	net_stop
}

cleanup_first() {
	cluster_end
}

cleanup_last() {
	cluster_ended
}
