#!/bin/bash
# The harness itself: a script that fails, dies or is interrupted, whatever it
# has stopped or left hanging, leaves no mount, no process and no folder.
. "$(dirname "$0")/lib.sh"
unset KEEP # the scripts here are to leave nothing, also when this one is asked to

# shellcheck disable=SC2154 # lib.sh sets it
cat >"$T/begin.sh" <<END
. "$here/tests/fs/lib.sh"
echo "\$T" >"$T/folder"
node_start && mount_start A || exit 1
echo value >"\$T/A/f"
END

# LINES: runs a script of them, its output in `out`, its status in `status`.
script() {
	rm -f "$T/folder"
	{
		cat "$T/begin.sh"
		printf '%s\n' "$@"
	} >"$T/script"
	timeout -k 5 60 bash "$T/script" >"$T/out" 2>&1 </dev/null
	status=$?
}

# STATUS TEXT
clean() {
	local folder
	folder=$(cat "$T/folder")
	is "$status" "$1" "$2: status $1"
	[ -n "$folder" ] && [ ! -e "$folder" ]
	ok $? "  its folder is gone"
	is "$(grep -c "$folder" /proc/self/mountinfo)" 0 "  no mount"
	is "$(pgrep -af "$folder")" "" "  no process"
	is "$(ps -eo stat,args | grep "^D.*$folder")" "" "  nobody hangs"
}

script 'is 1 1 fine' done_testing
clean 0 "a script that passes"
is "$(grep -v '^#' "$T/out" | paste -sd' ')" "ok 1 - fine 1..1" "  says so"

script 'is 1 2 wrong' done_testing
clean 1 "a script with a test that fails"

script 'exit 3'
clean 3 "a script that gives up"

script 'cd "$T/A"; unset nothing; echo $nothing'
clean 1 "a script that dies of a mistake in its mount"

script 'kill -STOP "$(fsd_pid A)"; cat "$T/A/f" & wait_for 5 grep -qs "State:.D" /proc/$!/status; exit 1'
clean 1 "fsd stands still and somebody hangs"

script 'kill -STOP "$replica_pid"; (echo x >"$T/A/f") & exit 1'
clean 1 "the replica stands still"

script 'kill -STOP "${mountd_pid[A]}"; exit 1'
clean 1 "mountd stands still"

script 'kill -9 "${mountd_pid[A]}"; kill -STOP "$(pgrep -f "zabfs-fsd.*$T/")"; done_testing'
clean 1 "a daemon that nobody waits for"
grep -q '^not ok 1 - nothing is left behind' "$T/out"
ok $? "  fails its test"

script 'mount_kill9 A; done_testing'
clean 1 "a mount that is left"
grep -q '^not ok 1 - nothing is left behind' "$T/out"
ok $? "  fails its test"

script 'cd "$T"; (setsid sleep 1000 & echo $! >"'"$T"'/left"); done_testing'
clean 1 "a process that works in the folder"
grep -q '^not ok 1 - nothing is left behind' "$T/out"
ok $? "  fails its test"
left=$(cat "$T/left")
[ -n "$left" ] && wait_for 5 process_gone "$left"
ok $? "  and is killed"

script 'kill -TERM $$; wait_for 5 false'
clean 1 "a script that is told to end"

script 'echo "2026-01-01T00:00:00.000Z zabfs-fsd[1] error: something" >>"$T/mount-A.log"; done_testing'
clean 1 "an error line in a daemon's log"
grep -q "^not ok 1 - no error line in a daemon's log" "$T/out"
ok $? "  fails its test"

script 'echo "==1==ERROR: AddressSanitizer: heap-use-after-free" >>"$T/replica.log"; done_testing'
clean 1 "a sanitizer's report"

script 'allow_error something; echo "zabfs-fsd[1] error: something" >>"$T/mount-A.log"; done_testing'
clean 0 "one that was announced"

# Who can't mount is told before anything is made.
setpriv --reuid=65534 --regid=65534 --clear-groups bash <"$here/tests/fs/lib.sh" >"$T/out" 2>&1
is "$? $(cat "$T/out")" "1 Bail out!  the tests on mounts need root" "without root: a script ends"

is "$("$here/tests/run" tests/fs/harness.t tests/fs/none.t 2>&1 | cut -d : -f 1,2)" \
	"tests/run: tests/fs/none.t isn't there" "a test that isn't there: nothing is run"
"$here/tests/run" tests/fs/none.t 2>"$T/out"
is "$?" 66 "  and the run fails"

done_testing
