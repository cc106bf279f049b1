# shellcheck shell=bash
# The harness of the cluster tests, on top of fs/lib.sh: each member in a network
# namespace of its own behind a router whose rules cut them off from each other,
# each with a small disk of its own; clients on the mounts that work all the time
# and write down what they are told (client.h); faults, counted; the verdict of
# verify.c. Sourced by tests/cluster/*.t.
#
#   cluster_start N [CONF-LINE…]  namespaces, disks, members 1 to N
#   cluster_mount NAME ID [mountd options…]   a mount of member ID's node at $T/NAME
#   clients_start                 one on each mount, working
#   net_cut A B [VERDICT]; net_apply; net_heal    packets from A to B
#   fault TEXT                    before each: enough must be going on
#   goes_on COUNT NAME…           each acknowledges so many more
#   cluster_verify                ends the clients, and checks everything
#
# SEED=n repeats a run's schedule; PACE=us the clients' mean pause.
. "$(dirname "${BASH_SOURCE[0]}")/../fs/lib.sh"

SEED=${SEED:-$((RANDOM << 15 | RANDOM))}
RANDOM=$SEED
PACE=${PACE:-12000}
H=$T/histories
spaces=zabfs-$$
size=0
rules=()
mounts=()
faults=0
declare -A client_pid node_of
echo "# SEED=$SEED"

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

# What goes from A to B: nothing at all, or VERDICT, as nft(8) has it.
net_cut() {
	rules+=("ip saddr 10.77.$1.2 ip daddr 10.77.$2.2 ${3:-drop}")
}

# All at once.
net_apply() {
	{
		echo 'flush ruleset'
		echo 'table ip cut {'
		echo 'chain forward {'
		echo 'type filter hook forward priority 0'
		printf '%s\n' "${rules[@]}" '}' '}'
	} | at r nft -f -
}

net_heal() {
	rules=()
	net_apply
}

# --- members ---

cluster_start() {
	local id
	size=$1
	shift
	net_start || { echo "# no network namespaces"; return 1; }
	members=('plaintext = true')
	for ((id = 1; id <= size; id++)); do
		members+=("member $id { peer = \"10.77.$id.2:7400\" front = \"10.77.$id.2:7401\" }")
	done
	conf_write "$@"
	mkdir "$H"
	for ((id = 1; id <= size; id++)); do
		member_disk $id &
	done
	wait
	for ((id = 1; id <= size; id++)); do
		member_start "$id" -I
	done
	wait_for 30 leads && return 0
	echo "# nobody leads:"
	tail -n 5 "$T"/replica-*.log | sed 's/^/# /'
	return 1
}

# Small enough to be filled; where there is no loop device, in memory.
member_disk() {
	mkdir -p "$T/$1/disk"
	truncate -s 64M "$T/$1/disk.img"
	mkfs.ext4 -q -m 0 "$T/$1/disk.img" && mount -o loop "$T/$1/disk.img" "$T/$1/disk" 2>/dev/null ||
		mount -t tmpfs -o size=64M none "$T/$1/disk"
	mkdir "$T/$1/disk/data"
}

# fs/lib.sh's, in the member's namespace. What is in `wrap` goes before the program.
wrap=()
member_start() {
	local id=$1
	shift
	nsenter --net="/run/netns/$spaces-$id" "${wrap[@]}" \
		"$build/zabfs-replica" -f "$T/zabfs.conf" -i "$id" -D "$T/$id/disk/data" -s "$T/$id/front.sock" -d "$@" \
		>>"$T/replica-$id.log" 2>&1 </dev/null 8>&- 9>&- &
	member_pid[$id]=$!
}

cluster_mount() {
	local name=$1 id=$2
	shift 2
	mkdir -p "$T/$name"
	nsenter --net="/run/netns/$spaces-$id" "$build/zabfs-mountd" -f "$T/zabfs.conf" -d \
		-s "$T/$id/front.sock" "$@" "$T/$name" >>"$T/mount-$name.log" 2>&1 </dev/null 8>&- 9>&- &
	mountd_pid[$name]=$!
	mounts+=("$name")
	node_of[$name]=$id
	wait_for 20 mounted "$T/$name" && return 0
	echo "# $name is not mounted:"
	tail -n 5 "$T/mount-$name.log" | sed 's/^/# /'
	return 1
}

# --- clients ---

# What all of them work on: made once, before they start.
tree_make() {
	local top=$T/${mounts[0]} i
	mkdir "$top"/{reg,tmp,names,log,eph,lock} || return 1
	for i in 0 1 2 3; do
		printf 'initial.................' >"$top/reg/$i" || return 1
	done
	for i in "${mounts[@]}"; do
		sync "$T/$i" || return 1
	done
}

clients_are() {
	local name
	for name in "${mounts[@]}"; do
		[ -e "$H/$name.$1" ] || return 1
	done
}

clients_start() {
	local name
	tree_make || return 1
	for name in "${mounts[@]}"; do
		"$build/tests/cluster-client" work "$name" "$T/$name" "$H" "$SEED" "$PACE" \
			>>"$T/client-$name.log" 2>&1 </dev/null 8>&- 9>&- &
		client_pid[$name]=$!
	done
	wait_for 20 clients_are ready
}

# Into REPLY, without a process: what the mounts' clients have acknowledged altogether.
acknowledged() {
	local name number
	REPLY=0
	for name in "$@"; do
		read -r number <"$H/$name.progress" || number=0
		REPLY=$((REPLY + 10#$number))
	done
}

acknowledged_upto() {
	local goal=$1
	shift
	acknowledged "$@"
	[ "$REPLY" -ge "$goal" ]
}

# So many more, together.
flows() {
	local count=$1
	shift
	acknowledged "$@"
	wait_for 30 acknowledged_upto $((REPLY + count)) "$@"
}

each_upto() {
	local name
	for name in "${!goal[@]}"; do
		acknowledged_upto "${goal[$name]}" "$name" || return 1
	done
}

# So many more, each.
goes_on() {
	local count=$1 name
	local -A goal=()
	shift
	for name in "$@"; do
		acknowledged "$name"
		goal[$name]=$((REPLY + count))
	done
	wait_for 60 each_upto && return 0
	for name in "$@"; do
		acknowledged_upto "${goal[$name]}" "$name" || echo "# $name does not go on"
	done
	return 1
}

# --- faults ---

uptime() {
	local up
	read -r up _ </proc/uptime
	REPLY=$up
}

# An idle cluster proves nothing: something has to be going on when it strikes.
fault() {
	local why=
	flows $((40 + RANDOM % 40)) "${mounts[@]}" || why="nothing is going on before: $*"
	verdict "$why" "$why"
	faults=$((faults + 1))
	uptime
	echo "$REPLY $faults $*" >>"$T/faults"
}

# --- the end ---

clients_stop() {
	local name
	for name in "${mounts[@]}"; do
		kill "${client_pid[$name]}"
	done
	wait_for 60 clients_are stopped || return 1
	timeout 60 "$build/tests/cluster-client" finish "$1" "$T/$1" "$H" || return 1
	for name in "${mounts[@]}"; do
		wait_for 70 process_gone "${client_pid[$name]}" || return 1
		wait "${client_pid[$name]}" || return 1
	done
}

cluster_dump() {
	timeout 60 sync "$T/$1" && timeout 120 "$build/tests/cluster-client" dump "$T/$1" >"$T/dump-$1"
}

# Everything is healed by now.
cluster_verify() {
	local name first=${mounts[0]}
	clients_stop "$first"
	ok $? "every client ends, every watcher has seen the end"
	for name in "${mounts[@]}"; do
		cluster_dump "$name"
		ok $? "all of $name is read"
		cmp "$T/dump-$first" "$T/dump-$name" 2>&1 | sed 's/^/# /'
		ok "${PIPESTATUS[0]}" "  and is what $first shows"
	done
	sort -n "$H"/*.history >"$T/history"
	"$build/tests/cluster-verify" "$T/dump-$first" "$T/history" | sed 's/^/# /'
	ok "${PIPESTATUS[0]}" "the histories are right"
	acknowledged "${mounts[@]}"
	echo "# $faults faults, $REPLY changes acknowledged, $(wc -l <"$T/history") calls"
}

# fs/lib.sh's, and what is the cluster's own.
cleanup_first() {
	local pid
	net_heal
	for pid in "${client_pid[@]}"; do
		kill -KILL "$pid" 2>/dev/null
	done
}

cleanup_last() {
	local id
	for ((id = 1; id <= size; id++)); do
		umount -q "$T/$id/disk" 2>/dev/null
	done
	net_stop
}
