#!/bin/bash
# Each row of the table of errors that one node can produce. A Python one-liner
# tells the errno itself; the shell's messages would hide it.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A || exit 1

# The name of the errno that an expression gives in A, or "none".
errno_of() {
	(cd "$T/${IN:-A}" && timeout 30 python3 -c '
import ctypes, errno, fcntl, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
try:
    exec(sys.argv[1])
    print("none")
except OSError as e:
    print(errno.errorcode[e.errno])
' "$1")
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
is "$(errno_of 'os.rename("f", ".zab/data")' | grep -cE 'EXDEV|EPERM|EINVAL|EACCES')" 1 "nothing is moved into .zab"
is "$(errno_of 'os.rename("f", "/tmp/f")')" EXDEV "a rename out of the tree"
[ "$(errno_of 'os.mkdir(".zab/ephemeral/x")')" != none ]
ok $? "a directory cannot be ephemeral"

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
is "$(errno_of 'fcntl.flock(open("f"), fcntl.LOCK_EX | fcntl.LOCK_NB)')" ENOTSUP "flock: EOPNOTSUPP"
is "$(errno_of 'fcntl.lockf(open("f", "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)')" ENOTSUP "a lock of fcntl: EOPNOTSUPP"
is "$(errno_of 'l = ctypes.c_long
if libc.fallocate(os.open("f", os.O_WRONLY), 0, l(0), l(100)): raise OSError(ctypes.get_errno(), "")')" ENOTSUP "fallocate: EOPNOTSUPP"

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
is "$(IN=R errno_of 'os.mkdir("e")')" EROFS "nor creates"

done_testing
