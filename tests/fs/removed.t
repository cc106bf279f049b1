#!/bin/bash
# Descriptors of a removed file: what they still show and what they refuse, as long as the
# session lives. A line of Python tells the errno; the shell's messages would hide it.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1

# Opens A/f in each way, lets HOW remove it, and prints each way's results in a line.
cat >"$T/removed.py" <<'END'
import errno, os, sys, time
A, B, how = sys.argv[1:]
def tried(f):
    try:
        return f()
    except OSError as e:
        return errno.errorcode[e.errno]
def remove():
    place = B if "elsewhere" in how else A
    if "replaced" in how:
        open(place + "/g", "w").write("x")
        os.rename(place + "/g", place + "/f")
    else:
        os.unlink(place + "/f")
# The kernel forgets the name of what is removed elsewhere a moment after its attributes.
def named(fd):
    try:
        return os.stat(A + "/f").st_ino == os.fstat(fd).st_ino
    except FileNotFoundError:
        return False
def shown(fd):
    st = os.fstat(fd)
    return "%o %d %d" % (st.st_mode, st.st_size, st.st_nlink)
ways = {"rdwr": os.O_RDWR, "rdonly": os.O_RDONLY, "wronly": os.O_WRONLY, "append": os.O_RDWR | os.O_APPEND,
        "created": os.O_RDWR | os.O_CREAT | os.O_EXCL}
for way, flags in ways.items():
    if os.path.exists(A + "/f"):
        os.unlink(A + "/f")
    if way != "created":
        open(A + "/f", "w").write("value")
    fd = os.open(A + "/f", flags, 0o644)
    if way == "created":
        os.write(fd, b"value")
    os.fchmod(fd, 0o640)
    if way != "rdonly":
        os.ftruncate(fd, 4)
    remove()
    gone = time.monotonic() + 10
    while (os.fstat(fd).st_nlink != 0 or named(fd)) and time.monotonic() < gone:
        time.sleep(0.001)
    print(way, shown(fd), "end", os.lseek(fd, 0, os.SEEK_END),
          "chmod", tried(lambda: os.fchmod(fd, 0o600)), "chown", tried(lambda: os.fchown(fd, 1, 1)),
          "truncate", tried(lambda: os.ftruncate(fd, 2)), "touch", tried(lambda: os.utime(fd)),
          shown(fd))
END
wanted() {
	local way size truncate
	for way in rdwr rdonly wronly append created; do
		size=4 truncate=ENOENT
		[ $way != rdonly ] || size=5 truncate=EINVAL
		echo "$way 100640 $size 0 end $size chmod ENOENT chown ENOENT truncate $truncate touch ENOENT 100640 $size 0"
	done
}
for how in removed "removed elsewhere" replaced "replaced elsewhere"; do
	is "$(python3 "$T/removed.py" "$T/A" "$T/B" "$how")" "$(wanted)" "$how"
done

done_testing
