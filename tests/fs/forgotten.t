#!/bin/bash
# Short of memory the kernel drops names that nobody uses: a watch keeps a
# directory, not what it is called. A remount makes it drop all of a mount's.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1

# mount(2) itself: mount(8) would ask us.
drop_names() {
	python3 - B <<-'END'
		import ctypes, os, sys
		MS_NOSUID, MS_NODEV, MS_REMOUNT = 2, 4, 32
		libc = ctypes.CDLL(None, use_errno=True)
		if libc.mount(b"zabfs", sys.argv[1].encode(), None, MS_REMOUNT | MS_NOSUID | MS_NODEV, None):
		    sys.exit(os.strerror(ctypes.get_errno()))
	END
}

count() {
	grep -cE "$1" "$2"
}
told() {
	[ "$(count "$1" "$2")" -ge "$3" ]
}

mkdir -p A/w/deep/er
echo 0 >A/w/deep/er/watched
watch_start B/w/deep/er events
for i in $(seq 20); do
	drop_names || echo "remount: $?"
	echo "$i" >A/w/deep/er/n
	wait_for 10 told 'CLOSE_WRITE.* n$' events "$i" || echo "$i: nothing"
done >missed 2>&1
is "$(cat missed)" "" "a watch tells what happens below a directory whose name the kernel has dropped"
is "$(count 'CREATE n$' events)" 1 "  once"
is "$(stat -c '%n %i %h %F' B/w/deep/er)" "B/w/deep/er $(stat -c %i A/w/deep/er) 1 directory" "and the path still leads to it"
is "$(cat B/w/deep/er/n)" 20 "  and below it"

# The real name is another one meanwhile.
drop_names
mv A/w/deep A/w/deeper
echo 1 >A/w/deeper/er/moved
wait_for 10 grep -q 'CLOSE_WRITE.* moved' events
ok $? "what is above it is moved"
drop_names
mv A/w/deeper/er A/er
wait_for 10 grep -q MOVE_SELF events
ok $? "it is moved itself: it is told so"
echo 1 >A/er/again
wait_for 10 grep -q 'CLOSE_WRITE.* again' events
ok $? "  and what happens below it then"
is "$(ls B/er)" "$(ls A/er)" "the new path leads to it"

drop_names
rm A/er/*
wait_for 10 grep -q 'DELETE watched' events
ok $? "what is below it is removed"
drop_names
rmdir A/er
wait_for 10 grep -q DELETE_SELF events
ok $? "it is removed itself"
watch_stop

# A directory's own value is told in its .zab.
mkdir -p A/v/w
watch_start B/v/w/.zab events2
drop_names
echo value >A/v/w/.zab/data
wait_for 10 grep -q 'CLOSE_WRITE.* data' events2
ok $? "a directory's own value"
watch_stop

# Somebody looks the path up all the time, and the kernel drops the names under him.
mkdir -p A/x/y/z
watch_start B/x/y/z events3
(while [ ! -e stop ]; do cat B/x/y/z/* 2>&1; done | grep -v 'No such file' >looked) &
looker=$!
for i in $(seq 50); do
	drop_names
	echo "$i" >"A/x/y/z/$i"
	rm "A/x/y/z/$i"
done
touch A/x/y/z/end
wait_for 20 grep -q 'CREATE end' events3
ok $? "while somebody walks through it"
touch stop
wait $looker
is "$(count 'CREATE [0-9]+$' events3) $(count 'DELETE [0-9]+$' events3)" "50 50" "  each event comes, once"
is "$(grep -vxE '[0-9]*' looked | head -n 3)" "" "  and he never sees an error"
is "$(grep 'inotify event' mount-B.log)" "" "the log tells of no lost event"
watch_stop

# Other things are moved from one directory to another all the time. (While an event is told, a
# look-up by the path moves the directory from one name to the other, for which the kernel only tries
# a lock: where that is taken it is ESTALE. The name is kept for so short a time that this hardly happens.)
mkdir A/m1 A/m2
: >A/m1/n
watch_start B/x/y/z events4
rm stop
(while [ ! -e stop ]; do mv B/m1/n B/m2/n && mv B/m2/n B/m1/n; done) &
mover=$!
for i in $(seq 50); do
	drop_names
	echo "$i" >A/x/y/z/again
	wait_for 10 told 'CLOSE_WRITE.* again' events4 1
	cat B/x/y/z/again
done 2>&1 >seen | grep -v 'Stale file handle' >looked
touch stop
wait $mover
is "$(cat looked)" "" "nobody who looks the path up sees an error, whatever is moved meanwhile"
[ "$(wc -l <seen)" -ge 48 ]
ok $? "  and hardly ever one that it has moved: $(wc -l <seen) of 50"
watch_stop

done_testing
