#!/bin/bash
# What is done through a mount at a name whose change on another mount its
# kernel has not been told of yet: the echo's thread is held, so the old entry is
# still cached. Nobody may lose by it: not the node that stood there before.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1

cat >"$T/behind.py" <<'END'
import ctypes, os, select, struct, sys

A, B, fsd = sys.argv[1] + "/A/", sys.argv[1] + "/B/", int(sys.argv[2])
SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
DELETE_SELF, MOVE_SELF = 0x400, 0x800
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
[echo] = [int(tid) for tid in os.listdir(f"/proc/{fsd}/task") if int(tid) != fsd]


def put(path, text):
    with open(path, "w") as file:
        file.write(text)


def get(path):
    with open(path) as file:
        return file.read()


def behind(elsewhere, here):
    assert libc.ptrace(SEIZE, echo, None, None) == 0
    assert libc.ptrace(INTERRUPT, echo, None, None) == 0
    os.waitpid(echo, WALL)
    try:
        elsewhere()
        here()
    finally:
        libc.ptrace(DETACH, echo, None, None)


def replace_dir():
    os.rename(B + "dir", B + "dir-kept")
    os.mkdir(B + "dir")


def replace_file():
    os.rename(B + "file", B + "file-kept")
    put(B + "file", "new")


os.mkdir(A + "dir")
put(A + "dir/in", "")
held = os.open(A + "dir", os.O_RDONLY)
behind(replace_dir, lambda: os.rmdir(A + "dir"))
print("rmdir", os.path.exists(B + "dir"), os.listdir(A + "dir-kept"))

put(A + "file", "old")
held = os.open(A + "file", os.O_RDONLY)
behind(replace_file, lambda: os.rename(A + "file", A + "file-moved"))
print("moved", get(B + "file-moved"), get(B + "file-kept"))


def replace_target():
    os.rename(B + "target", B + "target-kept")
    put(B + "target", "new")


put(A + "target", "old")
put(A + "over", "over")
watch = libc.inotify_init1(os.O_NONBLOCK)
assert libc.inotify_add_watch(watch, (A + "target").encode(), DELETE_SELF | MOVE_SELF) > 0
behind(replace_target, lambda: os.rename(A + "over", A + "target"))
print("replaced", get(B + "target"), get(B + "target-kept"))
seen = 0
while seen & MOVE_SELF == 0 and select.select([watch], [], [], 10)[0]:
    for at in struct.iter_unpack("iIII", os.read(watch, 4096)):
        seen |= at[1]
print("watched", "moved" if seen & MOVE_SELF else "", "deleted" if seen & DELETE_SELF else "")
END
python3 "$T/behind.py" "$T" "$(fsd_pid A)" >"$T/out"
is "$(grep rmdir "$T/out")" "rmdir False ['in']" "rmdir takes the directory that stands there, the one that stood there lives on"
is "$(grep ^moved "$T/out")" "moved new old" "rename moves the file that stands there"
is "$(grep ^replaced "$T/out")" "replaced over old" "rename replaces the file that stands there"
is "$(grep ^watched "$T/out")" "watched moved " "and the one that stood there was moved, not deleted, for who watches it"
here_is() {
	[ "$(cat "$T/A/$1")" = "$2" ]
}
wait_for 5 here_is file-moved new
ok $? "and it has its content on the mount that moved it"
wait_for 5 here_is file-kept old
ok $? "as has the other one"
is "$(stat -c %i "$T/A/file-moved" "$T/A/file-kept")" "$(stat -c %i "$T/B/file-moved" "$T/B/file-kept")" "the mounts agree"
done_testing
