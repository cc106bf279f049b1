#!/bin/bash
# Events where no file can be opened for writing as it is elsewhere: on a mount that is read-only, of
# a program that is being executed, of a file that somebody has a lease of.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B && mount_start R -o ro || exit 1
cd "$T" || exit 1
mkdir A/w
echo 1 >A/w/f
echo 1 >A/w/leased
cp /bin/sleep A/w/program

# told NAME: what MOUNT's watcher was told of it, but for its own looking.
told() {
	sed -n "s/ $2\$//p" "$1" | grep -v -e CLOSE_NOWRITE -e ACCESS | sed 's/,CLOSE//' | paste -sd' '
}
# changed FILE: a change behind all others has been told; each time another name.
changes=0
changed() {
	changes=$((changes + 1))
	touch "A/w/behind$changes"
	wait_for 20 grep -q "CREATE behind$changes\$" "$1"
}
watch_start R/w read-only --format '%e %f'
echo 2 >A/w/f
chmod 600 A/w/f
echo new >A/w/new
mkdir A/w/d
mv A/w/new A/w/d/new
rm A/w/d/new
rmdir A/w/d
changed read-only
is "$(told read-only f)" "OPEN MODIFY CLOSE_WRITE ATTRIB" "a read-only mount tells of what is written elsewhere"
is "$(told read-only new)" "CREATE OPEN MODIFY CLOSE_WRITE MOVED_FROM" "  of a file that comes and goes"
is "$(told read-only d)" "CREATE,ISDIR DELETE,ISDIR" "  and of a directory"
is "$(errno_of 'open("R/w/f", "w")')" EROFS "and is read-only"
mkdir bound
mount --bind R/w bound
is "$(errno_of 'open("bound/f", "w")')" EROFS "  where it is bound to, too"
umount bound
kill -KILL "$(fsd_pid R)"
echo 3 >A/w/f
changed read-only
is "$(told read-only f)" "OPEN MODIFY CLOSE_WRITE ATTRIB OPEN MODIFY CLOSE_WRITE" "it tells on when its front end has died"
is "$(errno_of 'open("R/w/f", "w")')" EROFS "  and is as read-only"

cat B/w/f B/w/leased >/dev/null
(cd / && exec "$T/B/w/program" 60) &
program=$!
runs() {
	[ "$(readlink "/proc/$program/exe")" = "$T/B/w/program" ]
}
wait_for 20 runs
timeout 100 python3 -c '
import fcntl, os, signal, sys
def told(*_):
    with open("broken", "w"):
        pass
signal.signal(signal.SIGIO, told)
fd = os.open("B/w/leased", os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
open("has", "w").close()
while True:
    signal.pause()' &
holder=$!
wait_for 20 test -e has
watch_start B/w hindered --format '%e %f'
cat /bin/sleep >A/w/program
echo 2 >A/w/leased
changed hindered
ok $? "a lease that nobody gives back holds up no event"
is "$(told hindered program)" MODIFY "a program that is being executed: MODIFY alone"
is "$(told hindered leased)" MODIFY "a file with a lease, likewise"
wait_for 20 test -e broken
ok $? "  whose holder hears of it"
is "$(cat B/w/leased)" 2 "  and the change is there"
kill $program $holder
wait $program $holder 2>/dev/null

cd /
done_testing
