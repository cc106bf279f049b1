#!/bin/bash
# A change made through mount A comes out of mount B as inotify events: the
# ones that a local directory would give. What B's own kernel would add for
# whoever makes the change (OPEN of a new file, O_TRUNC's MODIFY) it cannot
# know; both lists are written down here.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1

# The events of one operation on A, seen in B/w: name and kind, one a line.
# ACCESS, and opening and closing of directories, are the watcher's own looking.
seen() {
	local events marker=mark.$RANDOM$RANDOM
	touch "$T/A/w/$marker"
	wait_for 30 grep -q "CREATE $marker" "$T/events" || echo "the marker didn't come"
	events=$(grep -v -e mark. -e ACCESS -e 'ISDIR *$' -e CLOSE_NOWRITE -e 'OPEN,ISDIR' "$T/events" |
		tail -n +$(($(cat "$T/passed") + 1)))
	# This runs in a subshell: what was looked at is remembered in a file.
	[ -z "$events" ] || echo $(($(cat "$T/passed") + $(wc -l <<<"$events"))) >"$T/passed"
	printf '%s' "$events" | sed 's/,CLOSE\b//; s/ *$//' | paste -sd' '
}
echo 0 >"$T/passed"

# watched OPERATION EVENTS TEXT
watched() {
	(cd "$T/A/w" && eval "$1")
	is "$(seen)" "$2" "${3:-$1}"
}

mkdir "$T/A/w" "$T/A/other"
wait_for 5 test -d "$T/B/w" -a -d "$T/B/other"
inotifywait -m --format '%e %f' "$T/B/w" >"$T/events" 2>"$T/events.err" &
watch_pids+=($!)
wait_for 60 grep -q established "$T/events.err" || exit 1

watched 'echo v1 >f' 'CREATE f OPEN f MODIFY f CLOSE_WRITE f'
watched 'echo v2 >f' 'OPEN f MODIFY f CLOSE_WRITE f'
watched 'echo v3 >>f' 'OPEN f MODIFY f CLOSE_WRITE f'
watched 'truncate -s 1 f' 'OPEN f MODIFY f CLOSE_WRITE f'
watched 'chmod 600 f' 'ATTRIB f'
watched 'chown 7:7 f' 'ATTRIB f'
watched 'mv f g' 'MOVED_FROM f MOVED_TO g'
watched 'echo x >h; mv h g' 'CREATE h OPEN h MODIFY h CLOSE_WRITE h MOVED_FROM h MOVED_TO g' 'a rename over a file'
watched 'mv g ../other/g' 'MOVED_FROM g'
watched 'mv ../other/g g' 'MOVED_TO g'
watched 'rm g' 'DELETE g'
watched 'ln -s target l' 'CREATE l'
watched 'rm l' 'DELETE l'
watched 'mkdir d' 'CREATE,ISDIR d'
watched 'chmod 700 d' 'ATTRIB,ISDIR d'
watched 'mv d e' 'MOVED_FROM,ISDIR d MOVED_TO,ISDIR e'
watched 'mv e ../other/e' 'MOVED_FROM,ISDIR e' 'a directory leaves'
watched 'mv ../other/e e' 'MOVED_TO,ISDIR e' 'a directory comes'
watched 'rmdir e' 'DELETE,ISDIR e'
watched 'echo 1 >p; echo 2 >q' 'CREATE p OPEN p MODIFY p CLOSE_WRITE p CREATE q OPEN q MODIFY q CLOSE_WRITE q' 'two files'
watched 'python3 -c "
import ctypes
ctypes.CDLL(None).renameat2(-100, b\"p\", -100, b\"q\", 2)"' 'MOVED_FROM p MOVED_TO q MOVED_FROM q MOVED_TO p' 'an exchange'
is "$(cat "$T/B/w/p" "$T/B/w/q")" $'2\n1' "and it is one"
seen >/dev/null
watched 'rm p q' 'DELETE p DELETE q'
watched 'exec 9>.zab/ephemeral/eph; exec 9>&-' 'CREATE eph' 'an ephemeral'
watched 'rm eph' 'DELETE eph' 'its end'
watched 'exec 9>.zab/held/mine; exec 9>&-' 'CREATE mine DELETE mine' 'a held node comes and goes'

watched 'echo 1 >n' 'CREATE n OPEN n MODIFY n CLOSE_WRITE n'
watched ': >n' 'OPEN n MODIFY n CLOSE_WRITE n' 'emptied by a redirection alone'
watched 'touch n' 'ATTRIB n'
watched 'rm n' 'DELETE n'
watched 'ln -s a l; chown -h 7 l' 'CREATE l ATTRIB l' 'the owner of a link'
watched 'ln -s b l2; mv -T l2 l' 'CREATE l2 MOVED_FROM l2 MOVED_TO l' 'a link that is switched'
watched 'rm l' 'DELETE l'
watched 'mkdir d e; mv -T d e' 'CREATE,ISDIR d CREATE,ISDIR e MOVED_FROM,ISDIR d MOVED_TO,ISDIR e' 'a directory over an empty one'
watched 'echo x >f; python3 -c "
import ctypes
ctypes.CDLL(None).renameat2(-100, b\"f\", -100, b\"e\", 2)"' 'CREATE f OPEN f MODIFY f CLOSE_WRITE f MOVED_FROM f MOVED_TO e MOVED_FROM,ISDIR e MOVED_TO,ISDIR f' 'a file and a directory exchange'
watched 'rm e; rmdir f' 'DELETE e DELETE,ISDIR f'
watched 'mv -n /dev/null none 2>/dev/null; echo x >g; mv -n g h' 'CREATE g OPEN g MODIFY g CLOSE_WRITE g MOVED_FROM g MOVED_TO h' 'RENAME_NOREPLACE'
watched 'exec 9>.zab/ephemeral/eph; echo x >&9; exec 9>&-; rm h eph' 'CREATE eph OPEN eph MODIFY eph CLOSE_WRITE eph DELETE h DELETE eph' 'what is written through a modifier'

# One cookie joins the halves of a move, and events come to a watched file itself.
watch_stop
echo x >"$T/A/w/self"
echo y >"$T/A/w/over"
cat "$T/B/w/self" "$T/B/w/over" >/dev/null
cat >"$T/raw.py" <<'END'
import ctypes, os, select, struct, sys
libc = ctypes.CDLL(None)
fd = libc.inotify_init1(os.O_NONBLOCK)
names = {libc.inotify_add_watch(fd, p.encode(), 0xfc6 | 0x4): os.path.basename(p) for p in sys.argv[1:]}
print("ready", flush=True)
kinds = {0x2: "MODIFY", 0x4: "ATTRIB", 0x40: "MOVED_FROM", 0x80: "MOVED_TO", 0x100: "CREATE", 0x200: "DELETE",
         0x400: "DELETE_SELF", 0x800: "MOVE_SELF", 0x8000: "IGNORED"}
while True:
    if not select.select([fd], [], [], 120)[0]:
        break
    data = os.read(fd, 65536)
    while data:
        wd, mask, cookie, n = struct.unpack("iIII", data[:16])
        name = data[16:16 + n].rstrip(b"\0").decode()
        data = data[16 + n:]
        print(names[wd], "+".join(k for b, k in kinds.items() if mask & b), name, cookie, flush=True)
END
# FILE PATH…: returns when they are watched; what a busy machine's watcher comes too late for is no test.
raw_start() {
	local file=$1
	shift
	python3 "$T/raw.py" "$@" >"$T/$file" &
	watch_pids+=($!)
	wait_for 60 grep -q ready "$T/$file" && return 0
	echo "# the watcher did not start: $*"
	return 1
}
raw_start raw "$T/B/w" "$T/B/w/self" "$T/B/w/over" || exit 1
mv "$T/A/w/self" "$T/A/w/over"
rm "$T/A/w/over"
wait_for 30 grep -q 'self DELETE_SELF' "$T/raw"
ok $? "DELETE_SELF comes to the file's own watch"
is "$(grep -c 'self MOVE_SELF' "$T/raw")" 1 "MOVE_SELF too"
is "$(grep -c 'over DELETE_SELF' "$T/raw")" 1 "what a rename replaced gets its DELETE_SELF"
is "$(grep -E 'MOVED' "$T/raw" | awk '{ print $4 }' | sort | uniq -c | awk '{ print $1 }')" 2 "one cookie joins the two halves"
watch_stop

# A directory's own value.
watch_start "$T/B/w/.zab" "$T/zab" -e modify -e close_write --format '%e %f'
cat "$T/B/w/.zab/data"
echo config >"$T/A/w/.zab/data"
wait_for 30 grep -q 'CLOSE_WRITE,CLOSE data' "$T/zab"
ok $? "a directory's own value"
is "$(cat "$T/B/w/.zab/data")" config "and there it is"
watch_stop

# Nobody sees his own changes twice.
mkdir "$T/A/own"
watch_start "$T/A/own" "$T/own" --format '%e %f'
(cd "$T/A/own" && echo x >f && chmod 600 f && mv f g && rm g && mkdir d && rmdir d)
touch "$T/B/own/end"
wait_for 30 grep -q 'CREATE end' "$T/own"
is "$(grep -v end "$T/own" | paste -sd' ')" "CREATE f OPEN f MODIFY f CLOSE_WRITE,CLOSE f ATTRIB f MOVED_FROM f MOVED_TO g DELETE g CREATE,ISDIR d DELETE,ISDIR d" "A sees its own changes once"
watch_stop
# What is done through a modifier the kernel has not seen at the real name: it is told, once.
watch_start "$T/A/own" "$T/own2" --format '%e %f'
(cd "$T/A/own" && exec 9>.zab/ephemeral/e && echo x >&9 && exec 9>&-)
# (what isn't told yet when its node is removed here never is)
wait_for 30 grep -q 'CLOSE_WRITE,CLOSE e' "$T/own2"
(cd "$T/A/own" && rm e && exec 9>.zab/held/h && exec 9>&-)
wait_for 30 grep -q 'DELETE h' "$T/own2"
touch "$T/B/own/end2"
wait_for 30 grep -q 'CREATE end2' "$T/own2"
is "$(grep -v end "$T/own2" | paste -sd' ')" "CREATE e OPEN e MODIFY e CLOSE_WRITE,CLOSE e DELETE e CREATE h DELETE h" "and those through a modifier"
watch_stop

# Directories themselves, both ends of a move between two, and the root.
mkdir "$T/A/two" "$T/A/w/dir" "$T/A/w/over"
echo x >"$T/A/w/moved"
ls "$T/B/w" "$T/B/two" >/dev/null
raw_start raw2 "$T/B/w" "$T/B/two" "$T/B/w/dir" "$T/B/w/over" "$T/B" || exit 1
mv "$T/A/w/moved" "$T/A/two/moved"
mv -T "$T/A/w/dir" "$T/A/w/over"
rmdir "$T/A/w/over"
chmod 700 "$T/A"
wait_for 30 grep -q 'B ATTRIB' "$T/raw2"
ok $? "ATTRIB comes to the root's own watch"
is "$(awk '$3 == "moved" { print $1, $2 }' "$T/raw2" | paste -sd' ')" "w MOVED_FROM two MOVED_TO" "a move between two directories is seen in both"
is "$(awk '$3 == "moved" { print $4 }' "$T/raw2" | uniq | wc -l)" 1 "with one cookie"
is "$(grep -c 'dir MOVE_SELF' "$T/raw2") $(grep -c 'dir DELETE_SELF' "$T/raw2") $(grep -c 'over DELETE_SELF' "$T/raw2")" "1 1 1" "directories have MOVE_SELF and DELETE_SELF, too"
watch_stop
chmod 755 "$T/A"

# A watch deep below a directory that moves, with nobody there who looks up the names again.
mkdir -p "$T/A/one" "$T/A/one/top/mid/low"
echo x >"$T/A/one/top/mid/low/f"
cat "$T/B/one/top/mid/low/f" >/dev/null
watch_start "$T/B/one/top/mid/low" "$T/low" --format '%e %f'
mv "$T/A/one/top" "$T/A/two/top"
echo y >"$T/A/two/top/mid/low/f"
wait_for 30 grep -q 'CLOSE_WRITE,CLOSE f' "$T/low"
ok $? "a directory has moved: a value far below it"
touch "$T/A/two/top/mid/low/new"
wait_for 30 grep -q 'CREATE new' "$T/low"
ok $? "a name there"
mv "$T/A/two/top" "$T/A/two/top2"
rm "$T/A/two/top2/mid/low/f"
wait_for 30 grep -q 'DELETE f' "$T/low"
ok $? "renamed where it is: a removal"
watch_stop

# A watched file whose directory and name the kernel forgets: only the file is still known.
mkdir -p "$T/A/deep/er"
echo x >"$T/A/deep/er/f"
cat "$T/B/deep/er/f" >/dev/null
raw_start raw3 "$T/B/deep/er/f" || exit 1
sync "$T/B/deep/er/f"
echo 2 >/proc/sys/vm/drop_caches
echo y >"$T/A/deep/er/f"
wait_for 30 grep -q 'f MODIFY' "$T/raw3"
ok $? "a file whose directory is forgotten: MODIFY"
chmod 600 "$T/A/deep/er/f"
wait_for 30 grep -q 'f ATTRIB' "$T/raw3"
ok $? "ATTRIB"
mv "$T/A/deep/er/f" "$T/A/deep/g"
wait_for 30 grep -q 'f MOVE_SELF' "$T/raw3"
ok $? "MOVE_SELF"
rm "$T/A/deep/g"
wait_for 30 grep -q 'f DELETE_SELF' "$T/raw3"
ok $? "DELETE_SELF"
watch_stop

# The sequence that a new user would try.
watch_start "$T/B" "$T/seq" -r --format '%w%f %e'
(cd "$T" && mkdir A/app && echo v1 >A/app/config && wait_for 5 grep -q v1 B/app/config && echo v2 >A/app/config &&
	mv A/app/config A/app/old && rm A/app/old && rmdir A/app)
ok $? "the tour's commands"
wait_for 30 grep -q 'app DELETE,ISDIR' "$T/seq"
ok $? "every step shows, to the last"
sequence=$(grep -oE '(app|config|old) (CREATE|CREATE,ISDIR|MOVED_FROM|MOVED_TO|DELETE|DELETE,ISDIR)$' "$T/seq" | grep -v '^config CREATE' | paste -sd' ')
is "$sequence" "app CREATE,ISDIR config MOVED_FROM old MOVED_TO old DELETE app DELETE,ISDIR" "in order"

done_testing
