#!/bin/bash
# A file that is open, was read to its end and is replaced, or removed, is read again when fsd has died: it is
# what it was, also to who has it mapped and lost the pages meanwhile.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1

cat >again.py <<'PY'
import mmap, os, signal, sys
fsd, number, elsewhere = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
size = 200 * 4096
def value(of, path, flags=0):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags)
    assert os.write(fd, of * size) == size
    os.close(fd)
def synced():
    top = os.open("B", os.O_RDONLY)
    os.fsync(top)
    os.close(top)
value(b"o", "A/f")
synced()
fd, other = os.open("B/f", os.O_RDONLY), os.open("B/f", os.O_RDONLY)
pages = mmap.mmap(fd, size, mmap.MAP_PRIVATE, mmap.PROT_READ)
assert pages[:] == b"o" * size
assert os.pread(other, size, 0) == b"o" * size and os.pread(other, 1, size) == b""
if number == 2:  # a version that was taken by a later read
    value(b"n", "A/f", os.O_TRUNC)
    synced()
    assert os.pread(other, size, 0) == b"n" * size
exec(elsewhere)
synced()
os.kill(fsd, signal.SIGKILL)
open("B/.zab/session").read()
print(len(set(os.pread(other, size, 0))), len(os.pread(other, 4096, 8192)), end=" ", flush=True)
if number == 1:
    pages.madvise(mmap.MADV_DONTNEED)
    open("/proc/sys/vm/drop_caches", "w").write("1")
    print(pages[:] == b"o" * size)
PY
# again NUMBER ELSEWHERE
again() {
	rm -f A/f A/g
	timeout 100 python3 again.py "$(fsd_pid B)" "$@" || echo failed
}

is "$(again 1 'value(b"n", "A/g"); os.rename("A/g", "A/f")')" "1 4096 True" "replaced"
is "$(again 1 'os.remove("A/f")')" "1 4096 True" "removed"
is "$(again 2 'os.remove("A/f")')" "1 4096 " "removed, and read anew before"
is "$(again 1 '')" "1 4096 True" "neither"

cd / || exit
done_testing
