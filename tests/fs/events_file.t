#!/bin/bash
# DIR/.zab/events: what changes below a directory, a line each, from now on or
# from a zxid that was read before; on every mount, over restarts and moves.
. "$(dirname "$0")/lib.sh"

node_start "log_rows_min = 2000" "log_tree_percent = 0" "pass_interval = 1" && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
mkdir -p A/d/sub A/other
wait_for 10 test -d B/d/sub

# told FILE: its lines without the zxid.
told() {
	cut -d ' ' -f 2- "$1"
}

cat B/d/.zab/events >"$T/log" &
reader=$!
exec 8<>A/.zab/stream
sleep_until_open() {
	# The reader has its cursor when a change shows.
	local i
	for ((i = 0; i < 100; i++)); do
		echo probe >A/d/probe
		[ -s "$T/log" ] && return 0
	done
	return 1
}
ok "$(wait_for 20 sleep_until_open; echo $?)" "a reader is told of changes"
rm A/d/probe
wait_for 20 grep -q 'delete /d/probe' "$T/log"
: >"$T/log"
echo v >A/d/f
mv A/d/f A/d/sub/g
chmod 600 A/d/sub/g
ln -s target A/d/l
mkdir "A/d/a b"
rmdir "A/d/a b"
: >A/other/x
mv A/d/sub/g A/other/g
mv A/other/g A/d/back
echo 'create /d/t 1 ; set /d/t 2 ; delete /d/t' >&8
chmod 750 A/d
rm A/d/back A/d/l
: >A/d/end
ok "$(wait_for 20 grep -q 'create /d/end' "$T/log"; echo $?)" "everything has come"
is "$(told "$T/log")" "create /d/f 0
set /d/f 1
move /d/f /d/sub/g -
attr /d/sub/g -
symlink /d/l 0
mkdir /d/a\\040b 0
rmdir /d/a\\040b -
move /d/sub/g /other/g -
move /other/g /d/back -
create /d/t 0
set /d/t 1
delete /d/t -
attr /d -
delete /d/back -
delete /d/l -
create /d/end 0" "one line each, in order, with versions; names elsewhere are not told"
is "$(grep -cE '^0x[0-9a-f]+ ' "$T/log")" 16 "each begins with its zxid"
is "$(cut -d ' ' -f 1 "$T/log" | sort -c && cut -d ' ' -f 1 "$T/log" | uniq | wc -l)" 14 "which grows; one transaction, one zxid"

# From a point that was read before.
from=$(sed -n 3p "$T/log" | cut -d ' ' -f 1)
timeout 60 head -n 13 "A/d/.zab/events,from=$from" >"$T/again"
is "$(cat "$T/again")" "$(tail -n +4 "$T/log")" "from a zxid: what came after it, the same on another mount"
is "$(timeout 60 head -n 1 "A/d/.zab/events,from=$((from))")" "$(sed -n 4p "$T/log")" "a decimal zxid"
seen=
for all in 1 0x1 0x0 "${seen:-0}"; do
	is "$(timeout 60 head -n 1 "A/d/.zab/events,from=$all" | cut -d ' ' -f 2-)" "mkdir /d 0" "from $all: all that the log has"
done
for wrong in "" x abc -1 010 99999999999999999999999; do
	is "$(errno_of "open('A/d/.zab/events,from=$wrong')")" EINVAL "from \"$wrong\": no zxid"
done
is "$(errno_of "open('A/d/.zab/events,to=1')")" ENOENT "events,to=1 is nothing"
is "$(errno_of 'open("A/d/.zab/events", "w")')" EACCES "nothing is written to it"
is "$(stat -c '%a %F' A/d/.zab/events)" "400 regular empty file" "only the directory's owner reads it"

# read in a shell, poll, O_NONBLOCK.
exec 9<A/d/.zab/events
echo one >A/d/one
echo two >A/d/two
got=
for _ in 1 2 3 4; do
	read -r -t 20 _ line <&9
	got+="$line,"
done
exec 9<&-
is "$got" "create /d/one 0,set /d/one 1,create /d/two 0,set /d/two 1," "bash's read, line by line"
is "$(python3 -c '
import os, select, errno
fd = os.open("A/d/.zab/events", os.O_RDONLY | os.O_NONBLOCK)
p = select.poll()
p.register(fd, select.POLLIN)
print(p.poll(0))
try: os.read(fd, 100)
except OSError as e: print(errno.errorcode[e.errno])
open("A/d/polled", "w").close()
print(p.poll(20000) == [(fd, select.POLLIN)], os.read(fd, 1000).split()[1:])
')" "[]
EAGAIN
True [b'create', b'/d/polled', b'0']" "poll, and a descriptor that does not wait"

# tail(1) looks for an end first, unless it is told not to.
tail -n +1 -f A/d/.zab/events >"$T/tail" &
waiting=$!
followed() {
	echo more >A/d/one
	grep -q 'set /d/one' "$T/tail"
}
ok "$(wait_for 20 followed; echo $?)" "tail -n +1 -f shows what comes"
kill "$waiting"
wait "$waiting" 2>/dev/null

# A reader that waits can be killed.
cat A/d/.zab/events >/dev/null &
waiting=$!
wait_for 20 grep -qza wait "/proc/$waiting/wchan"
kill "$waiting"
wait_for 5 process_gone "$waiting"
ok $? "a waiting reader is killed at once"
wait "$waiting" 2>/dev/null

# Over the replica's death, nothing is missed.
: >"$T/log"
: >A/d/before
replica_kill9
replica_restart
: >A/d/after
ok "$(wait_for 30 grep -q 'create /d/after' "$T/log"; echo $?)" "a reader goes on after the replica's restart"
is "$(told "$T/log")" $'create /d/before 0\ncreate /d/after 0' "  with what came between, once"

# What is gone from the log is said.
from=$(head -n 1 "$T/log" | cut -d ' ' -f 1)
exec 8<A/.zab/events
(for ((i = 0; i < 12000; i++)); do echo "set /other/x $i"; done) >A/.zab/stream
: >A/d/late
lost() {
	timeout 20 head -n 1 "A/d/.zab/events,from=$from" >"$T/lost"
	grep -q '^lost ' "$T/lost"
}
ok "$(wait_for 60 lost; echo $?)" "who is too late is told that something is lost"
is "$(cut -d ' ' -f 1,2 "$T/lost")" "lost $from" "  since when"
is "$(told "$T/log" | tail -n 1)" "create /d/late 0" "  a reader that kept up has missed nothing"
kill "$reader" 2>/dev/null
wait "$reader" 2>/dev/null
read -r -t 20 lost since upto <&8
: >A/d/later
read -r -t 20 zxid line <&8
exec 8<&-
is "$lost,$line" "lost,create /d/later 0" "who is open and does not read is told, too, and what comes then"
ok "$(( since < from || upto < since || zxid <= upto ))" "  what it is that is lost"

# The directory goes.
cat A/d/sub/.zab/events >"$T/log" 2>"$T/err" &
reader=$!
probe() {
	echo p >A/d/sub/p && rm A/d/sub/p
	[ -s "$T/log" ]
}
wait_for 20 probe
wait_for 20 grep -q 'delete /d/sub/p' "$T/log"
rmdir A/d/sub
ok "$(wait_for 20 grep -q 'rmdir /d/sub' "$T/log"; echo $?)" "the end of the directory itself is told"
wait "$reader"
is "$?:$(grep -c 'No such file' "$T/err")" 1:1 "  and then there is nothing more to read"
exec 8>&-
done_testing
