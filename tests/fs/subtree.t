#!/bin/bash
# A subtree as the root of a mount: it is all that is seen there, the same to who
# sees the whole tree, stays the root wherever it is moved to, and is gone when
# it is removed.
. "$(dirname "$0")/lib.sh"

node_start && mount_start W && mount_start V || exit 1
cd "$T" || exit 1
chmod 711 "$T"

# at NAME SUBTREE [mountd options…]
at() {
	local name=$1 subtree=$2
	shift 2
	mount_start "$name" -f "$T/zabfs.conf:$subtree" "$@"
}

not_mounted() {
	! awk '{ print $5 }' /proc/self/mountinfo | grep -qx "$T/$1"
}

# something_of_all DIR: changes of each kind, the end of a file `end` at last.
something_of_all() {
	echo w >"$1/new"
	mv "$1/new" "$1/deep/moved"
	mv "$1/deep/moved" "$1/back"
	mkdir "$1/dir"
	mv "$1/dir" "$1/dir2"
	chmod 700 "$1/dir2"
	mv -T "$1/dir2" "$1/deep/dir3"
	rmdir "$1/deep/dir3"
	ln -sfn back "$1/link"
	ln -sfn other "$1/link"
	mv -f "$1/back" "$1/f"
	rm "$1/link"
	echo own >"$1/.zab/data"
	chmod "$2" "$1"
	: >"$1/end"
	rm "$1/end"
}

txn() {
	python3 - "$1/.zab/txn" "$2" "${3:-0}" <<'END'
import errno, os, sys
if sys.argv[3] != "0":
    os.setgroups([])
    os.setgid(int(sys.argv[3]))
    os.setuid(int(sys.argv[3]))
fd = os.open(sys.argv[1], os.O_RDWR)
try:
    os.write(fd, sys.argv[2].encode())
except OSError as e:
    print(errno.errorcode[e.errno], end=" ")
while True:
    text = os.read(fd, 100000)
    if not text:
        break
    print(text.decode(), end="")
END
}

mkdir -p W/app/deep W/other
echo v >W/app/f
echo secret >W/other/s
at A /app || exit 1
ok 0 "the mount of a subtree"
is "$(ls A; cat A/f)" $'deep\nf\nv' "  shows what is in it, and nothing else"
is "$(find A -printf '%P %i %m %U %s\n' | sort)" "$(find W/app -printf '%P %i %m %U %s\n' | sort)" "  with the same numbers, modes and sizes, its root's too"
is "$(cd A/deep && cd -P .. && cd -P .. && pwd -P)" "$T" "  and above it is what the mount point is in"
is "$(cat A/.zab/self A/.zab/stat/f)" "$(cat W/.zab/stat/app W/app/.zab/stat/f)" "  with the same metadata"
is "$(errno_of 'open("A/.zab/stat/other")')" ENOENT "  of nothing else"
findmnt -n -o SOURCE,FSTYPE "$T/A" | grep -q '^zabfs:/app *fuse.zabfs'
ok $? "  and the mount table says which"
is "$(cd A/.zab && ls -d session sync txn stream events metrics cluster/members 2>/dev/null | wc -l):$(ls -d A/deep/.zab/session 2>/dev/null)" 7: "its root has what a root has in .zab, and the directories below do not"
ok "$([ "$(grep ^id A/.zab/session)" != "$(grep ^id W/.zab/session)" ]; echo $?)" "it has a session of its own"
is "$(stat -f -c '%S %l' A)" "$(stat -f -c '%S %l' W)" "df tells what there is"

# Events: each way as between mounts of the whole tree.
declare -A top=([A]=A [V]=V/app [W]=W/app)
for name in A V W; do
	(cd "${top[$name]}" && exec inotifywait -m --format '%w %e %f' --exclude '/([.]echo|events)' . deep .zab 2>"$T/ev.$name.err" >>"$T/ev.$name") &
	watch_pids+=($!)
done
for name in A V W; do
	wait_for 60 grep -q established "ev.$name.err" || exit 1
done
for pair in W:A:700 A:W:755; do
	IFS=: read -r doer other mode <<<"$pair"
	: >ev.V
	: >"ev.$other"
	something_of_all "${top[$doer]}" "$mode"
	for name in V "$other"; do
		wait_for 30 grep -qx './ DELETE end' "ev.$name"
		ok $? "what is done in $doer is told in $name"
	done
	is "$(cat "ev.$other")" "$(cat ev.V)" "  by the same events, in the same order"
	is "$(grep -cx './ ATTRIB,ISDIR ' ev.V)" 1 "  and so are the root's own"
done
is "$(cat A/f W/app/f A/.zab/data)" $'w\nw\nown' "all see what there is now"

# From outside, and there.
: >ev.A
mv W/other/s W/app/in
ok "$(wait_for 30 grep -qx './ MOVED_TO in' ev.A; echo $?)" "what is moved into it comes as moved"
is "$(cat A/in)" secret "  and is there"
exec 9<A/in
mv W/app/in W/other/s
ok "$(wait_for 30 grep -qx './ MOVED_FROM in' ev.A; echo $?)" "what is moved out goes"
is "$(errno_of 'open("A/in")'):$(cat <&9)" ENOENT:secret "  but for who has it open"
exec 9<&-
: >ev.A
echo x >W/other/s
mkdir W/top
rmdir W/top
chmod 700 W
chmod 755 W
: >W/app/mark
ok "$(wait_for 30 grep -qx './ CREATE mark' ev.A; echo $?)" "a change in it"
is "$(grep -cE 'ATTRIB| (s|top)$' ev.A)" 0 "  comes, none from elsewhere does"
rm W/app/mark

# Names and rights of other places.
is "$(txn A $'create /t 1\nset /t 2\ncreate deep/t 3\n')" $'ok create /t\nok set /t version=1\nok create deep/t' "paths of .zab/txn begin at the mount's root"
is "$(cat W/app/t W/app/deep/t)" 23 "  and lead there"
is "$(txn A $'check /other\n' | cut -d ' ' -f 1):$(txn A $'check /../other\n' | cut -d ' ' -f 1):$(txn A $'check /app\n' | cut -d ' ' -f 1)" ENOENT:EINVAL:ENOENT "  and nowhere else"
is "$(txn A $'delete /\n' | cut -d ' ' -f 1)" EPERM "  the root itself can't be removed"
echo 'create /t2 x ; delete /t ; delete /deep/t' >A/.zab/stream
is "$(cat W/app/t2; ls W/app/deep)" x "the stream's, too"
rm A/t2
mkdir -m 700 W/up
mkdir -m 755 W/up/u
mkdir -m 777 W/up/u/w
at U /up/u || exit 1
is "$(setpriv --reuid 12345 --regid 12345 --clear-groups sh -c 'echo mine >U/w/f && cat U/w/f; cat W/up/u/w/f' 2>&1)" $'mine\ncat: W/up/u/w/f: Permission denied' "the rights that count are the root's own and below, not those above"
is "$(txn U $'set /w/f 2\n' 12345):$(txn U $'create /no 1\n' 12345 | cut -d ' ' -f 1)" "ok set /w/f version=2:EACCES" "  for transactions, too"
mount_stop U

# The history.
cat A/.zab/events >>told &
reader=$!
probe() {
	echo p >A/probe
	[ -s told ]
}
wait_for 20 probe && rm A/probe
wait_for 20 grep -q 'delete /probe' told
from=$(tail -n 1 told | cut -d ' ' -f 1)
: >told
echo v >W/app/e
echo v >W/other/e
mv W/app/e W/other/gone
mv W/other/gone W/app/deep/come
mkdir W/other/dir
: >W/other/dir/secret
rm -r W/other/dir
rm A/deep/come
: >A/mark
ok "$(wait_for 20 grep -q 'create /mark' told; echo $?)" "a reader of its events"
is "$(cut -d ' ' -f 2- told)" "create /e 0
set /e 1
move /e - -
move - /deep/come -
delete /deep/come -
create /mark 0" "  is told what is in it, by paths from its root"
timeout 60 head -n 6 "A/.zab/events,from=$from" >again
is "$(cat again)" "$(cat told)" "  and again, from the log"
rm A/mark

# What belongs to the mount.
echo mine >A/.zab/ephemeral/e
exec 9<>A/deep/.zab/sequence,held/job-
read -r -t 20 name <&9
is "$(cat W/app/e; ls W/app/deep)" "mine
$name" "modifiers work"
is "$(grep ^owner W/app/.zab/stat/e | cut -d ' ' -f 2)" "$(grep ^id A/.zab/session | cut -d ' ' -f 2)" "  for its session"
exec 9<&-
ok "$(wait_for 10 test ! -e "W/app/deep/$name"; echo $?)" "  and for its open files"
exec 8<A/f 9<W/app/f
flock 8
flock -n 9
is "$?" 1 "a lock that is taken in the one is taken in the other"
flock -u 8
ok "$(wait_for 10 flock -n 9; echo $?)" "  and free when it is free"
exec 8<&- 9<&-
mv A/f A/deep/f && mv A/deep/f A/f
is "$?:$(cat W/app/f)" 0:w "renames to and from the root"
is "$(errno_of 'import os; os.rmdir("A")'):$(errno_of 'import os; os.rename("A/f", "W/app/f")')" EBUSY:EXDEV "it is a mount like any other"

# Several.
at D //app/deep/ || exit 1
at R /app -o ro || exit 1
echo d >D/d
is "$(cat A/deep/d W/app/deep/d R/deep/d)" $'d\nd\nd' "one in another"
is "$(errno_of 'open("R/f", "w")'):$(cat R/f)" EROFS:w "a read-only one"
mount_stop R

# The replica goes and comes.
: >ev.A
replica_kill9
replica_restart
echo after >W/app/after
ok "$(wait_for 30 grep -qx './ CLOSE_WRITE,CLOSE after' ev.A; echo $?)" "events go on after the replica's restart"
is "$(cat A/after)" after "  and so does the rest"
rm A/after
wait_for 30 grep -qx './ DELETE after' ev.A
wait_for 20 grep -q 'delete /after' told

# It is moved: still the root, and nobody there is told.
: >ev.A
: >told
mv W/app W/other/app2
mkdir W/app
: >W/app/stranger
echo moved >W/other/app2/m
ok "$(wait_for 30 grep -qx './ CLOSE_WRITE,CLOSE m' ev.A; echo $?)" "moved elsewhere, it is the root"
is "$(grep -vE ' (m|session)$' ev.A; ls A)" "deep
e
f
m" "  alone, and without an event"
is "$(txn A $'create /t 1\n'; cat W/other/app2/t)" $'ok create /t\n1' "  paths begin there"
ok "$(wait_for 20 grep -q 'create /t 0' told; echo $?)" "  events tell"
is "$(cut -d ' ' -f 2- told)" $'create /m 0\nset /m 1\ncreate /t 0' "  what is in it, and not where it is"
replica_kill9
replica_restart
is "$(ls A | wc -l)" 5 "  over a restart as well"

# Another fsd goes on, at the same root.
: >ev.A
exec 9<A/f
kill -9 "$(fsd_pid A)"
is "$(ls A | wc -l):$(cat <&9)" 5:w "over the death of fsd, too"
exec 9<&-
echo again >W/other/app2/m
ok "$(wait_for 30 grep -qx './ CLOSE_WRITE,CLOSE m' ev.A; echo $?)" "  and its events are told"
rm W/other/app2/m
ok "$(wait_for 30 grep -qx './ DELETE m' ev.A; echo $?)" "  its root's as well"

# It is removed.
inotifywait -m --format '%w %e %f' D >ev.D 2>ev.D.err &
watch_pids+=($!)
wait_for 60 grep -q established ev.D.err || exit 1
rm W/other/app2/deep/d
rmdir W/other/app2/deep
ok "$(wait_for 30 grep -qx 'D/ ATTRIB,ISDIR ' ev.D; echo $?)" "removed, whoever watches it is told to look"
gone() {
	[[ "$(errno_of "$1")" =~ ^(ENOENT|ESTALE)$ ]]
}
for call in 'import os; os.stat("D")' 'import os; os.listdir("D")' 'open("D/f", "w")' 'open("D/f")' 'import os; os.mkdir("D/d")'; do
	ok "$(gone "$call"; echo $?)" "  nothing is there: $call"
done
mkdir W/other/app2/deep
ok "$(gone 'import os; os.stat("D")'; echo $?)" "  and one of the same name is another"
umount D
ok $? "  umount(8)"
# shellcheck disable=SC2154 # lib.sh sets it
wait_for 20 process_gone "${mountd_pid[D]}"
wait "${mountd_pid[D]}"
is "$?" 0 "  ends it"
unset "mountd_pid[D]"
kill "$reader" 2>/dev/null
wait "$reader" 2>/dev/null

# What isn't there, or is none.
mkdir place
# shellcheck disable=SC2154 # lib.sh sets it
ln -s "$build/zabfs-mountd" mount.zabfs
allow_error 'zabfs-(mountd|fsd)\[[0-9]*\] error: /'
refused() {
	timeout 20 "$build/zabfs-mountd" -f "zabfs.conf:$1" place >out 2>err
	is "$?" 66 "$1: status 66"
	is "$(sed -n 's/.*error: //p' err | sort -u)" "$1: $2" "  and why"
}
refused /nowhere "no such znode"
refused /other/nowhere/deeper "no such znode"
refused /app/stranger "not a directory"
refused /app/../other "no such znode"
ln -s app W/link
refused /link "not a directory"
refused "/$(printf 'x%.0s' {1..256})" "no such znode"
./mount.zabfs "$T/zabfs.conf:/nowhere" place 2>err
is "$?:$(grep -c '/nowhere: no such znode' err)" 66:1 "mount.zabfs fails in the same way"
not_mounted place
ok $? "nothing is left mounted"
open_sessions() {
	awk '$1 == "zabfs_sessions" { print $2 }' W/.zab/metrics
}
three() {
	[ "$(open_sessions)" = 3 ]
}
ok "$(wait_for 10 three; echo $?)" "  and no session is left open"
./mount.zabfs "$T/zabfs.conf:/other/app2" place -o rw,noatime
ok $? "mount.zabfs mounts one"
is "$(ls place)" "$(ls A)" "  that is there"
umount place
ok $? "  until umount(8)"
./mount.zabfs "$T/zabfs.conf://" place
is "$(ls place)" "$(ls W)" "a path without a name is the whole tree"
umount place
cd /
done_testing
