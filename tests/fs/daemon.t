#!/bin/bash
# The daemons in the background: who starts them waits until they are ready,
# and no longer; why a start failed stands on stderr.
. "$(dirname "$0")/lib.sh"

conf_write
mkdir "$T/data" "$T/A"

# The daemon of this test, whose parent has left: by the configuration that is its own.
daemon_pid() {
	# shellcheck disable=SC2154 # lib.sh sets it
	pgrep -f "$build/zabfs-$1 -f $T/zabfs.conf"
}

ended() {
	! daemon_pid "$1" >/dev/null
}

"$build/zabfs-replica" -f "$T/zabfs.conf" -i 1 -D "$T/data" >"$T/out" 2>&1
is "$?" 66 "no databases: EX_NOINPUT"
is "$(wc -l <"$T/out")" 1 "one line says why"
grep -q "^zabfs-replica: $T/data: no databases here" "$T/out"
ok $? "on stderr"

(ulimit -Sn 256 && exec timeout 20 "$build/zabfs-replica" -f "$T/zabfs.conf" -i 1 -D "$T/data" -I) >"$T/out" 2>&1
is "$?" 0 "the replica goes to the background"
replica_pid=$(daemon_pid replica)
[ "$(awk '/^Max open files/ { print $4 }' "/proc/$replica_pid/limits")" -gt 1024 ]
ok $? "it has descriptors for all the mounts that it lets in"
is "$(cat "$T/out")" "" "and says nothing"
[ -S "$T/front.sock" ]
ok $? "it is ready when the command returns"
timeout 20 "$build/zabfs-replica" -f "$T/zabfs.conf" -i 1 -D "$T/data" >"$T/out" 2>&1
is "$?" 75 "a second one on the same databases: EX_TEMPFAIL"

timeout 20 "$build/zabfs-mountd" -f "$T/zabfs.conf" "$T/A" >"$T/out" 2>&1
is "$?" 0 "the mount goes to the background"
# shellcheck disable=SC2034 # lib.sh ends what stands there
mountd_pid[A]=$(daemon_pid mountd)
for daemon in replica mountd fsd; do
	pid=$(daemon_pid $daemon)
	is "$(readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" "/proc/$pid/fd/2" | sort -u)" /dev/null "$daemon keeps nobody's output"
done
echo v >"$T/A/f"
is "$(cat "$T/A/f")" v "it answers when the command returns"
umount "$T/A"
wait_for 10 ended mountd
ok $? "umount(8) ends it"

unset "mountd_pid[A]"
kill "$replica_pid"
wait_for 10 ended replica
ok $? "SIGTERM ends the replica"
timeout 20 "$build/zabfs-mountd" -f "$T/zabfs.conf" -o timeout=200ms "$T/A" >"$T/out" 2>&1
is "$?" 69 "a mount without a replica: EX_UNAVAILABLE"
grep -q 'no replica answers at the socket of .* within the session timeout' "$T/out"
ok $? "and why"
! mountpoint -q "$T/A"
ok $? "nothing is left mounted"

done_testing
