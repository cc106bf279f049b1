# shellcheck shell=bash
# The harness of the tests on real mounts: each script has a node, or several,
# of its own in a folder of its own, so that they run side by side, and leaves nothing
# behind, also when it fails. Sourced by tests/fs/*.t; output is TAP. What a
# script holds open as descriptors 8 and 9 the daemons don't inherit.
#
#   node_start [CONF-LINE…]   configuration, replica
#   node_stop | replica_kill9 | replica_restart | replica_start, or replica_launch, then replica_leads
#   ensemble_start N [CONF-LINE…]           members 1 to N, each a node: data $T/ID/data, log $T/replica-ID.log
#   member_start ID [-I] | member_end ID SIGNAL | member_signal ID SIGNAL
#   leader; leads [BUT-ID]; serves ID; member_mount ID [mountd options…]   mounts at $T/mID
#   disk_start MEGABYTES                    a small disk of its own for the data, before node_start
#   mount_start NAME [mountd options…]      mounts at $T/NAME
#   mount_stop NAME | mount_kill9 NAME; fsd_pid NAME
#   errno_of PYTHON                         the name of the errno that it ends with, or none
#   wait_for SECONDS COMMAND…               polls; false after the deadline
#   wait_ms MILLISECONDS COMMAND…           likewise
#   watch_start DIR FILE [inotifywait args] and watch_events FILE
#   ok COMMAND-STATUS TEXT, is GOT WANTED TEXT, done_testing
#   allow_error PATTERN                     error lines that the test provokes
set -u
[ "$EUID" -eq 0 ] || { echo "Bail out!  the tests on mounts need root"; exit 1; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${ZABFS_BUILD:-$here/build}
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

# The switches of mounts that hang, and what they wait for, are where systemd would have them. (Of
# scripts that begin at once one mounts it.)
fuse_connections=/sys/fs/fuse/connections
[ -d $fuse_connections ] || modprobe fuse
mountpoint -q $fuse_connections || mount -t fusectl none $fuse_connections 2>/dev/null ||
	mountpoint -q $fuse_connections || { echo "Bail out!  no fusectl at $fuse_connections"; exit 1; }

T=$(mktemp -d "${TMPDIR:-/tmp}/zabfs-test.XXXXXX")
declare -A mountd_pid member_pid
watch_pids=()
allowed=()
replica_pid=
members=('member 1 { peer = "127.0.0.1:1" }')
count=0
failed=0

ok() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
		return 0
	fi
	failed=$((failed + 1))
	echo "not ok $count - $2"
	return 1
}

is() {
	local status=0
	[ "$1" = "$2" ] || status=1
	ok $status "$3" && return 0
	printf '%s\n' "got:" "$1" "wanted:" "$2" | sed 's/^/# /'
	return 1
}

allow_error() {
	allowed+=("$1")
}

wait_for() {
	local ms=$(($1 * 1000))
	shift
	wait_ms $ms "$@"
}

wait_ms() {
	local deadline
	deadline=$(($(date +%s%3N) + $1))
	shift
	until "$@"; do
		[ "$(date +%s%3N)" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

# The shell's messages would hide it.
errno_of() {
	timeout 100 python3 -c '
import errno, os, sys
try:
    exec(sys.argv[1])
    print("none")
except OSError as e:
    print(errno.errorcode[e.errno])
' "$1"
}

conf_write() {
	cat >"$T/zabfs.conf" <<END
cluster = "test"
socket = "$T/front.sock"
session_timeout_min = 200
END
	printf '%s\n' "${members[@]}" "$@" >>"$T/zabfs.conf"
}

# Where there is no loop device, the data lies in memory.
disk_start() {
	mkdir "$T/data"
	truncate -s "$1M" "$T/disk.img"
	mkfs.ext4 -q -m 0 "$T/disk.img" && mount -o loop "$T/disk.img" "$T/data" 2>/dev/null && return 0
	echo "# no loop device: tmpfs"
	mount -t tmpfs -o "size=$1M" none "$T/data"
}

replica_launch() {
	local found=()
	[ -e "$T/data/log.db" ] || found=(-I)
	mkdir -p "$T/data"
	"$build/zabfs-replica" -f "$T/zabfs.conf" -i 1 -D "$T/data" -d "${found[@]}" \
		>>"$T/replica.log" 2>&1 </dev/null 8>&- 9>&- &
	replica_pid=$!
}

replica_start() {
	replica_launch
	replica_leads
}

# Its last line of this kind is younger than its start.
replica_leads() {
	wait_for 30 grep -qs "zabfs-replica\[$replica_pid\] info: leading" "$T/replica.log" && return 0
	echo "# the replica does not lead:"
	tail -n 5 "$T/replica.log" | sed 's/^/# /'
	return 1
}

node_start() {
	conf_write "$@"
	replica_start
}

# Loopback addresses that no other script has; the ports are none that the kernel gives away.
ensemble_start() {
	local id n=$1 net="127.$((1 + $$ / 256 % 254)).$(($$ % 256))"
	shift
	members=()
	for ((id = 1; id <= n; id++)); do
		members+=("member $id { peer = \"$net.$id:7400\" front = \"$net.$id:7401\" http = \"$net.$id:7402\" }")
	done
	conf_write "$@"
	for ((id = 1; id <= n; id++)); do
		member_start "$id" -I
	done
	# All: a mount whose own member does not serve yet goes to another one.
	wait_for 30 all_serve "$n" && return 0
	echo "# not all of them serve:"
	tail -n 5 "$T"/replica-*.log | sed 's/^/# /'
	return 1
}

# Does not wait for anything.
member_start() {
	local id=$1
	shift
	mkdir -p "$T/$id/data"
	"$build/zabfs-replica" -f "$T/zabfs.conf" -i "$id" -D "$T/$id/data" -s "$T/$id/front.sock" -d "$@" \
		>>"$T/replica-$id.log" 2>&1 </dev/null 8>&- 9>&- &
	member_pid[$id]=$!
}

member_signal() {
	kill "-$2" "${member_pid[$1]}"
}

member_end() {
	[ -n "${member_pid[$1]:-}" ] || return 0
	kill "-$2" "${member_pid[$1]}" 2>/dev/null
	wait "${member_pid[$1]}" 2>/dev/null
	unset "member_pid[$1]"
}

# The last role that its present process has logged: leading, following or looking.
member_role() {
	[ -n "${member_pid[$1]:-}" ] || return 0
	sed -nE "s/.*zabfs-replica\\[${member_pid[$1]}\\] info: (leading|following|looking) .*/\\1/p" \
		"$T/replica-$1.log" | tail -n 1
}

# The leader's id. One that stands still may think so, too: the greatest epoch counts.
leader() {
	local id epoch best=0 who=
	for id in "${!member_pid[@]}"; do
		[ "$(member_role "$id")" = leading ] || continue
		epoch=$(sed -nE "s/.* info: leading epoch=([0-9]+) .*/\\1/p" "$T/replica-$id.log" | tail -n 1)
		[ "$epoch" -gt "$best" ] || continue
		best=$epoch
		who=$id
	done
	echo "$who"
}

# Somebody, and not that one.
leads() {
	local who
	who=$(leader)
	[ -n "$who" ] && [ "$who" != "${1:-}" ]
}

serves() {
	[[ $(member_role "$1") =~ ^(leading|following)$ ]]
}

# Members 1 to N.
all_serve() {
	local id
	for ((id = 1; id <= $1; id++)); do
		serves "$id" || return 1
	done
}

member_mount() {
	local id=$1
	shift
	mount_start "m$id" -s "$T/$id/front.sock" "$@"
}

process_gone() {
	! kill -0 "$1" 2>/dev/null
}

replica_end() {
	[ -n "$replica_pid" ] || return 0
	kill "-$1" "$replica_pid" 2>/dev/null
	wait "$replica_pid" 2>/dev/null
	replica_pid=
}

replica_kill9() {
	replica_end KILL
}

node_stop() {
	replica_end TERM
}

replica_restart() {
	node_stop
	replica_start
}

mounted() {
	timeout 5 cat "$1/.zab/session" >/dev/null 2>&1
}

mount_start() {
	local name=$1
	shift
	timeout 5 mkdir -p "$T/$name" 2>/dev/null # a dead mount is no directory, and may answer nobody
	"$build/zabfs-mountd" -f "$T/zabfs.conf" -d "$@" "$T/$name" >>"$T/mount-$name.log" 2>&1 </dev/null 8>&- 9>&- &
	mountd_pid[$name]=$!
	wait_for 20 mounted "$T/$name" && return 0
	echo "# $name is not mounted:"
	tail -n 5 "$T/mount-$name.log" | sed 's/^/# /'
	return 1
}

# The last one: of one that was killed a thread may hang until it is answered.
fsd_pid() {
	pgrep -n -P "${mountd_pid[$1]}" -x zabfs-fsd
}

# kill -9 of mountd and fsd: the mount point stays, dead. An fsd that sees mountd go before it goes
# itself would close its session, and a mountd that sees fsd go would start another.
mount_kill9() {
	local fsd
	fsd=$(fsd_pid "$1")
	kill -STOP "${mountd_pid[$1]}"
	kill -9 "$fsd"
	kill -9 "${mountd_pid[$1]}"
	wait "${mountd_pid[$1]}" 2>/dev/null
	# While it ends a call is aborted, afterwards not connected.
	wait_for 10 process_gone "$fsd"
	unset "mountd_pid[$1]"
}

mount_stop() {
	local pid=${mountd_pid[$1]:-}
	[ -n "$pid" ] || return 0
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	unset "mountd_pid[$1]"
}

# Returns when inotifywait is watching.
watch_start() {
	local dir=$1 file=$2
	shift 2
	inotifywait -m "$@" "$dir" >"$file" 2>"$file.err" 8>&- 9>&- &
	watch_pids+=($!)
	wait_for 60 grep -q 'Watches established' "$file.err"
}

watch_events() {
	cat "$1"
}

watch_stop() {
	local pid
	for pid in "${watch_pids[@]}"; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	watch_pids=()
}

# Error lines and sanitizer reports that nobody announced.
bad_lines() {
	local pattern lines
	lines=$(cat "$T"/*.log 2>/dev/null | grep -aE '\] error:|ERROR: [A-Za-z]*Sanitizer|runtime error:')
	for pattern in "${allowed[@]}"; do
		lines=$(grep -vE -e "$pattern" <<<"$lines")
	done
	printf '%s' "$lines"
}

# SHELL…: who works in the folder, but for the script itself and these.
stragglers() {
	(
		cd / || exit
		find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' \( -lname "$T" -o -lname "$T/*" \) 2>/dev/null |
			cut -d/ -f3 | grep -vxF "$(printf '%s\n' "$$" "$@")"
	)
}
# All that the script has begun ends with what it worked on.
all_gone() {
	[ -z "$(stragglers "$1" "$BASHPID")" ]
}

# What of this script's is still there when everything has ended. A dead mount is no directory:
# the table tells.
left_behind() {
	local dir device pid me=$BASHPID
	while read -r device dir; do
		echo "a mount: $dir"
		{ echo 1 >"$fuse_connections/${device#*:}/abort"; } 2>/dev/null
		umount -l "$dir" 2>/dev/null
	done < <(awk -v dir="$T/" 'index($5, dir) == 1 { print $3, $5 }' /proc/self/mountinfo)
	wait_for 5 all_gone "$me"
	for pid in $(pgrep -f "zabfs-[a-z]* .*$T/" | grep -vx "$$") $(pgrep -P $$ -r D) \
		$(stragglers "$me" "$BASHPID"); do
		echo "a process: $(ps -o pid=,stat=,args= -p "$pid")"
		kill -KILL "$pid" 2>/dev/null
	done
}

# A result that is no test's of the script's own: fails if there is anything to show.
verdict() {
	[ -n "$2" ] || return 0
	failed=$((failed + 1))
	count=$((count + 1))
	echo "not ok $count - $1"
	printf '%s\n' "$2" | head -n 20 | sed 's/^/# /'
}

# What a script has stopped can't end.
go_on() {
	local name
	[ -z "$replica_pid" ] || kill -CONT "$replica_pid" 2>/dev/null
	for name in "${!member_pid[@]}"; do
		member_signal "$name" CONT 2>/dev/null
	done
	for name in "${!mountd_pid[@]}"; do
		kill -CONT "${mountd_pid[$name]}" 2>/dev/null
		pkill -CONT -P "${mountd_pid[$name]}"
	done
}

# For who has more to end than this file knows of: before the mounts end, and after the daemons.
cleanup_first() {
	:
}
cleanup_last() {
	:
}

cleanup_done=
cleanup() {
	local name pid
	[ -z "$cleanup_done" ] || return 0
	cleanup_done=1
	go_on
	cleanup_first
	watch_stop
	for name in "${!mountd_pid[@]}"; do
		mount_stop "$name"
	done
	replica_end TERM
	for name in "${!member_pid[@]}"; do
		member_end "$name" TERM
	done
	umount -q "$T/data" 2>/dev/null
	cleanup_last
	for pid in $(jobs -p); do
		kill -KILL "$pid" 2>/dev/null
	done
	verdict "nothing is left behind" "$(left_behind)"
	wait 2>/dev/null
	verdict "no error line in a daemon's log" "$(bad_lines)"
	if [ "$failed" -ne 0 ] && [ -n "${KEEP:-}" ]; then
		echo "# kept: $T"
	else
		rm -rf --one-file-system "$T"
	fi
}

# Ends the script: the plan, and the status that prove reads.
done_testing() {
	cleanup
	echo "1..$count"
	[ "$failed" -eq 0 ]
	exit
}

on_exit() {
	local status=$?
	cleanup
	exit "$status"
}
trap on_exit EXIT
trap 'exit 1' INT TERM
