#!/bin/bash
# The replica is gone, or stands still: what waits, what fails, with which
# errno, and that every process can be killed.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A -o timeout=1s && mount_start S -o timeout=1s,stale && mount_start L -o timeout=60s || exit 1
cd "$T" || exit 1

state_is() {
	[ "$(awk '$1 == "state" { print $2 }' "$1/.zab/session" 2>/dev/null)" = "$2" ]
}

mkdir A/d
echo value >A/d/f
echo x >A/d/.zab/ephemeral/e
watch_start S/d events
exec 9>A/d/.zab/held/h
exec 8<A/d/f
exec 7>A/d/g
wait_for 5 grep -q 'CREATE g' events
watch_stop
cat A/d/f S/d/f L/d/f >/dev/null
stat A/d S/d S/d/f >/dev/null

# Gone for less than the timeout: calls wait and complete.
watch_start A/.zab events2 -e modify --format %f
states() {
	[ "$(grep -c '^session$' events2)" -ge "$1" ]
}
replica_end KILL
(errno_of 'os.close(os.open("L/d/waited", os.O_CREAT | os.O_WRONLY))' >waited) &
waiter=$!
wait_for 10 state_is A suspended
ok $? "the session is suspended after its deadline"
wait_for 5 states 1
ok $? "whoever watches .zab/session is told"
suspended=$(grep -c '^session$' events2)
is "$(errno_of 'os.stat("A/d/f")')" EHOSTUNREACH "then not even a cached stat is answered"
is "$(errno_of 'open("A/d/f").read()')" EHOSTUNREACH "nor a read"
is "$(errno_of 'os.listdir("A/d")')" EHOSTUNREACH "nor a listing"
is "$(errno_of 'os.mkdir("A/n")')" EHOSTUNREACH "a write that was never sent certainly did not happen"
is "$(errno_of 'os.fsync(8)')" EHOSTUNREACH "fsync"
is "$(timeout 5 cat S/d/f)" value "with -o stale reads go on from what is known"
grep -q '^stale' S/.zab/session
ok $? "and the session says so"
is "$(errno_of 'os.mkdir("S/n")')" EHOSTUNREACH "writes don't"

# A process that waits can be interrupted and killed.
timeout -s INT 0.3 mkdir L/interrupted
[ $? -eq 124 ]
ok $? "a waiting process ends with ^C"
timeout -s KILL 0.3 touch L/killed
[ $? -eq 137 ]
ok $? "and with SIGKILL"
is "$(ps -eo stat,args | grep -c '^D.* L/')" 0 "nobody is left in D"
# A signal that the program handles: EINTR, but only after a second.
cat >interrupted.py <<'END'
import ctypes, errno, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGALRM, lambda *args: None)
signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
start = time.monotonic()
result = libc.mkdir(b"L/interrupted2", 0o755)
print(result, errno.errorcode.get(ctypes.get_errno()), time.monotonic() - start > 0.9)
END
is "$(timeout 20 python3 interrupted.py)" "-1 EINTR True" "a handled signal ends what has waited for a second, with EINTR"
kill -0 $waiter
ok $? "another one still waits"

replica_start
wait $waiter
is "$(cat waited)" none "a call that waited completes when the replica is back"
wait_for 10 state_is A connected
ok $? "the session is connected again"
wait_for 5 states $((suspended + 1))
ok $? "which is told, too"
watch_stop
is "$(cat A/d/f)" value "reads go on"
[ ! -e L/interrupted ] && [ ! -e L/interrupted2 ] && [ ! -e A/n ]
ok $? "what failed did not happen"
is "$(cat A/d/e)" x "a restarted replica gives every session a full timeout"

# It stands still: a request that was sent has no certain outcome. The writer itself
# stops it: one that came later, when the silence has been noticed, would not be sent.
# shellcheck disable=SC2154 # from lib.sh
is "$(errno_of "os.kill($replica_pid, 19); os.write(7, b'unknown')")" ETIMEDOUT "a write that was sent and not answered"
kill -CONT "$replica_pid"
wait_for 10 state_is A connected
ok $? "it goes on when the replica does"

# The mount stands still for longer than its timeout: its session expires.
exec 9>&-
exec 9>A/d/.zab/held/h2
echo mine >&9
session=$(grep ^id A/.zab/session)
echo old >A/d/kept
echo old >A/d/moved
cat A/d/kept A/d/moved >/dev/null
fsd=$(fsd_pid A)
kill -STOP "$fsd"
gone() {
	[ ! -e "$1" ]
}
wait_for 10 gone L/d/h2
ok $? "others see the held node of a stopped mount gone"
[ ! -e L/d/e ]
ok $? "and its ephemeral"
# Between two sessions nobody tells the mount anything.
echo new >L/d/kept
mv L/d/moved L/d/elsewhere
kill -CONT "$fsd"
wait_for 10 state_is A connected
is "$(cat A/d/kept)" new "what was changed in between is not read from a cache"
is "$(stat -c %s A/d/kept)" 4 "nor its attributes"
[ ! -e A/d/moved ]
ok $? "nor is a name that now leads elsewhere"
is "$(cat A/d/elsewhere)" old "and what was moved is found where it is"
is "$(errno_of 'os.write(9, b"late")')" ESTALE "its descriptor answers ESTALE"
[ "$(grep ^id A/.zab/session)" != "$session" ]
ok $? "the mount has a new session"
echo again >A/d/f
is "$(cat L/d/f)" again "path operations use it"
exec 9>&- 8<&- 7>&-
[ "$(ls L/d)" = "$(ls A/d)" ]
ok $? "both mounts agree"

cd /
done_testing
