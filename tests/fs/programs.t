#!/bin/bash
# Programs of every day on a mount: what they make is what they make on a local
# filesystem, here and on another mount; what can't be fails at once, with the errno of the
# table in zabfs(7), and leaves nothing behind.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A -o timeout=60s && mount_start B -o timeout=60s || exit 1
cd "$T" || exit 1
export LC_ALL=C HOME=$T GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b

# Runs it, and says its status; what it printed is in `out`.
status() {
	timeout 100 "$@" >out 2>&1 </dev/null
	echo $?
}
# Whether two trees are the same to whoever reads them.
same() {
	diff -r --no-dereference "$1" "$2" >&2 &&
		diff <(cd "$1" && find . ! -type d -printf '%p %m %U %G %y %s %l\n' | sort) \
			<(cd "$2" && find . ! -type d -printf '%p %m %U %G %y %s %l\n' | sort) >&2 &&
		diff <(cd "$1" && find . -type d -printf '%p %m %U %G\n' | sort) \
			<(cd "$2" && find . -type d -printf '%p %m %U %G\n' | sort) >&2
	echo $?
}
# What it says that is not about times.
complaints() {
	grep -vE 'preserving times|failed to set times|Cannot utime|some files/attrs were not|previous errors' out
}

# shellcheck disable=SC2154 # from lib.sh
mkdir src && cp -r "$here/man" "$here/mountd" "$here/tests/fs/recipes" src
ln -s man/zabfs.7 src/link
ln -s nowhere src/dangling
mkdir -m 700 src/private src/private/empty
touch "src/private/a name" src/private/.hidden
chmod 640 src/private/.hidden
chown 12345:12346 src/mountd/main.c
head -c 1000000 /dev/urandom >src/big

# Copies. Times other than now are refused: cp and rsync say so, and stop at that file's mode.
is "$(status cp -a --no-preserve=timestamps src A/cp):$(cat out):$(same src A/cp)" 0::0 "cp -a, without times"
is "$(same src B/cp)" 0 "  on the other mount, too"
is "$(status cp -a src A/cp2):$(complaints):$(diff -r --no-dereference src A/cp2)" 1:: "cp -a copies all contents, and complains of times"
is "$(status cp -r src A/plain):$(cat out)" "0:" "cp -r has nothing to say"
head -c 1000000 /dev/zero >million
cp million A/by-cp && cat million >A/by-cat && cp A/by-cp A/within
is "$(grep -h ^version A/.zab/stat/{by-cp,by-cat,within} | xargs):$(cmp million B/within)" "version 1 version 1 version 16:" \
	"a large value is one transaction, but where cp finds it in the same mount"
rm A/by-cp A/by-cat A/within
is "$(status mv A/plain A/moved):$(test -e A/plain; echo $?):$(diff -r --no-dereference src B/moved)" 0:1: "mv of a directory"
is "$(status mv A/cp moved):$(cat out):$(same src moved):$(test -e B/cp; echo $?)" 0::0:1 "mv to another filesystem"
is "$(status mv moved A/cp):$(complaints):$(same src B/cp):$(test -e moved; echo $?)" 0::0:1 "  and back, with a word of times"
is "$(status rsync -a src/ A/rsync):$(complaints):$(diff -r --no-dereference src B/rsync)" 23:: "rsync -a complains of times, too"
is "$(status rsync -a --no-times src/ A/rsync2):$(cat out):$(same src B/rsync2)" 0::0 "rsync -a --no-times"
echo more >>src/recipes/lock
is "$(status rsync -ai --no-times --checksum --delete src/ A/rsync2):$(sed 's/^[^ ]* //' out):$(same src A/rsync2)" "0:recipes/lock:0" \
	"  again: what has changed and nothing else"
tar cf src.tar src
is "$(status tar xmpf src.tar -C A --one-top-level=tar):$(cat out):$(same src B/tar/src)" 0::0 "tar -m"
is "$(status tar xpf src.tar -C A --one-top-level=tar2):$(complaints):$(same src A/tar2/src)" 2::0 "tar, without -m, says something of times"
is "$(status tar cf A/kept.tar --exclude big -C B/tar src):$(tar tf B/kept.tar | sort | md5sum)" \
	"0:$(tar tf src.tar | grep -v '^src/big$' | sort | md5sum)" "an archive on the mount, of what is on the other"

# Editors.
is "$(status sed -i 's/zabfs/ZabFS/g' A/cp/man/zabfs.7):$(cat out)" 0: "sed -i"
is "$(sed 's/zabfs/ZabFS/g' src/man/zabfs.7 | cmp - B/cp/man/zabfs.7; echo $?)" 0 "  does what it does elsewhere"
is "$(status ex -s -c '%s/zabfs/vi/ge' -c 'wq' A/cp/man/zabfs.conf.5):$(cat out)" 0: "vi"
is "$(sed 's/zabfs/vi/g' src/man/zabfs.conf.5 | cmp - B/cp/man/zabfs.conf.5; echo $?)" 0 "  has written the file"
is "$(find A -name '.*.sw?' -o -name '*~')" "" "  and left nothing else"
is "$(stat -c '%a %U' A/cp/man/zabfs.7)" "$(stat -c '%a %U' src/man/zabfs.7)" "  modes and owners stay"
is "$(find A/cp -type f -size +900k -perm 644):$(find A/cp -type l -lname 'man/*'):$(find B/cp -empty -user root | sort | tr '\n' ' ')" \
	"A/cp/big:A/cp/link:B/cp/private/.hidden B/cp/private/a name B/cp/private/empty " "find"
is "$(status rm -r A/cp2 A/moved A/rsync A/rsync2 A/tar A/tar2 A/kept.tar):$(cat out):$(ls B)" 0::cp "rm -r"

# git, with its locks, renames and mappings.
git_status() {
	status git "$@"
}
is "$(git_status init -q A/repo):$(cat out)" 0: "git init"
cp -r src/man src/mountd A/repo
is "$(git_status -C A/repo add .)$(git_status -C A/repo commit -qm one):$(cat out)" 00: "git add, commit"
echo x >>A/repo/man/zabfs.7
is "$(git_status -C A/repo commit -qam two)$(git_status -C B/repo log --oneline):$(wc -l <out)" 00:2 "  and again; the other mount has the log"
is "$(git_status -C A/repo fsck --full --strict)$(git_status -C A/repo gc -q --prune=now)$(git_status -C B/repo fsck --full):$(cat out)" 000: "git fsck, gc"
is "$(git_status clone -q --no-local A/repo A/clone)$(git_status -C B/clone status --short):$(cat out)" 00: "git clone"
is "$(git_status clone -q B/repo local):$(diff -r -x .git local A/clone; echo $?)" 0:0 "  from the mount to a local directory"
echo y >local/new
is "$(cd local && git add new && git commit -qm three && git push -q origin HEAD:refs/heads/other 2>&1; echo $?)" 0 "git push"
is "$(git_status -C A/repo merge -q other):$(cat B/repo/new)" 0:y "git merge"
is "$(git_status -C A/clone pull -q):$(diff -r -x .git A/repo B/clone; echo $?)" 0:0 "git pull"

# Followers.
echo one >A/log
timeout 100 tail -s 0.1 --max-unchanged-stats=1 -F A/log >tailed 2>/dev/null &
tail=$!
said() {
	[ "$(tr '\n' ' ' <tailed)" = "$1" ]
}
wait_for 30 said "one "
echo two >>B/log
wait_for 30 said "one two "
echo three >B/log.new && mv B/log.new B/log
wait_for 30 said "one two three "
echo four >>A/log
wait_for 30 said "one two three four "
ok $? "tail -F: lines from both mounts, over a file that is replaced"
kill $tail
cat >watch.py <<'END'
import ctypes, os, select, struct, sys
libc = ctypes.CDLL(None)
NAMES = {0x2: "MODIFY", 0x4: "ATTRIB", 0x8: "CLOSE_WRITE", 0x40: "MOVED_FROM", 0x80: "MOVED_TO", 0x100: "CREATE", 0x200: "DELETE"}
fd = libc.inotify_init()
assert libc.inotify_add_watch(fd, sys.argv[1].encode(), sum(NAMES)) > 0
print("watches", flush=True)
while True:
    data = os.read(fd, 65536)
    while data:
        _, mask, cookie, size = struct.unpack_from("iIII", data)
        name = data[16:16 + size].rstrip(b"\0").decode()
        data = data[16 + size:]
        print(NAMES.get(mask & 0xfff), "dir" if mask & 0x40000000 else "file", name, flush=True)
        if name == "end":
            sys.exit()
END
mkdir A/watched
timeout 100 python3 watch.py B/watched >seen &
wait_for 30 grep -q watches seen
echo v >A/watched/f
chmod 600 A/watched/f
mv A/watched/f A/watched/g
rm A/watched/g
mkdir A/watched/end
wait $!
is "$?:$(sed 1d seen)" "0:CREATE file f
MODIFY file f
CLOSE_WRITE file f
ATTRIB file f
MOVED_FROM file f
MOVED_TO file g
DELETE file g
CREATE dir end" "Python's inotify sees what another mount does"

# stress-ng: what of it needs no hard links, locks of fcntl, unlinked files, values beyond the limit.
mkdir A/stress
stressors=()
for name in access chdir chmod chown close dentry dir dirdeep dirmany dnotify dup fanotify filename flock fstat getdent \
	handle inode-flags inotify io lease open rename splice sendfile symlink tee touch utime; do
	stressors+=("--$name" 1 "--$name-ops" 3)
	[ "$name" != chdir ] || stressors+=(--chdir-dirs 64) # not 8,192
done
is "$(status stress-ng --temp-path A/stress --timeout 60 --verify "${stressors[@]}"):$(grep -E 'fail:|skipping' out):$(ls -A A/stress)" 0:: \
	"stress-ng" || grep -E 'fail|error|skip' out | sed 's/^/# /'

# What can't be.
cannot() { # TEXT OF THE ERRNO, COMMAND…
	local errno=$1 how
	shift
	how=$(status "$@")
	[ "$how" != 0 ] && [ "$how" != 124 ] && grep -q "$errno" out
	ok $? "$errno: $*" || { echo "# $how" && sed 's/^/# /' out; }
}
cannot "Operation not permitted" ln A/log A/hard
cannot "Operation not permitted" mkfifo A/fifo
cannot "Operation not permitted" mknod A/null c 1 3
cannot "Operation not permitted" touch -d yesterday A/log
cannot "Operation not permitted" git clone -q A/repo A/refused # a local clone sets times
cannot "File too large" truncate -s 2M A/log
cannot "File too large" dd if=/dev/zero of=A/log bs=1 count=1 seek=2M conv=notrunc
cannot "File too large" dd if=/dev/zero of=A/log bs=2M count=1 conv=notrunc
cannot "Operation not supported" fallocate -l 1000 A/log
cannot "Operation not supported" setfattr -n user.a -v b A/log
cannot "Operation not supported" python3 -c 'import fcntl; fcntl.lockf(open("A/log", "r+"), fcntl.LOCK_EX)'
cannot "No such device" python3 -c 'import mmap; f = open("A/log", "r+"); mmap.mmap(f.fileno(), 4)'
cannot "disk I/O error" sqlite3 A/db.sqlite 'create table t(x)' # it locks by fcntl
cannot "Invalid cross-device link" python3 -c 'import os; os.rename("A/log", "log")'
is "$(ls B | tr '\n' ' '):$(cat B/log)" "clone cp db.sqlite log repo stress watched :three
four" "  and nothing is left of it but an empty database"
done_testing
