#!/bin/bash
# What is told too late: a process of this mount was faster. The last that whoever watches hears of
# a name is what became of it.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
. "$here/tests/fs/held.sh"
device=$(awk -v dir="$T/B" '$5 == dir { print $3 }' /proc/self/mountinfo)
connection=$fuse_connections/${device#*:}

cat >overtaken.py <<'PY'
import held, os, signal, sys, threading, time
replica, fsd, connection, how = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
elsewhere, here = sys.argv[5:]
hold = held.hold()
exec(elsewhere)
top = os.open("B", os.O_RDONLY)
os.fsync(top)
def until(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
# Longer than what fsd answers by itself.
def waits():
    for _ in range(10):
        if open(connection + "/waiting").read().strip() == "0":
            return False
        time.sleep(0.01)
    return True
# For a lock: what waits for fsd's answer can be interrupted.
def echo_waits():
    path = "/proc/" + fsd + "/task/"
    return any(open(path + tid + "/stat").read().rsplit(")", 1)[1].split()[0] == "D" for tid in os.listdir(path))
if how == "before":
    exec(here)
    os.close(hold)
else:  # it has a directory's lock, and its answer comes when the echo waits for that
    for name in "fx":
        os.path.lexists("B/d/" + name)
    os.kill(replica, signal.SIGSTOP)
    own = threading.Thread(target=exec, args=(here, {"os": os}))
    own.start()
    try:
        until(waits)
        os.close(hold)
        until(echo_waits)
    finally:
        os.kill(replica, signal.SIGCONT)
    own.join()
PY
# told HOW ELSEWHERE HERE
told() {
	told_by overtaken.py "$replica_pid" "$(fsd_pid B)" "$connection" "$@"
}

is "$(told before 'os.remove("A/d/f")' 'os.close(os.open("B/d/f", os.O_CREAT | os.O_EXCL))')" \
	"CREATE f,DELETE f,CREATE f" "a file that is made where another was removed is told once more behind that"
is "$(told before 'os.rename("A/d/f", "A/d/g")' 'os.mkdir("B/d/f")')" \
	"CREATE f,MOVED_FROM f,MOVED_TO g,CREATE f" "  so is a directory where one was moved away"
is "$(told before 'os.rmdir("A/d/dir")' 'os.symlink("t", "B/d/dir")')" \
	"CREATE dir,DELETE dir,CREATE dir" "  and a symbolic link"
is "$(cat A/d/f B/d/f 2>&1) $(readlink B/d/dir)" "v
v t" "  and is there"

is "$(told meanwhile 'open("A/d/x", "w").close()' 'os.remove("B/d/x")')" \
	"DELETE x" "what is removed while the echo waits for the directory is not created after that"
is "$(told meanwhile 'os.mkdir("A/d/x")' 'os.rename("B/d/x", "B/d/y")')" \
	"MOVED_FROM x,MOVED_TO y" "  nor is what is moved on"
is "$(told meanwhile 'os.rename("A/d/f", "A/d/x")' 'os.rename("B/d/x", "B/d/y")')" \
	"MOVED_FROM x,MOVED_TO y,MOVED_FROM f" "  what was moved is not brought there any more, but has gone from where it was"
is "$(ls A/d) $(ls B/d)" "dir
end
y dir
end
y" "  and both are alike"

is "$(told before 'open("A/d/x", "w").close(); os.rename("A/d/f", "A/d/x")' 'os.rename("B/d/x", "B/d/y")')" \
	"MOVED_FROM x,MOVED_TO y,CREATE x,MOVED_FROM f,DELETE x" "what was replaced by what is moved on here has gone"
is "$(told before "$replaced" "$(replace x)")" \
	"$brought x,CREATE x,MOVED_FROM f,DELETE x,CREATE x" "  so has what that replaced which is replaced here: what is there now is told once more"
is "$(told before "$exchanged" "$(replace dir)")" \
	"$brought dir,MOVED_FROM f,MOVED_FROM dir,MOVED_TO f,CREATE dir" "  so is what replaces what was exchanged"

echo v >A/node && cat B/node >/dev/null
inotifywait -m -e modify,attrib --format %e B/node >node 2>node.err &
on_node=$!
wait_for 60 grep -q 'Watches established' node.err
is "$(told before 'open("A/node", "w").write("w"); os.chmod("A/node", 0o600)' 'os.rename("B/node", "B/d/node")')" \
	"MOVED_TO node" "a file that was written and is moved here"
wait_for 20 grep -q MODIFY node && wait_for 20 grep -q ATTRIB node
ok $? "  is told of that where it is now"
kill $on_node
wait $on_node 2>/dev/null
is "$(grep -h 'event was not raised' mount-*.log)" "" "no event was given up"

cd /
done_testing
