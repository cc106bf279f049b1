#!/bin/bash
# A mount that no process uses can be unmounted at once, whatever becomes of the replica and
# however much the echo has to tell.
. "$(dirname "$0")/lib.sh"

# The system call alone: 0, or the errno's name.
cat >"$T/umount.py" <<'END'
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
print(errno.errorcode[ctypes.get_errno()] if libc.umount2(sys.argv[1].encode(), 0) else 0)
END
changes() {
	local i
	for i in $(seq 1000); do
		mkdir "$T/A/d/n$i" && mv "$T/A/d/n$i" "$T/A/d/sub/" || return
	done
}
many_told() {
	[ "$(wc -l <"$T/told")" -gt 20 ]
}
# Both mounts, a watcher on one, and what the other changes in the middle of being told.
begin() {
	mount_start A && mount_start B "$@" || return
	rm -rf "$T/A/d"
	mkdir -p "$T/A/d/sub" && watch_start "$T/B" "$T/told" -r || return
	changes 2>/dev/null &
	writer=$!
	wait_for 20 many_told
}
gone() {
	# shellcheck disable=SC2154 # lib.sh has it
	wait "${mountd_pid[$1]}"
	unset "mountd_pid[$1]"
}
end() {
	kill "$writer" 2>/dev/null
	wait "$writer" 2>/dev/null
	mount_stop A
}

node_start || exit 1
for what in running away restarted standing standing; do
	begin
	ok $? "the replica $what: changes are told"
	case $what in
	away) replica_kill9 ;;
	restarted)
		replica_kill9
		replica_start
		replica_restart
		;;
	standing) kill -STOP "$replica_pid" ;;
	esac
	watch_stop
	is "$(python3 "$T/umount.py" "$T/B")" 0 "  and yet the mount is not busy"
	[ $what != standing ] || kill -CONT "$replica_pid"
	[ -n "$replica_pid" ] || replica_start
	gone B
	ok $? "  its daemons end"
	end
done

# umount(8) asks for the free space first; with the session's deadline its state changes, which
# is told, too.
begin -o timeout=60s
replica_kill9
watch_stop
passed=$(grep -c "deadline has passed" "$T/mount-B.log")
umount "$T/B"
is $? 0 "umount(8) does not wait for a replica that is away"
is "$(grep -c "deadline has passed" "$T/mount-B.log")" "$passed" "  not even until the session's deadline"
gone B
replica_start
end

# What the shell has open, a daemon that it starts doesn't keep.
mount_start A || exit 1
echo v >"$T/A/f"
mkdir "$T/C"
exec 9<"$T/A/f"
# shellcheck disable=SC2154 # lib.sh sets it
"$build/zabfs-mountd" -f "$T/zabfs.conf" "$T/C"
ok $? "a daemon goes to the background, a file on another mount open"
exec 9<&-
is "$(python3 "$T/umount.py" "$T/A")" 0 "  and does not keep it"
gone A
is "$(python3 "$T/umount.py" "$T/C")" 0 "  nor is its own mount busy"

# What is beneath the mount point is nobody's business: an unmounted file system that is still in
# use is told of changes, and they don't happen there.
mount_start A && mount_start B || exit 1
exec 8<"$T/B"
umount -l "$T/B"
mkdir "$T/A/beneath"
[ -d "/proc/$$/fd/8/beneath" ]
ok $? "an unmounted file system is still told of changes"
! wait_for 1 test -e "$T/B/beneath"
ok $? "  and they are not made beneath the mount point"
exec 8<&-
gone B
mount_stop A

done_testing
