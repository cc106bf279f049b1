#!/bin/bash
# What one mount does: every operation that a filesystem has, as the shell's
# tools use it.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B
cd "$T/A" || exit 1

# Files.
echo v1 >f
is "$(cat f)" v1 "what is written is read"
echo v2 >>f
is "$(cat f)" $'v1\nv2' "an append is at the end"
echo new >f
is "$(cat f)" new "a redirection replaces the value"
: >f
is "$(stat -c %s f)" 0 "an empty redirection empties it"
printf 0123456789 >f
printf XY | dd of=f bs=1 seek=3 conv=notrunc status=none
is "$(cat f)" 012XY56789 "a write in the middle leaves the rest"
truncate -s 4 f
is "$(cat f)" 012X "truncate cuts"
truncate -s 6 f
is "$(od -An -c f | tr -d ' \n')" '012X\0\0' "truncate fills with zeros"
printf A | dd of=hole bs=1 seek=5 status=none
is "$(od -An -c hole | tr -d ' \n')" '\0\0\0\0\0A' "a hole reads as zeros"
head -c 1044480 /dev/urandom >"$T/big"
cp "$T/big" big
cmp -s "$T/big" big
ok $? "a value of the greatest size is whole"
cat big >big2 && cmp -s big big2
ok $? "and can be copied"
touch touched
is "$(stat -c %s touched)" 0 "touch creates"

# Appends of several processes at once lose nothing.
for p in 1 2 3 4 5 6 7 8; do
	(for i in $(seq 50); do echo "$p $i" >>appended; done) &
	pids[p]=$!
done
wait "${pids[@]}"
is "$(sort -u appended | wc -l)" 400 "eight processes append 50 lines each"
is "$(wc -l <appended)" 400 "and each line once"

# On two mounts at once, where neither kernel knows the end.
for p in 1 2 3 4; do
	mount=A
	[ $((p % 2)) -eq 0 ] || mount=B
	(for i in $(seq 50); do echo "$p $i" >>"$T/$mount/appended2"; done) &
	pids[p]=$!
done
wait "${pids[@]}"
is "$(sort -u appended2 | wc -l) $(wc -l <appended2)" "200 200" "and so on two mounts"

# Directories.
mkdir -p d/e/f
is "$(find d | sort | tr '\n' ' ')" "d d/e d/e/f " "mkdir -p"
rmdir d/e/f
[ ! -e d/e/f ]
ok $? "rmdir"
mkdir many
python3 -c 'import os
for i in range(5000): os.close(os.open("many/n%d" % i, os.O_CREAT | os.O_WRONLY))'
is "$(find many -type f | wc -l)" 5000 "5,000 names are listed"
is "$(find "$T/B/many" -type f | wc -l)" 5000 "on the other mount too"
python3 - many <<'END'
import os, sys
d = sys.argv[1]
it = os.scandir(d)
seen = [next(it).name for _ in range(100)]
for i in range(0, 5000, 7):
    os.unlink("%s/n%d" % (d, i))
for i in range(500):
    os.close(os.open("%s/new%d" % (d, i), os.O_CREAT | os.O_WRONLY))
seen += [e.name for e in it]
stayed = {"n%d" % i for i in range(5000) if i % 7}
sys.exit(0 if stayed <= set(seen) and len(seen) == len(set(seen)) else 1)
END
ok $? "a listing in progress shows what was there all along, once"
rm -rf many
[ ! -e many ]
ok $? "rm -rf of a big directory"

# Links, names, moves.
ln -s f link
is "$(readlink link)" f "a symbolic link"
ln -sfn hole link
is "$(readlink link)" hole "ln -sfn replaces it"
echo one >a
echo two >b
mv a b
is "$(cat b)" one "mv replaces"
[ ! -e a ]
ok $? "and the old name is gone"
echo x >x
mv -n x b
is "$(cat x)$(cat b)" xone "mv -n does not"
python3 - <<'END'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
rename = lambda a, b, flags: libc.renameat2(-100, a.encode(), -100, b.encode(), flags)
ok = rename("x", "b", 1) == -1 and ctypes.get_errno() == 17
ok = ok and rename("x", "b", 2) == 0 and open("x").read() == "one\n" and open("b").read() == "x\n"
ok = ok and rename("x", "fresh", 1) == 0 and open("fresh").read() == "one\n"
sys.exit(0 if ok else 1)
END
ok $? "renameat2 with NOREPLACE and EXCHANGE"
mkdir d1 d2
echo in >d1/in
mv d1 d2/moved
is "$(cat d2/moved/in)" in "a directory moves with what is in it"
(while [ ! -e stop ]; do
	v=$(cat cfg 2>/dev/null)
	case $v in v1 | v2 | '') ;; *) echo "torn: $v" ;; esac
done >"$T/torn") &
reader=$!
echo v1 >cfg
for i in $(seq 100); do
	echo v$((i % 2 + 1)) >cfg.tmp && mv cfg.tmp cfg
done
touch stop
wait $reader
is "$(cat "$T/torn")" "" "a reader never sees a half-replaced file"

# Attributes.
chmod 640 f
is "$(stat -c %a f)" 640 "chmod"
chown 1000:1001 f
is "$(stat -c %u:%g f)" 1000:1001 "chown"
is "$(stat -c %h d f | tr '\n' ' ')" "1 1 " "one link each"
is "$(stat -c %i f)" "$(stat -c %i "$T/B/f")" "the inode number is the same on every mount"
before=$(stat -c %i b)
rm b
echo again >b
[ "$(stat -c %i b)" != "$before" ]
ok $? "a name created again has another inode number"
before=$(stat -c %Y.%y f)
touch f
[ "$(stat -c %Y.%y f)" != "$before" ]
ok $? "touch sets the time to now"
touch -d 2001-01-01 f 2>"$T/err"
grep -q 'not permitted' "$T/err"
ok $? "another time is refused: EPERM"
chmod 600 f
chown 0:0 f
setpriv --reuid=1000 --regid=1000 --clear-groups cat f 2>"$T/err"
grep -q 'Permission denied' "$T/err"
ok $? "the kernel enforces the modes"
mkdir -m 700 closed
setpriv --reuid=1000 --regid=1000 --clear-groups ls closed 2>"$T/err" >/dev/null
grep -q 'Permission denied' "$T/err"
ok $? "of directories too"
chmod 2775 d2
mkdir d2/sub
is "$(stat -c %A d2/sub | cut -c7)" s "a set-group-ID directory hands it on"

# The rest.
df "$T/A" >/dev/null
ok $? "statfs"
sync f && sync d
ok $? "fsync of a file and of a directory"
getfattr -d f 2>&1 | grep -q 'not supported'
ok $? "no extended attributes"
sed -i s/one/three/ fresh
is "$(cat fresh)" three "sed -i"
mkdir tree && cp -r d2 f tree/ && diff -r d2 tree/d2
ok $? "cp -r, diff -r"
tar cf "$T/t.tar" tree && mkdir out && tar xmf "$T/t.tar" -C out && diff -r tree out/tree
ok $? "tar there and back"
printf '#!/bin/sh\necho ran\n' >script && chmod +x script
is "$(./script)" ran "a script runs"
cp /bin/true true && ./true
ok $? "a program runs"
exec 7<f
rm f
read -r -N 4 -u 7 got
is "$got" 012X "an open file is read to its end after its name is gone"
exec 7<&-

cd /
done_testing
