#!/bin/bash
# What was moved elsewhere, and is moved on, or removed, by a process of this mount
# before it was told: the old name goes, and whoever watches it hears of it.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
mkdir A/d A/busy A/d/dir A/d/gone A/d/y A/way A/way2 A/there A/d/by-dir A/way/from-dir
: >A/d/by && : >A/way/from
for f in file removed twice x new over new2 over2 again dir/inner; do
	echo v >"A/d/$f"
done
cat B/d/file B/d/removed B/d/twice B/d/x B/d/new B/d/over B/d/new2 B/d/over2 B/d/again B/d/dir/inner >/dev/null
ls B/d/gone B/d/y B/way/* B/way2 B/there B/d/by-dir >/dev/null
echo v >A/busy/f && cat B/busy/f >/dev/null
watch_start B/d events --format '%e %f'
watch_start B/d/dir inner --format '%e %f'
watch_start B/there there --format '%e %f'
# So that the kernel knows them.
watch_start B/way2 way2 --format '%e %f'
watch_start B/way way --format '%e %f'

# The echo is held up until A has moved what B moves on.
mkfifo told
cat >moves.py <<'PY'
import ctypes, held, os
libc = ctypes.CDLL(None, use_errno=True)
hold = held.hold()
os.rename("A/d/file", "A/d/file2")
os.rename("A/d/removed", "A/d/removed2")
os.rename("A/d/twice", "A/d/twice2")
os.rename("A/d/twice2", "A/d/twice3")
os.rename("A/d/dir", "A/d/dir2")
os.rename("A/d/gone", "A/d/gone2")
assert libc.renameat2(-100, b"A/d/x", -100, b"A/d/y", 2) == 0
os.rename("A/d/new", "A/d/over")
os.rename("A/d/new2", "A/d/over2")
for name in "by", "by-dir":
    os.rename("A/d/" + name, "A/way2/" + name)
    os.rename("A/way2/" + name, "A/there/" + name)
for name in "from", "from-dir":
    os.rename("A/way/" + name, "A/there/" + name)
with open("A/d/again", "w") as f:
    f.write("w")
os.chmod("A/d/again", 0o600)
os.remove("A/d/again")
open("A/d/again", "w").close()
fd = os.open("B/d", os.O_RDONLY)
os.fsync(fd)
os.stat("B/d/again")  # the kernel knows the new one by the name, before the old one's end is told
used = os.open("B/way", os.O_RDONLY), os.open("B/way2", os.O_RDONLY)
os.rmdir("B/way")
os.rmdir("B/way2")
os.rename("B/d/file2", "B/d/file3")
os.remove("B/d/removed2")
os.rename("B/d/twice3", "B/d/twice4")
os.rename("B/d/dir2", "B/d/dir3")
os.rmdir("B/d/gone2")
os.rename("B/d/y", "B/d/z")  # which was x
os.remove("B/d/over")  # which the kernel takes for what it was
os.rename("B/d/over2", "B/d/over3")
open("A/d/end", "w").close()
os.close(hold)
os.chdir("B/d/dir3")
open("../../../told").read()
print(os.path.relpath(os.getcwd(), "../../.."))
PY
# shellcheck disable=SC2154 # lib.sh sets it
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/tests/fs python3 moves.py >out &
moves=$!
wait_for 60 grep -q 'CREATE end' events
ok $? "all is told"
echo >told
wait $moves
is "$(cat out)" B/d/dir3 "who stands in a directory stays there"
is "$(ls B/d)" "again
dir3
end
file3
over3
twice4
x
z" "everything is where it was taken"
is "$(for f in file file2 removed twice twice2 twice3 dir dir2 gone gone2 y new over new2 over2; do stat "B/d/$f"; done 2>&1 | grep -vc 'No such file')" 0 "and under no other name"
is "$(stat -c %F B/d/x B/d/z)" "directory
regular file" "of two that were exchanged each is itself"
# An event of NAME must have been the last one.
last() {
	grep " $2\$" events | tail -n 1 | cut -d ' ' -f 1 | cut -d , -f 1 | sed "s/^/$2 /" | grep -qx "$2 $1"
}
for f in file file2 twice twice2 twice3 dir dir2 gone y new new2 over2; do
	last MOVED_FROM $f
	ok $? "$f: whoever watches hears that it went"
done
is "$(sort there)" "MOVED_TO by
MOVED_TO from
MOVED_TO,ISDIR by-dir
MOVED_TO,ISDIR from-dir" "what came through a directory that is removed by now, or from one, has come"
for f in by by-dir; do
	last MOVED_FROM $f
	ok $? "  and $f went"
done
is "$(grep ' again$' events | grep -v 'OPEN' | sed 's/,CLOSE//')" "MODIFY again
CLOSE_WRITE again
ATTRIB again
DELETE again
CREATE again" "of a name at which another file is by now the old one's changes are told"
for f in removed gone2 removed2 over; do
	last "\(MOVED_FROM\|DELETE\)" $f
	ok $? "$f: likewise"
done
for f in file3 twice4 dir3 x z over3; do
	last MOVED_TO $f
	ok $? "$f: that it came"
done
touch A/d/dir3/more
wait_for 20 grep -q 'CREATE more' inner
ok $? "a watch of the directory goes on"
is "$(cat B/d/dir3/inner)" v "  and what is in it is there"

cd /
done_testing
