#!/bin/bash
# flock(2) among two mounts: exclusive and shared, waiting and at once, what becomes of a lock and
# of a place in the queue when its process is interrupted, killed, or loses its session.
# shellcheck disable=SC2034,SC2154 # flock.sh's
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/flock.sh"

node_start || exit 1
mount_start a -o timeout=30s || exit 1
mount_start b -o timeout=30s || exit 1
cd "$T" || exit 1
touch a/lock
echo 0 >a/n

free() {
	flock -n "$@" true
}

hold one a/lock
has one
ok $? "flock(1) runs a command with the lock"
flock -n b/lock true
is $? 1 "at once it is not to be had on another mount"
flock -n a/lock true
is $? 1 "nor on the same one"
is "$(errno_of 'import fcntl; f = open("b/lock"); fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)')" EAGAIN \
	"  which EWOULDBLOCK says"
flock -w 0.3 b/lock true
is $? 1 "who waits no longer than a while does not get it"
hold two b/lock
in_queue two
waits two b/n
ok $? "another one waits"
cat b/lock && echo x >b/other && [ "$(cat a/other)" = x ]
ok $? "  and nobody else waits for him"
let_go one
has two
ok $? "  until it is released"
let_go two
wait_for 20 free b/lock
ok $? "nobody has it any more: who left the queue is not in it"

hold s1 a/lock -s
hold s2 b/lock -s
has s1 && has s2
ok $? "two share it"
hold x1 a/lock
in_queue x1
flock -sn b/lock true
is $? 1 "behind one that wants it alone nobody shares it any more"
hold s3 b/lock -s
hold s4 a/lock -s
in_queue s3 && in_queue s4
let_go s1
waits x1 b/n
ok $? "the one that waits gets it when both"
let_go s2
has x1
ok $? "  have gone"
waits s3 b/n
ok $? "  and alone"
let_go x1
has s3 && has s4
ok $? "then those behind it share it"
let_go s3
let_go s4

# Processes on both mounts count in one file.
counter() {
	local i
	for ((i = 0; i < 25; i++)); do
		# shellcheck disable=SC2016
		flock "$1/lock" sh -c 'read -r n <"$1/n"; echo $((n + 1)) >"$1/n"' - "$1" || return
	done
}
pids=()
for mount in a b a b a b; do
	counter $mount &
	pids+=($!)
done
wait "${pids[@]}"
sync b/n
is "$(cat b/n)" 150 "six processes on two mounts count to 150"

hold dies a/lock
has dies
hold heir b/lock
in_queue heir
# Its child has the file, too.
mapfile -t pids < <(pgrep -P "${holder[dies]}")
kill -KILL "${holder[dies]}" "${pids[@]}"
has heir
ok $? "the lock of a process that is killed goes to the next"
hold killed a/lock
in_queue killed
hold last b/lock
in_queue last
kill -KILL "${holder[killed]}"
wait_for 5 process_gone "${holder[killed]}"
ok $? "who is killed while it waits is gone at once"
hold ended a/lock
in_queue ended
kill -TERM "${holder[ended]}"
wait_for 5 process_gone "${holder[ended]}"
ok $? "  who is ended likewise"
let_go heir
has last
ok $? "  and the one behind gets the lock"
let_go last

# Interrupted, and alive: the file stays open, nothing else happens on the mount.
hold first a/lock
has first
cat >patient.py <<'END'
import fcntl, os, signal, sys
def late(*_):
    raise TimeoutError
signal.signal(signal.SIGALRM, late)
files = [open("b/lock") for _ in range(3)]
for f in files:
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        fcntl.flock(f, fcntl.LOCK_EX)
    except TimeoutError:
        print("late", flush=True)
sys.stdin.readline()
END
mkfifo patience
python3 patient.py <patience >patient &
patient=$!
exec 7>patience
late_thrice() {
	[ "$(grep -c late patient)" = 3 ]
}
wait_for 20 late_thrice
let_go first
wait_for 20 free a/lock
ok $? "who was interrupted has left the queue, though its file is open, three times"
exec 7>&-
wait $patient

exec 8>a/lock
flock 8
flock -n 8
ok $? "who has it gets it again"
(
	flock -n 8
) 9>&-
ok $? "processes that share an open file share its lock"
flock -n a/lock true
is $? 1 "  another open file has not"
mkfifo go
sh -c 'read -r _ <go' &
child=$!
exec 8>&-
flock -n b/lock true
is $? 1 "it lives until the last of them has closed it"
echo >go
wait $child
wait_for 20 free b/lock
ok $? "  and no longer"

# Converted as Linux does: the old one goes first.
exec 8>a/lock
flock -s 8
hold also b/lock -s
has also
flock -xn 8
is $? 1 "a shared lock is not made exclusive while another has it"
let_go also
wait_for 20 free b/lock
ok $? "  and is lost by trying"
flock -s 8
hold wants b/lock
in_queue wants
timeout 10 flock -w 5 -x 8 &
upgrade=$!
has wants
ok $? "who has to wait for it lets others have it meanwhile"
let_go wants
wait $upgrade
ok $? "  and gets it then"
flock -u 8
free b/lock
ok $? "unlocked, it is free when the call returns"
exec 8>&-

hold gone a/lock
has gone
hold after b/lock
in_queue after
rm a/lock
waits after b/n
ok $? "a removed file stays locked"
let_go gone
has after
ok $? "  until it is released"
let_go after
touch a/lock

is "$(errno_of 'import fcntl; fcntl.flock(open("a/.zab/session"), fcntl.LOCK_EX)')" ENOTSUP \
	"what is below .zab is not locked"
is "$(errno_of 'import fcntl; fcntl.lockf(open("a/lock", "r+"), fcntl.LOCK_EX)')" ENOTSUP \
	"nor is a range of bytes"
exec 8>a/.zab/ephemeral/mine
flock 8 && ! flock -n b/mine true
ok $? "what was created through a modifier is"
exec 8>&-

# The replica's end is no lock's.
hold stays a/lock
has stays
hold stays2 b/lock
in_queue stays2
replica_kill9
replica_start
waits stays2 b/n
ok $? "a replica that is killed and comes back knows who has the lock"
flock -n b/lock true
is $? 1 "  and who has not"
let_go stays
has stays2
ok $? "  and who waits"
let_go stays2

# A session's end is its locks'.
mount_start c -o timeout=2s || exit 1
hold short c/lock
has short
hold long a/lock
in_queue long
mount_kill9 c
let_go short
has long
ok $? "a mount that dies loses its locks with its session"
let_go long
umount -l c
mount_start c -o timeout=2s || exit 1

exec 8<>c/lock
flock 8
hold next a/lock
in_queue next
kill -STOP "$(fsd_pid c)"
has next
ok $? "a front end that stands still loses them, too"
kill -CONT "$(fsd_pid c)"
is "$(errno_of 'os.write(8, b"late")')" ESTALE "  its descriptor is stale"
is "$(errno_of 'import fcntl; fcntl.flock(8, fcntl.LOCK_EX | fcntl.LOCK_NB)')" ESTALE "  it can't be locked again"
let_go next
is "$(errno_of 'import fcntl; fcntl.flock(8, fcntl.LOCK_UN)')" ESTALE "  before it is unlocked, which says so once more"
wait_for 20 flock -n 8
ok $? "  then it can"
exec 8>&-

done_testing
