#!/bin/bash
# A directory with the sticky bit: nobody but its owner takes away what is another's, on no mount and
# at no moment, also if the kernel has asked for another node, or for none, before.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
chmod 711 "$T"
mkdir A/s && chmod 1777 A/s
wait_for 10 test -k B/s || exit 1

# as USER PYTHON: the name of the errno that it ends with, or none.
as() {
	errno_of "os.setgroups([]); os.setgid($1); os.setuid($1)
$2"
}

is "$(as 12345 'for name in "abcd": open("A/s/" + name, "w").close()')" none "a user's files"
is "$(as 12346 'os.unlink("B/s/a")'):$(as 12346 'os.rename("B/s/a", "B/s/x")')" EPERM:EPERM "another may not remove, nor rename"
is "$(as 12346 'open("B/s/own", "w").close(); os.rename("B/s/own", "B/s/a")')" EPERM "  nor replace"
is "$(as 12346 'os.unlink("B/s/.zab/version=0/a")')" EPERM "  nor through a modifier"
is "$(as 12345 'os.rename("B/s/a", "B/s/b"); os.rename("B/s/b", "B/s/e"); os.unlink("A/s/c")')" none "he himself may, on any mount"
is "$(as 12345 'os.unlink("A/s/.zab/version=0/d")'):$(as 12345 'os.unlink("A/s/.zab/version=1/e")')" none:ECANCELED "  and a version"
is "$(as 12345 'open("A/s/.zab/ephemeral/e2", "w").close(); os.unlink("A/s/.zab/ephemeral/e2")')" none "  and an ephemeral one"
is "$(find B/s -type f -printf '%f ')" "e own " "  what is left"

# One makes a file, looks whether it stays, and removes it; the other, on the other mount, renames his
# own to that name as fast as he can.
cat >"$T/other.py" <<'END'
import os

os.setgroups([])
os.setgid(12346)
os.setuid(12346)
while True:
    for step in (
        lambda: os.close(os.open("A/s/mine", os.O_CREAT | os.O_WRONLY)),
        lambda: os.rename("A/s/mine", "A/s/x"),
        lambda: os.unlink("A/s/x"),
    ):
        try:
            step()
        except OSError:
            pass
END
cat >"$T/one.py" <<'END'
import os, time

os.setgroups([])
os.setgid(12345)
os.setuid(12345)
made = lost = 0
end = time.monotonic() + 60
while made < 300 and time.monotonic() < end:
    try:
        fd = os.open("B/s/x", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        continue
    made += 1
    try:
        for _ in range(5):
            os.fsync(fd)
            if os.stat("B/s/x").st_ino != os.fstat(fd).st_ino:
                raise FileNotFoundError
        os.unlink("B/s/x")
    except OSError:
        lost += 1
    os.close(fd)
print(made, lost)
END
python3 other.py &
other=$!
is "$(python3 one.py)" "300 0" "what somebody makes stays, whatever another does at that moment"
kill $other
wait $other 2>/dev/null

cd / || exit
done_testing
