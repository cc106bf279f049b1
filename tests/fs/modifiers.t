#!/bin/bash
# DIR/.zab/MODIFIER[,MODIFIER…]/NAME: sequence, version=N, ttl=…, container, and
# what goes together. The node appears at DIR/NAME, on every mount.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
mkdir A/q A/v A/t
wait_for 10 test -d B/q -a -d B/v -a -d B/t

# in_b COMMAND…: until it holds in the other mount.
seen() {
	wait_for 10 "$@"
}
gone() {
	[ ! -e "$1" ]
}

# Sequences: the name is read from the handle.
exec 9<>A/q/.zab/sequence/job-
read -r name <&9
is "$name" job-0000000000 "the first of a sequence, named by bash's read"
ok "$(seen test -e "B/q/$name"; echo $?)" "  it stands in the directory, on the other mount too"
read -r -t 5 again <&9
is "$?:$again" "1:" "  a second read is at the end"
echo payload >&9
is "$(cat "A/q/$name")" payload "  what is written after the read is its value, from the beginning"
echo more >&9
is "$(cat "A/q/$name")" $'payload\nmore' "  and goes on"
read -r again <&9
is "$again" "$name" "  after a write the name can be read again"
exec 9>&-
is "$(stat -c %i "A/q/$name")" "$(stat -c %i "B/q/$name")" "  a node like any other"

exec 9<>B/q/.zab/sequence/job-
echo first >&9
read -r name <&9
exec 9>&-
is "$name:$(cat "B/q/$name")" "job-0000000001:first" "a write first, the name then; another mount goes on counting"
is "$(dash -c 'exec 9<>A/q/.zab/sequence/job-; read -r name <&9; echo "$name"')" job-0000000002 "dash"
is "$(python3 -c '
import os
fd = os.open("A/q/.zab/sequence/job-", os.O_RDWR | os.O_CREAT | os.O_EXCL)
os.write(fd, b"value")
print(os.read(fd, 1000).decode(), end="")
print(os.pread(fd, 3, 0), os.read(fd, 100), os.read(fd, 100))')" "job-0000000003
b'job' b'-0000000003\n' b''" "Python, with O_EXCL"
echo direct >A/q/.zab/sequence/x
is "$(cat A/q/x0000000004)" direct "echo into a sequence makes a node with a value"
pids=()
for _ in 1 2 3 4 5 6 7 8; do
	(
		exec 9<>A/q/.zab/sequence/par-
		read -r name <&9
		echo "$name"
	) >>"$T/names" &
	pids+=($!)
done
wait "${pids[@]}"
is "$(sort -u "$T/names" | wc -l)" 8 "eight at once get eight names"
is "$(errno_of 'open("A/q/.zab/sequence/" + 245 * "n", "w")')" none "a prefix of 245 bytes"
is "$(errno_of 'open("A/q/.zab/sequence/" + 246 * "n", "w")')" ENAMETOOLONG "  one more is too long"
is "$(errno_of 'os.mkdir("A/q/.zab/sequence/dir-")')" none "a directory of a sequence"
is "$(find A/q -maxdepth 1 -type d -name 'dir-*' | wc -l)" 1 "  has a number, too"
is "$(errno_of 'os.symlink("target", "A/q/.zab/sequence/link-")')" none "a symbolic link of a sequence"
is "$(readlink A/q/link-*)" target "  is one"
is "$(errno_of 'os.unlink("A/q/.zab/sequence/x0000000004")')" ENOENT "nothing can be removed through a sequence"

# Combined.
for how in sequence,held held,sequence; do
	exec 9<>"A/q/.zab/$how/h-"
	read -r name <&9
	ok "$(seen test -e "B/q/$name"; echo $?)" "$how: $name is there"
	ok "$(grep -q '^owner 0x' "A/q/.zab/stat/$name"; echo $?)" "  bound to the session"
	exec 9>&-
	ok "$(seen gone "B/q/$name"; echo $?)" "  and gone when the file is closed"
done
bash -c 'exec 9<>A/q/.zab/sequence,held/k-; read -r name <&9; echo "$name" >"$1"; kill -9 $$' - "$T/killed" &
wait $! 2>/dev/null
ok "$(seen gone "B/q/$(cat "$T/killed")"; echo $?)" "or when its process is killed"
echo e >A/q/.zab/ephemeral,sequence/e-
is "$(stat -c %A A/q/e-* | cut -c10)" T "ephemeral,sequence: an ephemeral, of a sequence"

# What makes no sense.
for wrong in held,ephemeral ephemeral,ephemeral sequence,sequence ttl=1s,held ttl=1s,container \
	container,ephemeral version=1,sequence version=1,ephemeral version=1,version=1 ttl=0 ttl= ttl=x ttl=1x ttl=-1 \
	ttl=1s,ttl=2s ttl=1099511627776ms ttl=99999999999999999999 version= version=-1 version=x version=1x version=4294967296; do
	is "$(errno_of "open('A/v/.zab/$wrong/f', 'w')")" EINVAL "$wrong"
done
for wrong in nothing sequenceheld sequence,nothing ,sequence "sequence," Sequence "held " \
	sequence,held,sequence,held,sequence,held,sequence,held,sequence,held; do
	is "$(errno_of "open('A/v/.zab/$wrong/f', 'w')")" ENOENT "\"$wrong\" is no modifier"
done
is "$(errno_of 'os.mkdir("A/v/.zab/sequence,held/d")')" EINVAL "a directory can't be held"
is "$(errno_of 'open("A/v/.zab/container/f", "w")')" EINVAL "a file can't be a container"
is "$(errno_of 'os.mkdir("A/v/.zab/sequence/x/y")')" ENOENT "there is no way on through a modifier"
is "$(errno_of 'os.rename("A/q/x0000000004", "A/q/.zab/sequence/y")')" EXDEV "nor a rename into one"
is "$(ls -A A/v)" "" "  and nothing was made"

# version=N
echo 0 >A/v/f
version() {
	sed -n 's/^version //p' "A/v/.zab/stat/$1"
}
n=$(version f)
seen grep -qx 0 B/v/f
inotifywait -m --format '%e %f' B/v >"$T/events" 2>"$T/events.err" &
watch_pids+=($!)
wait_for 60 grep -q established "$T/events.err" || exit 1
is "$(errno_of "with open('A/v/.zab/version=$n/f', 'w') as f: f.write('1\n')")" none "a write to the version that is there"
is "$(cat A/v/f)" 1 "  is done"
is "$(errno_of "with open('A/v/.zab/version=$n/f', 'w') as f: f.write('2\n')")" ECANCELED "again: it is another version"
is "$(cat A/v/f):$(version f)" "1:$((n + 1))" "  and nothing has changed"
(echo 2 >"A/v/.zab/version=$n/f") 2>"$T/err"
is "$?:$(grep -c 'Operation canceled' "$T/err")" "1:1" "bash's echo says so"
echo more >>"A/v/.zab/version=$((n + 1))/f"
is "$(cat A/v/f)" $'1\nmore' "an append to a version"
is "$(cat "A/v/.zab/version=$((n + 2))/f")" $'1\nmore' "it can be read that way"
is "$(errno_of "f = open('A/v/.zab/version=$((n + 2))/f', 'r+'); f.write('x'); f.flush(); f.write('y'); f.flush()")" none \
	"who writes twice expects what it has written"
is "$(errno_of "os.truncate('A/v/.zab/version=$n/f', 0)")" ECANCELED "truncate of an older version"
is "$(errno_of "os.truncate('A/v/.zab/version=$(version f)/f', 1)")" none "  and of this one"
is "$(errno_of "os.chmod('A/v/.zab/version=$n/f', 0o600)")" ECANCELED "chmod of an older version"
is "$(errno_of "os.unlink('A/v/.zab/version=$n/f')")" ECANCELED "rm of an older version"
ok "$(test -e A/v/f; echo $?)" "  leaves it"
touch A/v/marker
seen grep -q 'CREATE marker' "$T/events"
told="$(grep -c 'MODIFY f' "$T/events"):$(grep -c 'CLOSE_WRITE,CLOSE f' "$T/events")"
# The two writes of one program may be one group of events.
ok "$([[ $told == 5:5 || $told == 4:4 ]]; echo $?)" "the other mount's watchers saw each change once"
rm "A/v/.zab/version=$(version f)/f"
ok "$?" "rm of the version that is there"
ok "$(gone A/v/f; echo $?)" "  removes it"
is "$(errno_of "open('A/v/.zab/version=0/f', 'w')")" ENOENT "there is no version of what isn't there"
mkdir A/v/d
is "$(errno_of "os.rmdir('A/v/.zab/version=3/d')")" ECANCELED "rmdir of a version that is not there"
is "$(errno_of "os.rmdir('A/v/.zab/version=0/d')")" none "  and of the one that is"
is "$(errno_of "os.open('A/v/.zab/version=0/marker', os.O_WRONLY | os.O_TRUNC)")" none "O_TRUNC alone"
mkdir -m 1777 A/v/sticky && mkdir A/v/sticky/d && echo r >A/v/sticky/f && echo e >A/v/sticky/.zab/ephemeral/e
as_another() {
	errno_of "os.setgroups([]); os.setgid(12345); os.setuid(12345); $1"
}
chmod 711 "$T"
for what in unlink:version=1/f rmdir:version=0/d unlink:ephemeral/e; do
	is "$(as_another "os.${what%%:*}('A/v/sticky/.zab/${what#*:}')")" EPERM "another's is not removed from a sticky directory: $what"
done
is "$(as_another "os.close(os.open('A/v/sticky/.zab/ephemeral/own', os.O_CREAT)); os.unlink('A/v/sticky/.zab/ephemeral/own')")" none "  one's own is"
rm -r A/v/sticky
seen test "$(version marker)" = 1
is "$(version marker)" 1 "  is a change when the file is closed"

# A file that was read and is written through the same handle.
echo 5 >A/v/counter
cat >"$T/cas.py" <<'END'
import errno, os, sys
def name(f):
    try:
        return f()
    except OSError as e:
        return errno.errorcode[e.errno]
fd = os.open("A/v/counter", os.O_RDWR)
print(os.pread(fd, 100, 0))
print(name(lambda: os.pwrite(fd, b"6\n", 0)), name(lambda: os.pwrite(fd, b"7\n", 0)))
with open("B/v/counter", "r+") as other:
    other.write("8\n")
print(name(lambda: os.pwrite(fd, b"9\n", 0)), name(lambda: os.ftruncate(fd, 0)))
print(os.pread(fd, 100, 0), name(lambda: os.pwrite(fd, b"9\n", 0)), name(lambda: os.ftruncate(fd, 1)))
end = os.open("A/v/counter", os.O_RDWR | os.O_APPEND)
os.read(end, 100)
with open("B/v/counter", "a") as other:
    other.write("b")
print(name(lambda: os.write(end, b"c")), name(lambda: os.write(end, b"d")))
blind = os.open("A/v/counter", os.O_RDWR)
with open("B/v/counter", "a") as other:
    other.write("e")
print(name(lambda: os.pwrite(blind, b"0", 0)))
END
is "$(python3 "$T/cas.py")" "b'5\\n'
2 2
ECANCELED ECANCELED
b'8\\n' 2 None
1 1
1" "who has read writes only if nobody else has; appends and blind writes are not concerned"
is "$(cat A/v/counter)" 0bcde "  and nothing was lost"

# ttl: whoever watches sees it come and go, in order, however long a busy machine takes.
watch_start B/t "$T/ttl.events"
told() {
	grep -q "$1" "$T/ttl.events"
}
echo x >A/t/.zab/ttl=300ms/brief
ok "$(seen told 'CREATE brief' && seen told 'DELETE brief'; echo $?)" "ttl=300ms: it comes, and goes, on the other mount too"
ok "$(seen gone A/t/brief; echo $?)" "  and on this one"
is "$(errno_of 'open("A/t/brief")')" ENOENT "  for good"
echo x >A/t/.zab/ttl=60/long
is "$(sed -n 's/^ttl_ms //p' A/t/.zab/stat/long)" 60000 "ttl=60: the node says so"
echo y >A/t/.zab/ttl=1min/long
is "$(cat A/t/long)" y "a second write through the same modifier is one"
is "$(errno_of 'open("A/t/.zab/ttl=2min/long", "w")')" EEXIST "  not through another"
is "$(errno_of 'open("A/t/.zab/ephemeral/long", "w")')" EEXIST "  nor does it become an ephemeral"
echo z >A/t/long
is "$(sed -n 's/^ttl_ms //p' A/t/.zab/stat/long)" 60000 "a plain write leaves it what it is"
filled() {
	mkdir A/t/.zab/ttl=300ms/dir 2>/dev/null
	touch A/t/dir/child 2>/dev/null
}
wait_for 60 filled
touch A/t/.zab/ttl=300ms/other
ok "$(seen gone A/t/other; echo $?)" "a later one has gone"
ok "$(test -e A/t/dir/child; echo $?)" "  but not a directory with something in it"
rm A/t/dir/child
ok "$(seen gone A/t/dir; echo $?)" "  until it is empty"
echo s >A/t/.zab/sequence,ttl=60s/s-
is "$(sed -n 's/^ttl_ms //p' "A/t/.zab/stat/$(cd A/t && echo s-*)")" 60000 "sequence,ttl=60s"
# The first of two is touched, if it is still there, and so outlives the second.
for ((n = 0; n < 20; n++)); do
	touch "A/t/.zab/ttl=2s/first$n" "A/t/.zab/ttl=2s/second$n"
	[ "$(errno_of "os.utime('A/t/first$n')")" != none ] || break
done
ok "$(wait_for 60 told "DELETE first$n" && told "DELETE second$n"; echo $?)" "both of two go"
is "$(sed -nE "s/.*DELETE ((first|second)$n)\$/\1/p" "$T/ttl.events" | head -n 1)" "second$n" "  but who was touched goes later"

# container
mkdir A/t/.zab/container/box
is "$(sed -n 's/^container //p' A/t/.zab/stat/box)" yes "a container says so"
touch A/t/.zab/ttl=200ms/tick
seen gone A/t/tick
ok "$(test -d A/t/box; echo $?)" "  a new one stays, empty as it is"
touch A/t/box/a A/t/box/b
rm A/t/box/a
touch A/t/.zab/ttl=200ms/tick
seen gone A/t/tick
ok "$(test -d A/t/box; echo $?)" "  and while there is something in it"
rm B/t/box/b
ok "$(seen gone A/t/box && seen gone B/t/box; echo $?)" "  but goes after its last child"

# It is all in the log.
echo x >A/t/.zab/ttl=1500ms/over
mkdir A/t/.zab/container/kept
touch A/t/kept/child
replica_kill9
replica_restart
ok "$(seen gone A/t/over; echo $?)" "after a restart, too, a node's time runs out"
rm A/t/kept/child
ok "$(seen gone A/t/kept; echo $?)" "  and containers go"
exec 9<>A/q/.zab/sequence/job-
read -r name <&9
exec 9>&-
ok "$(grep -qx "$name" "$T/names"; test $? -ne 0; echo $?)" "  and a sequence goes on ($name)"

# A counter by version=N meets a new directory each time; the kernel is to let the old ones go.
: >A/q/counted
known() {
	awk '$1 == "zabfs_mount_inodes" { print $2 }' A/.zab/metrics
}
before=$(known)
(cd A/q/.zab && for ((n = 0; n < 4000; n++)); do : <"version=$n/counted"; done)
few() {
	[ $(($(known) - before)) -lt 2500 ]
}
ok "$(wait_for 20 few; echo $?)" "of 4,000 versions that were looked at the kernel keeps the last: $(($(known) - before)) inodes"
ok "$(: <A/q/.zab/version=0/counted && : <A/q/.zab/version=3999/counted; echo $?)" "  and finds any of them again"

is "$(cd A/q/.zab && echo *)" "async container data ephemeral events held quota self sequence stat" "what takes no argument is listed"
done_testing
