#!/bin/bash
# Each row of the table of errors that one node can produce. A line of Python
# tells the errno itself; the shell's messages would hide it.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A || exit 1

# Runs each line in a process of its own and says the name of its errno, or "none".
cat >"$T/errno.py" <<'END'
import ctypes, errno, fcntl, mmap, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def name(line):
    mount, code = line.split(" ", 1)
    try:
        os.chdir(mount)
        exec(code)
        return "none"
    except OSError as e:
        return errno.errorcode[e.errno]
    except BaseException as e:
        return repr(e)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        print(name(line), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
END
coproc python3 "$T/errno.py"
exec 8>&"${COPROC[1]}" 9<&"${COPROC[0]}"

# What an expression fails with in the mount A, or in IN.
errno_of() {
	local name
	echo "$T/${IN:-A} $1" >&8
	read -r -t 30 -u 9 name
	echo "$name"
}

cd "$T/A" || exit 1
echo value >f
mkdir d full
echo x >full/x

is "$(errno_of 'open("missing")')" ENOENT "no node"
is "$(errno_of 'os.unlink("missing")')" ENOENT "no node to remove"
is "$(errno_of 'open("missing/f", "w")')" ENOENT "no parent"
is "$(errno_of 'os.open("f", os.O_CREAT | os.O_EXCL)')" EEXIST "exists, for a file"
is "$(errno_of 'os.mkdir("d")')" EEXIST "exists, for a directory"
is "$(errno_of 'os.symlink("x", "f")')" EEXIST "exists, for a link"
is "$(errno_of 'os.rmdir("full")')" ENOTEMPTY "not empty"
is "$(errno_of 'os.unlink(".zab/ephemeral/f")')" EPERM "through a modifier, what is not bound to the session"
for how in 'os.chmod(F, 0o600)' 'os.chown(F, 1, 1)' 'os.utime(F)' 'os.truncate(F, 1)'; do
	is "$(errno_of "F = '.zab/ephemeral/f'; $how")" EPERM "  nor $how"
done
is "$(cat f; stat -c '%a %U' f)" "value
644 root" "  and it stays as it was"
for how in 'os.chmod(F, 0o600)' 'os.chown(F, 1, 1)' 'os.utime(F)' 'os.truncate(F, 1)'; do
	is "$(errno_of "F = '.zab/ephemeral/mine'; open(F, 'w').close(); $how")" none "  what is bound to it can: $how"
done
is "$(errno_of 'os.unlink(".zab/ephemeral/mine")')" none "  and be removed"
is "$(errno_of 'os.rename("d", "full")')" ENOTEMPTY "not empty, as the target of a rename"
is "$(errno_of 'os.rmdir("f")')" ENOTDIR "rmdir of a file"
is "$(errno_of 'open("f/x", "w")')" ENOTDIR "a file has no children"
is "$(errno_of 'os.unlink("d")')" EISDIR "unlink of a directory"
is "$(errno_of 'open("d", "w")')" EISDIR "writing a directory"
is "$(errno_of 'os.rename("f", "d")')" EISDIR "a file over a directory"
is "$(errno_of 'os.rename("d", "f")')" ENOTDIR "a directory over a file"
is "$(errno_of 'os.rename("d", "d/below")')" EINVAL "a directory into itself"
is "$(errno_of 'os.mkfifo("p")')" EPERM "a fifo"
is "$(errno_of 'os.mknod("n", 0o020600, os.makedev(1, 3))')" EPERM "a device"
is "$(errno_of 's = socket.socket(socket.AF_UNIX); s.bind("s")')" EPERM "a socket"
is "$(errno_of 'os.link("f", "g")')" EPERM "a hard link"
is "$(errno_of 'os.utime("f", (1, 1))')" EPERM "another time than now"
is "$(errno_of 'open("n" * 255, "w")')" none "a name of 255 bytes"
is "$(errno_of 'open("n" * 256, "w")')" ENAMETOOLONG "a name of 256 bytes"
is "$(errno_of 'open("new\nline\x01\xff", "w")')" none "any bytes in a name"
is "$(errno_of 'os.mkdir(".zab")')" EEXIST "the name .zab is taken"
is "$(errno_of 'os.rename("f", "/tmp/f")')" EXDEV "a rename out of the tree"
is "$(errno_of 'if libc.renameat2(-100, b"f", -100, b"f2", 4): raise OSError(ctypes.get_errno(), "")')" EINVAL "a rename with another flag"
is "$(errno_of 'if libc.renameat2(-100, b"f", -100, b"d", 1): raise OSError(ctypes.get_errno(), "")')" EEXIST "RENAME_NOREPLACE over a name"
is "$(errno_of 'if libc.renameat2(-100, b"f", -100, b"none", 2): raise OSError(ctypes.get_errno(), "")')" ENOENT "RENAME_EXCHANGE with none"
is "$(errno_of 'os.rename("missing", "g")')" ENOENT "no node to rename"
is "$(errno_of 'fd = os.open("away", os.O_CREAT | os.O_WRONLY); os.unlink("away"); os.write(fd, b"x")')" ENOENT "writing to a removed file"
is "$(errno_of 'os.readlink("f")')" EINVAL "no link"

# Below .zab.
echo other >other
is "$(errno_of 'os.rename("f", ".zab/data")')" EXDEV "nothing is moved into .zab"
is "$(errno_of 'os.rename("f", ".zab/ephemeral/f")')" EXDEV "nor into a modifier"
is "$(errno_of 'os.rename(".zab/data", "g")')" EXDEV "nor out of it"
is "$(errno_of 'os.rename(".zab", "g")' | grep -cE 'EPERM|EBUSY')" 1 ".zab itself stays"
is "$(errno_of 'os.rmdir(".zab")')" EPERM "and cannot be removed"
is "$(errno_of 'os.unlink(".zab/session")')" EPERM "nor can what is in it"
is "$(errno_of 'os.mkdir(".zab/ephemeral/x")')" EINVAL "a directory cannot be ephemeral"
is "$(errno_of 'os.mkdir(".zab/held/x")')" EINVAL "nor held"
is "$(errno_of 'os.symlink("f", ".zab/held/x")')" EINVAL "nor can a link be held"
is "$(errno_of 'os.open(".zab/ephemeral/other", os.O_CREAT | os.O_WRONLY)')" EEXIST "a node of another kind does not become ephemeral"
is "$(errno_of 'os.open(".zab/held/other", os.O_CREAT | os.O_WRONLY)')" EEXIST "nor held"
is "$(errno_of 'os.open(".zab/ephemeral/other", os.O_CREAT | os.O_EXCL)')" EEXIST "O_EXCL through a modifier"
is "$(errno_of 'os.open(".zab/ephemeral/e", os.O_CREAT | os.O_WRONLY)')" none "an ephemeral"
is "$(errno_of 'open("e/child", "w")')" ENOTDIR "has no children"
is "$(errno_of 'os.mkdir("e/child")')" ENOTDIR "nor directories"
is "$(errno_of 'open(".zab/ephemeral/.zab", "w")' | grep -cE 'EPERM|EISDIR|EINVAL')" 1 "an ephemeral can't be called .zab"
is "$(errno_of 'open(".zab/stat/f", "w")')" EACCES "metadata is read-only"
is "$(errno_of 'open(".zab/session", "a")')" EACCES "the session, too"
is "$(errno_of 'open(".zab/stat/missing")')" ENOENT "metadata of nothing"
is "$(errno_of 'open("d/.zab/session")')" ENOENT "the session is in the root's .zab alone"
is "$(errno_of 'open(".zab/new", "w")')" EPERM "nothing is created in .zab"
is "$(errno_of 'open(".zab/stat/new", "w")')" EPERM "nor in .zab/stat"
is "$(errno_of 'os.chmod(".zab/data", 0o600)')" EPERM "a mode below .zab"
is "$(errno_of 'os.truncate(".zab/data", 1044481)')" EFBIG "a directory's value beyond the limit"
is "$(cat f other)" "value
other" "none of that changed anything"

# Values.
head -c 1044480 /dev/zero >"$T/limit"
is "$(errno_of 'os.write(os.open("v", os.O_CREAT | os.O_WRONLY), b"x" * 1044480)')" none "a value of the greatest size"
is "$(errno_of 'os.write(os.open("v", os.O_WRONLY | os.O_APPEND), b"y")')" EFBIG "one byte more by an append"
is "$(errno_of 'os.pwrite(os.open("v", os.O_WRONLY), b"yy", 1044479)')" EFBIG "one byte more at an offset"
is "$(errno_of 'os.truncate("v", 1044481)')" EFBIG "one byte more by truncate"
is "$(errno_of 'os.write(os.open("w", os.O_CREAT | os.O_WRONLY), b"x" * 1044481)')" EFBIG "one byte more in one write"
is "$(stat -c %s v w | tr '\n' ' ')" "1044480 0 " "no short write"
cmp -s v <(tr '\0' x <"$T/limit")
ok $? "the value is unchanged"

# What is not offered.
is "$(errno_of 'fcntl.flock(open(".zab/data"), fcntl.LOCK_EX | fcntl.LOCK_NB)')" ENOTSUP "flock of what is below .zab: EOPNOTSUPP"
is "$(errno_of 'fcntl.lockf(open("f", "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)')" ENOTSUP "a lock of fcntl: EOPNOTSUPP"
for what in F_GETLK F_SETLKW F_OFD_GETLK F_OFD_SETLK F_OFD_SETLKW; do
	is "$(errno_of "import struct; fcntl.fcntl(open('f', 'r+'), fcntl.$what, struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0, 0, 0))")" ENOTSUP "  $what, too"
done
is "$(errno_of 'fcntl.lockf(open("f", "r+"), fcntl.LOCK_UN)')" ENOTSUP "  nor is one unlocked"
is "$(errno_of 'if libc.fallocate(os.open("f", os.O_WRONLY), 0, ctypes.c_long(0), ctypes.c_long(100)): raise OSError(ctypes.get_errno(), "")')" ENOTSUP "fallocate: EOPNOTSUPP"

is "$(errno_of 'mmap.mmap(os.open("f", os.O_RDWR), 6)')" ENODEV "mmap, shared"
is "$(errno_of 'assert mmap.mmap(os.open("f", os.O_RDONLY), 6, mmap.MAP_PRIVATE, mmap.PROT_READ)[:] == b"value\n"')" none "mmap, private"
is "$(errno_of 'os.setxattr("f", "user.a", b"1")')" ENOTSUP "a new extended attribute"
is "$(errno_of 'os.getxattr("f", "user.a")')" ENOTSUP "an extended attribute"
is "$(errno_of 'os.listxattr("f")')" ENOTSUP "their list"

# Permissions.
chmod 700 d
chmod 600 f
user='os.setgroups([]); os.setgid(1000); os.setuid(1000); '
chmod 755 "$T"
is "$(errno_of "$user open('f')")" EACCES "reading without permission"
is "$(errno_of "$user open('d/x', 'w')")" EACCES "creating without permission"
is "$(errno_of "$user os.unlink('f')")" EACCES "removing without permission"
is "$(errno_of "$user os.chmod('f', 0o777)")" EPERM "chmod of another's file"
is "$(errno_of "$user os.chown('f', 1000, 1000)")" EPERM "chown"

# A read-only mount.
cd "$T" || exit 1
mount_start R -o ro
is "$(IN=R errno_of 'open("f")')" none "a read-only mount reads"
is "$(IN=R errno_of 'open("f", "a")')" EROFS "and doesn't write"
is "$(IN=R errno_of 'os.mkdir("n")')" EROFS "nor creates"
is "$(IN=R errno_of 'os.unlink("f")')" EROFS "nor removes"
is "$(IN=R errno_of 'os.rename("f", "n")')" EROFS "nor renames"
is "$(IN=R errno_of 'os.chmod("f", 0o600)')" EROFS "nor changes modes"
is "$(IN=R errno_of 'open(".zab/ephemeral/n", "w")')" EROFS "nor makes ephemerals"
is "$(IN=R errno_of 'os.mkdir(".zab/container/n")')" EROFS "nor containers"
is "$(IN=R errno_of 'os.unlink(".zab/version=1/f")')" EROFS "nor removes a version"
for what in txn stream quota data cluster/leader; do
	is "$(IN=R errno_of "os.open('.zab/$what', os.O_RDWR)")" EROFS "nor opens .zab/$what for writing"
done
is "$(IN=R errno_of 'open(".zab/sync").read(); open(".zab/stat/f").read(); os.open(".zab/events", os.O_RDONLY)')" none "but reads what is in .zab"
mount_stop R

# A value limit below the greatest: an old value that is larger can be read, and cut.
echo 123456789 >A/long
conf_write "value_max = 8"
replica_restart
is "$(errno_of 'os.write(os.open("new", os.O_CREAT | os.O_WRONLY), b"12345678")')" none "a value of value_max"
is "$(errno_of 'os.write(os.open("new", os.O_WRONLY), b"123456789")')" EFBIG "one byte more"
is "$(errno_of 'os.write(os.open("new", os.O_WRONLY | os.O_APPEND), b"9")')" EFBIG "  by an append"
is "$(errno_of 'os.truncate("new", 9)')" EFBIG "  by truncate"
is "$(errno_of 'os.write(os.open(".zab/sequence/s", os.O_CREAT | os.O_WRONLY), b"123456789")')" EFBIG "  through a modifier"
is "$(errno_of 'os.write(os.open(".zab/data", os.O_WRONLY), b"123456789")')" EFBIG "  of a directory"
is "$(errno_of 'os.write(os.open(".zab/txn", os.O_WRONLY), b"set /new 123456789\n")')" EFBIG "  by .zab/txn"
is "$(errno_of 'os.symlink("123456789", "link")')" EFBIG "  a link's target"
is "$(errno_of 'os.write(os.open(".zab/txn", os.O_WRONLY), b"set /new 12345678 ; mkdir /both\n")')" none "a transaction may be longer"
is "$(cat A/long):$(errno_of 'os.truncate("long", 9)')" "123456789:EFBIG" "what is larger already is read, and not written"
is "$(errno_of 'os.truncate("long", 8)'):$(cat A/long A/new)" "none:1234567812345678" "  but cut"

done_testing
