#!/bin/bash
# The races between a change made elsewhere, its echo, and what processes of
# this mount do meanwhile. Each leaves both mounts equal and the last state seen.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1

same() {
	[ "$(find A -printf '%P %y %i %s\n' | sort)" = "$(find B -printf '%P %y %i %s\n' | sort)" ]
}

# B looks a name up again and again while A creates, writes, replaces, removes it.
mkdir A/w
watch_start B/w events
(while [ ! -e stop ]; do cat B/w/* B/w/n >/dev/null 2>>looked; done) &
looker=$!
for i in $(seq 150); do
	echo "$i" >A/w/n
	echo "$i" >A/w/m
	mv A/w/m A/w/n
	rm A/w/n
done
touch stop
wait $looker
touch A/w/end
wait_for 20 grep -q 'CREATE end' events
ok $? "the echo survives a name that is looked up all the time"
is "$(grep -vE 'No such file' looked | head -n 3)" "" "who looks sees the name or doesn't, no other error"
is "$(grep -c Q_OVERFLOW events)" 0 "the watcher has kept up"
is "$(grep -c 'MOVED_TO n' events)" 150 "every rename shows"
is "$(grep -c 'CREATE m' events)" 150 "every creation"
is "$(grep -c 'DELETE n' events)" 150 "every end"
same
ok $? "both are equal"
watch_stop

# Created, removed and created again faster than it can be echoed.
watch_start B/w events2 -e create -e delete --format '%e %f'
python3 - <<'END'
import os
for i in range(300):
    fd = os.open("A/w/again", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.close(fd)
    if i < 299:
        os.unlink("A/w/again")
END
touch A/w/end2
wait_for 20 grep -q 'CREATE end2' events2
is "$(grep -c 'CREATE again' events2) $(grep -c 'DELETE again' events2)" "300 299" "creations and ends come in pairs"
is "$(grep again events2 | head -n 599 | uniq -d)" "" "in turn"
is "$(stat -c %i A/w/again)" "$(stat -c %i B/w/again)" "the last one is the one that is there"
watch_stop

# Many writes of one file: events may be merged, but the last value has one after it.
echo 0 >A/w/counter
watch_start B/w events3 -e close_write --format '%f'
(while read -r _; do cat B/w/counter; done < <(tail -n +1 -f --pid=$$ events3 2>/dev/null)) >values &
reader=$!
python3 - <<'END'
import os
fd = os.open("A/w/counter", os.O_WRONLY)
for i in range(1, 1001):
    os.pwrite(fd, b"%04d\n" % i, 0)
END
wait_for 20 grep -q 1000 values
ok $? "whoever reads at each event reads the last value in the end"
kill $reader 2>/dev/null
wait $reader 2>/dev/null
watch_stop
# (its last cat may still be at it)
cp values told
is "$(sort -n told | cmp - told 2>&1)" "" "and never an older one after a newer"

# A file that is replaced in place, by values of different lengths: a reader sees one of them, whole.
cat >whole.py <<'END'
import os, sys
values = [b"a" * 10, b"b" * 300000, b"c" * 1000000, b"d" * 70000]
if sys.argv[1] == "write":
    for i in range(200):
        fd = os.open("A/w/whole", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(fd, values[i % 4])
        os.close(fd)
    sys.exit()
seen = set()
while not os.path.exists("stop1"):
    for how in "open", "again":
        fd = os.open("B/w/whole", os.O_RDONLY) if how == "open" else fd
        os.lseek(fd, 0, os.SEEK_SET)
        parts = iter(lambda: os.read(fd, 65536), b"")
        value = b"".join(parts)
        if value not in values:
            print(how, len(value), value[:1], value[-1:])
        seen.add(value)
    os.close(fd)
if len(seen) < 2:
    print("nothing changed")
END
echo -n aaaaaaaaaa >A/w/whole
timeout 60 python3 whole.py read >torn &
reader=$!
python3 whole.py write
touch stop1
wait $reader
is "$(head -n 3 torn)" "" "a reader in several parts has one version, and never none"

# One of many wins a name, from whichever mount.
cat >exclusive.py <<'END'
import multiprocessing, os, sys
def work(p):
    won = []
    for i in range(60):
        try:
            os.close(os.open("%s/ex/%d" % ("AB"[p % 2], i), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            won.append(i)
        except FileExistsError:
            pass
        os.close(os.open("%s/ex/all%d" % ("AB"[p % 2], i), os.O_CREAT | os.O_WRONLY))
    return won
with multiprocessing.Pool(6) as pool:
    print(sorted(sum(pool.map(work, range(6), 1), [])) == list(range(60)))
END
mkdir A/ex
watch_start B/ex events7 -e create --format %f
is "$(timeout 60 python3 exclusive.py)" True "O_EXCL from six processes on two mounts: one wins; without it all open"
touch A/ex/end
wait_for 10 grep -qx end events7
is "$(sort events7 | uniq -d)" "" "and each creation is one event"
is "$(sort -u events7 | wc -l)" 121 "  of all"
watch_stop

# A working directory that is removed elsewhere.
for _ in $(seq 40); do
	mkdir A/w/away
	(cd B/w/away && touch ../here && rmdir "$T/A/w/away" && ls . 2>&1; stat -c %h . 2>&1; echo x 2>/dev/null >f || echo refused) >away 2>&1
	echo "$(grep -cE 'Stale|Transport|I/O' away) $(tail -n 1 away)"
done >gone
is "$(sort -u gone)" "0 refused" "a removed working directory is empty, not stale"

# Nothing that is cached is older than what the mount has seen: each fsync is answered behind all
# changes before it.
python3 - >stale <<'END'
import os
a = os.open("A/w/sized", os.O_CREAT | os.O_WRONLY)
b = os.open("B/w/sized", os.O_RDONLY)
for i in range(1, 300):
    os.write(a, b"x")
    os.fsync(b)
    size, data = os.stat("B/w/sized").st_size, os.pread(b, 1000, 0)
    if size != i or len(data) != i:
        print("%d: stat %d, read %d" % (i, size, len(data)))
    os.chmod("A/w/sized", 0o600 + i % 8)
    os.fsync(b)
    if os.stat("B/w/sized").st_mode & 0o7777 != 0o600 + i % 8:
        print("%d: an old mode" % i)
    os.close(os.open("A/w/child%d" % i, os.O_CREAT | os.O_WRONLY))
    os.fsync(b)
    if os.stat("B/w").st_mtime_ns != os.stat("A/w").st_mtime_ns:
        print("%d: an old directory" % i)
END
is "$(head -n 5 stale)" "" "attributes and contents are never older than an answer"

# A file that nobody has looked up, in a directory that is watched.
echo x >A/w/unseen
mount_start C
watch_start C/w events4 --format '%e %f'
echo y >A/w/unseen
wait_for 10 grep -q 'CLOSE_WRITE,CLOSE unseen' events4
ok $? "a change of a file that this mount has never looked up"
mv A/w/unseen A/w/seen
wait_for 10 grep -q 'MOVED_TO seen' events4
ok $? "its rename"
rm A/w/seen
wait_for 10 grep -q 'DELETE seen' events4
ok $? "its end"
watch_stop
mount_stop C

# Open on B while it is removed, replaced and recreated on A.
echo old >A/w/open
exec 8<B/w/open
rm A/w/open
echo new >A/w/open
wait_for 5 grep -q new B/w/open
ok $? "the new file is there"
is "$(cat <&8)" old "the old one is read to its end"
exec 8<&-

# Open for writing there, and never read: it can still be looked at.
exec 8>>B/w/open
rm A/w/open
is "$(stat -L -c '%F %s' /dev/fd/8)" "regular file 4" "fstat of a removed file that is open for writing"
exec 8>&-
echo new >A/w/open

# B removes what A has just created, before or after its echo.
for i in $(seq 100); do
	: >A/w/both
	rm B/w/both || break
done
is "$i" 100 "a name can be removed at once on the other mount"
same
ok $? "both are equal"

# A deep directory moves between parents while it is watched and used.
mkdir -p A/p1 A/p2 A/p1/deep/er/est
echo x >A/p1/deep/er/est/f
cat B/p1/deep/er/est/f >/dev/null
watch_start B events5 -r --format '%w%f %e'
# On a busy machine B's kernel may be told of a move just then, in both of its tries (ESTALE): a third
# one finds it.
again=0
looked() {
	cat "$1/deep/er/est/f" >/dev/null 2>>again && return
	again=$((again + 1))
	cat "$1/deep/er/est/f" >/dev/null
}
for i in $(seq 30); do
	mv A/p1/deep A/p2/deep
	looked B/p2 || break
	mv A/p2/deep A/p1/deep
	looked B/p1 || break
done
is "$i" 30 "a directory is found where it is"
ok "$((again > 3))" "  nearly always at once ($again: $(tail -n 1 again))"
moves() {
	[ "$(grep -c "$1.*,ISDIR" events5)" -eq 60 ]
}
wait_for 30 moves MOVED_FROM && wait_for 30 moves MOVED_TO
ok $? "and each of its 60 moves is seen, both ends"
echo y >A/p1/deep/er/est/f
wait_for 30 grep -q 'est/f CLOSE_WRITE' events5
ok $? "its watches go along"
is "$(cat B/p1/deep/er/est/f)" y "and its content"
watch_stop

# 500 names from A while B lists.
mkdir A/many
(while [ ! -e stop2 ]; do ls -l B/many >/dev/null 2>>listed; done) &
lister=$!
python3 -c 'import os
for i in range(500): os.close(os.open("A/many/%d" % i, os.O_CREAT | os.O_WRONLY))'
touch stop2
wait $lister
is "$(cat listed)" "" "listing meanwhile gives no error"
is "$(find B/many -type f | wc -l)" 500 "and all names in the end"

# Random operations of several processes on both mounts.
cat >operations.py <<'END'
import multiprocessing, os, random, sys, time
def work(seed):
    r = random.Random(seed)
    def path():
        p = r.choice("AB")
        for _ in range(r.randrange(3)):
            p += "/d%d" % r.randrange(3)
        return p + "/" + r.choice(["d0", "d1", "d2", "f0", "f1", "f2"])
    end = time.time() + 4
    while time.time() < end:
        try:
            r.choice([lambda: os.mkdir(path()), lambda: open(path(), "w").write("x" * r.randrange(50)),
                      lambda: open(path(), "a").write("y"), lambda: os.unlink(path()), lambda: os.rmdir(path()),
                      lambda: os.rename(path(), path()), lambda: open(path()).read(),
                      lambda: os.chmod(path(), r.choice([0o644, 0o755])), lambda: os.listdir(os.path.dirname(path()))])()
        except OSError:
            pass
with multiprocessing.Pool(6) as pool:
    pool.map(work, range(int(sys.argv[1]), int(sys.argv[1]) + 6))
END
watch_start B events6 -r
timeout 60 python3 operations.py "${SEED:-1}"
ok $? "random operations of six processes on two mounts"
wait_for 20 same
ok $? "leave both equal"
is "$(grep -h 'event was not raised' mount-*.log | head -n 3)" "" "and no event was given up"

cd /
done_testing
