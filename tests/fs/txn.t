#!/bin/bash
# .zab/txn, .zab/stream, DIR/.zab/async, .zab/sync: several operations at once,
# or many without waiting for each.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
chmod 711 "$T"
mkdir A/d A/w
chmod 777 A/w
wait_for 10 test -d B/d -a -d B/w

# txn TEXT: its errno, or 0, and what is read from the same file.
txn() {
	python3 - "${IN:-A}/.zab/txn" "$1" "${2:-0}" <<'END'
import errno, os, sys
if sys.argv[3] != "0":
    os.setgroups([int(sys.argv[3]) + 1])
    os.setgid(int(sys.argv[3]))
    os.setuid(int(sys.argv[3]))
fd = os.open(sys.argv[1], os.O_RDWR)
try:
    n = os.write(fd, sys.argv[2].encode())
    print("all" if n == len(sys.argv[2].encode()) else n)
except OSError as e:
    print(errno.errorcode[e.errno])
while True:
    text = os.read(fd, 100000)
    if not text:
        break
    print(text.decode(), end="")
END
}

is "$(txn $'create /d/a one\nmkdir /d/sub\ncreate /d/sub/b "two words\\n"\nset /d/a 1\n')" "all
ok create /d/a
ok mkdir /d/sub
ok create /d/sub/b
ok set /d/a version=1" "four operations, later ones on what earlier ones made"
is "$(cat A/d/a A/d/sub/b)" "1two words" "  were done"
ok "$(wait_for 10 test -e B/d/sub/b; echo $?)" "  on the other mount, too"
is "$(stat -c '%a %U' A/d/a A/d/sub | paste -sd,)" "644 root,755 root" "  with the modes that the process's umask leaves"
before=$(find A/d | sort; cat A/d/a)
is "$(txn $'set /d/a 2\ndelete /d/sub\ncreate /d/c x\n')" "ENOTEMPTY
error ENOTEMPTY operation 2: delete /d/sub: directory not empty" "the first that fails is named"
is "$(find A/d | sort; cat A/d/a)" "$before" "  and nothing was done"
is "$(txn $'create /d/c 1\ncreate /d/c 2\n')" "EEXIST
error EEXIST operation 2: create /d/c: znode exists" "what fails is seen among the operations themselves"
is "$(ls A/d)" $'a\nsub' "  nothing of it"
is "$(txn $'check /d/a version=1\nset /d/a 3 version=1\ncheck /d/a version=2\ncheck /d/nobody absent\ncheck /no/where/at/all absent\ncheck /d\ndelete /d/sub/b version=0\n')" "all
ok check /d/a
ok set /d/a version=2
ok check /d/a
ok check /d/nobody
ok check /no/where/at/all
ok check /d
ok delete /d/sub/b" "checks"
is "$(txn $'delete /d/sub\ncheck /d/a version=1\n' | sed -n 1p)" ECANCELED "a version that isn't there"
is "$(txn $'check /d/a absent\n' | sed -n 1p)" EEXIST "nor absent"
is "$(txn $'check /d/x\n' | sed -n 1p)" ENOENT "nor there"
is "$(txn $'mkdir /q\ncreate /q/job- v sequence\ncreate /q/job- v sequence\ncreate /q/e v ephemeral\ncreate /q/t v ttl=1min\nmkdir /q/box container\n')" "all
ok mkdir /q
ok create /q/job-0000000000
ok create /q/job-0000000001
ok create /q/e
ok create /q/t
ok mkdir /q/box" "sequences, ephemerals, what goes by itself"
is "$(cat A/.zab/session | sed -n 's/^id //p')" "$(sed -n 's/^owner //p' A/q/.zab/stat/e)" "  the ephemeral is the session's"
is "$(sed -n 's/^ttl_ms //p' A/q/.zab/stat/t; sed -n 's/^container //p' A/q/.zab/stat/box)" $'60000\nyes' "  the others as they were said"
is "$(txn $'create /d/one 1 ; create /d/two 2 ; set /d/one 3\n' | sed 1d)" "ok create /d/one
ok create /d/two
ok set /d/one version=1" "a line of several"
is "$(txn $'# nothing\n\n   \t \n')" all "blank lines and comments are nothing"
is "$(txn $'create "/d/na me" "a\\x41\\101\\t\\"\\\\"\n')" $'all\nok create "/d/na me"' "C strings"
is "$(cat 'A/d/na me')" $'aAA\t"\\' "  say every byte"
is "$(txn $'create /d/quoted ""\nset d//quoted ";"\n' | sed 1d)" $'ok create /d/quoted\nok set d//quoted version=1' "an empty value; a quoted semicolon; slashes as everywhere"
is "$(cat A/d/quoted)" ";" "  is a value"

# In a shell.
cat >A/.zab/txn <<'END'
set /d/one shell
delete /d/two
END
is "$?:$(cat A/d/one):$(find A/d -name "*two*" | wc -l)" 0:shell:0 "cat with a here-document"
(echo 'delete /d/one ; delete /d/two' >A/.zab/txn) 2>"$T/err"
is "$?:$(grep -c 'No such file' "$T/err"):$(cat A/d/one)" 1:1:shell "an echo that fails says why, and changes nothing"
exec 9<>A/.zab/txn
echo 'create /q/job- "" sequence ; check /q' >&9
read -r -t 10 result <&9
read -r -t 10 checked <&9
result+=",$checked"
echo 'set /d/one "through 9"' >&9
read -r -t 10 second <&9
exec 9>&-
is "$result,$second" "ok create /q/job-0000000005,ok check /q,ok set /d/one version=3" "one after another through one descriptor"

# What is wrong is said, and nothing is done.
before=$(find A/d A/q | sort; cat A/d/a)
while IFS='|' read -r text errno why; do
	is "$(txn "$(printf '%b.' "$text" | sed 's/\.$//')"$'\n')" "$errno
error $errno line $why" "$text"
done <<'END'
frobnicate /d/x|EINVAL|1: no such operation: frobnicate
create /d/x|EINVAL|1: create: no value
create|EINVAL|1: create: no path
set /d/a|EINVAL|1: set: no value
create /d/x v held|EINVAL|1: create: not understood: held
create /d/x v version=1|EINVAL|1: create: not understood: version=1
create /d/x v ephemeral ttl=1s|EINVAL|1: create: not understood: ttl=1s
set /d/a v ephemeral|EINVAL|1: set: not understood: ephemeral
delete /d/a version=|EINVAL|1: delete: not understood: version=
check /d/a absent version=1|EINVAL|1: check: not understood: version=1
create /d/x "v|EINVAL|1: a string without an end, or a bad escape in it
create /d/x "\\q"|EINVAL|1: a string without an end, or a bad escape in it
create /d/x "v"w|EINVAL|1: a string without an end, or a bad escape in it
set /d/a 9\ncreate /d/x v more|EINVAL|2: create: not understood: more
END
is "$(txn 'set /d/a 9')" "EINVAL
error EINVAL line 1: it is cut off: no newline" "a text that is cut off"
is "$(python3 -c '
import os
fd = os.open("A/.zab/txn", os.O_RDWR)
try: os.write(fd, b"create /d/x v\n" * 2049)
except OSError as e: print(e.errno == 27, os.read(fd, 100))
try: os.write(fd, b"create /d/x " + b"v" * 1044480 + b"\n")
except OSError as e: print(e.errno == 27)
try: os.write(fd, b"create /d/" + b"x" * 256 + b" v\n")
except OSError as e: print(e.errno == 36)
try: os.write(fd, b"create /" + b"x/" * 2500 + b"y v\n")
except OSError as e: print(e.errno == 36)
')" "True b'error EFBIG line 2049: more than 2048 operations\\n'
True
True
True" "too many, too long"
is "$(txn $'delete /\n' | sed -n 1p)" EPERM "the root stays"
is "$(txn $'create /d/.zab/x v\n' | sed -n 1p):$(txn $'create /d/../x v\n' | sed -n 1p):$(txn $'create /d/a/x v\n' | sed -n 1p)" EINVAL:EINVAL:ENOTDIR "paths that lead nowhere"
is "$(find A/d A/q | sort; cat A/d/a)" "$before" "nothing of all that was done"

# Rights, as the kernel asks them.
mkdir -m 700 A/secret
echo s >A/secret/s
mkdir -m 1777 A/sticky
echo r >A/sticky/root
echo g >A/w/group
chgrp 12346 A/w/group
chmod 664 A/w/group
is "$(txn $'create /w/u mine\n' 12345 | sed -n 1p):$(stat -c '%u %g' A/w/u)" "all:12345 12345" "another user where he may write"
for text in 'create /d/u x' 'delete /d/a' 'set /d/a x' 'check /secret/s' 'set /w/../d/a x'; do
	is "$(txn "$text"$'\n' 12345 | sed -n 1p)" "$(case $text in *..*) echo EINVAL ;; *) echo EACCES ;; esac)" "  may not: $text"
done
is "$(txn $'delete /sticky/root\n' 12345 | sed -n 1p)" EPERM "  nor remove another's from a sticky directory"
is "$(txn $'set /w/group by-group\n' 12345 | sed -n 1p):$(cat A/w/group)" all:by-group "  but write what his other group may"
# A setuid program writes what he likes to a descriptor that he has opened.
install -m 4755 "$(command -v cat)" "$T/deputy"
echo 'create /secret/deputy x' >"$T/said"
for file in txn stream; do
	# shellcheck disable=SC2016 # $1 and $2 are its own
	said=$(LC_ALL=C setpriv --reuid 12345 --regid 12345 --clear-groups \
		bash -c '"$1/deputy" "$1/said" >"$1/A/.zab/$2"' - "$T" $file 2>&1)
	is "${said##*: }:$(ls A/secret)" "Operation not permitted:s" "  nor have a setuid program say it to $file"
done

# The other mount's watchers, and the kernel's own names.
inotifywait -m --format '%e %f' B/d >"$T/events" 2>"$T/events.err" &
watch_pids+=($!)
inotifywait -m --format '%e %f' A/d >"$T/own" 2>"$T/own.err" &
watch_pids+=($!)
wait_for 60 grep -q established "$T/events.err" && wait_for 60 grep -q established "$T/own.err" || exit 1
txn $'create /d/n1 1\ncreate /d/n2 2\nset /d/n1 3\ndelete /d/n2\ndelete /d/one\n' >/dev/null
for log in events own; do
	ok "$(wait_for 30 grep -q 'DELETE one' "$T/$log"; echo $?)" "$log: the last change is told"
	is "$(grep -c 'CREATE n1' "$T/$log"):$(grep -c 'CREATE n2' "$T/$log"):$(grep -c 'DELETE n2' "$T/$log")" 1:1:1 "  and those before, once"
done
is "$(cat A/d/n1):$(test -e A/d/one; echo $?)" 3:1 "the mount itself sees it"

# The stream.
exec 9<>A/.zab/stream
printf 'create /q/s1 1\ncreate /q/s1 again\nmkdir /q/s2 ; create /q/s2/x 2\n' >&9
results=
for _ in 1 2 3; do
	read -r -t 20 line <&9
	results+="$line|"
done
is "$results" "ok create /q/s1|error EEXIST operation 1: create /q/s1: znode exists|ok mkdir /q/s2 ; create /q/s2/x|" "a stream: a result for each line, in order"
printf 'create /q/s3' >&9
printf ' half\nnonsense\n' >&9
read -r -t 20 one <&9
read -r -t 20 two <&9
is "$one|$two" "ok create /q/s3|error EINVAL no such operation: nonsense" "a line in two writes; a wrong one"
exec 9>&-
is "$(python3 -c '
import os, select, errno
fd = os.open("A/.zab/stream", os.O_RDWR)
p = select.poll()
p.register(fd, select.POLLIN)
os.write(fd, b"set /q/s1 polled\n")
print(p.poll(20000) == [(fd, select.POLLIN)], os.read(fd, 100))
os.write(fd, b"delete /q/missing\nset /q/s1 after\n")
try: os.fsync(fd)
except OSError as e: print(errno.errorcode[e.errno])
print(os.fsync(fd), open("A/q/s1").read())
os.write(fd, b"delete /q/missing2\n")
try: os.close(fd)
except OSError as e: print(errno.errorcode[e.errno])
')" "True b'ok set /q/s1 version=1\\n'
ENOENT
None after
ENOENT" "poll; fsync and close wait, and tell the first error"
mkdir A/many
(
	echo 'mkdir /many/sub'
	for ((i = 0; i < 3000; i++)); do
		echo "create /many/f$i $i"
	done
) >A/.zab/stream
is "$?" 0 "three thousand from a pipe"
is "$(ls A/many | wc -l):$(cat A/many/f2999)" 3001:2999 "  are there when it is closed"
ok "$(wait_for 30 test -e B/many/f2999; echo $?)" "  on the other mount, too"
is "$(python3 -c '
import os
fd = os.open("A/.zab/stream", os.O_RDWR)
os.write(fd, b"".join(b"set /many/f0 %d\n" % i for i in range(5000)))
got = b""
while True:
    text = os.read(fd, 65536)
    if not text: break
    got += text
print(got == b"".join(b"ok set /many/f0 version=%d\n" % (i + 1) for i in range(5000)))')" True "five thousand results, in order"

# async: plain values.
python3 -c '
import os, errno
fd = os.open("A/many/.zab/async/log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
for i in range(3000):
    os.write(fd, b"%d\n" % i)
os.fsync(fd)
os.close(fd)'
is "$(md5sum <A/many/log)" "$(seq 0 2999 | md5sum)" "writes through async are all there, in order"
is "$(python3 -c '
import os, errno
fd = os.open("A/many/.zab/async/big", os.O_CREAT | os.O_RDWR)
os.pwrite(fd, b"x", 0)
print(os.pread(fd, 10, 0))
os.unlink("A/many/big")
os.pwrite(fd, b"y", 0)
try: os.fsync(fd)
except OSError as e: print(errno.errorcode[e.errno])
os.pwrite(fd, b"y", 0)
try: os.close(fd)
except OSError as e: print(errno.errorcode[e.errno])')" "b'x'
ENOENT
ENOENT" "  what failed is told by fsync and close"
is "$(python3 -c '
import os
fd = os.open("A/many/.zab/async/read", os.O_CREAT | os.O_RDWR)
os.pread(fd, 10, 0)
for i in range(50):
    os.pwrite(fd, b"%d" % i, i * 2)
print(os.pread(fd, 5, 0))
os.pwrite(fd, b"last", 0)
os.pwrite(fd, b"x", 4)
os.close(fd)')$(head -c 6 A/many/read)" "b'0\\x001\\x002'lastx" "  who has read it goes on writing"

# sync
zxid=$(sed -n 's/^czxid //p' A/many/.zab/stat/log)
is "$(($(cat B/.zab/sync) >= zxid))" 1 "sync tells a zxid, not before what was acknowledged"
is "$(errno_of 'open("A/.zab/sync", "w")')" EACCES "  and takes nothing"

# Rights are kept with what waits for a connection, and with what is sent again.
replica_end KILL
txn $'set /w/group waited\n' 12345 >waited &
waiter=$!
# shellcheck disable=SC2317 # it is called
waits() {
	grep -qza request_wait "/proc/$(pgrep -P $waiter -x python3)/wchan"
}
wait_for 20 waits && replica_start
wait $waiter
is "$(sed -n 1p waited):$(cat A/w/group)" all:waited "who waits for a replica has his groups still"

# All or nothing over a crash, and once.
txn $'create /d/crash 1\nset /d/a crashed\n' >/dev/null
replica_kill9
replica_restart
is "$(cat A/d/a):$(cat A/d/crash)" crashed:1 "a transaction stays after a crash"
done_testing
