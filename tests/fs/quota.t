#!/bin/bash
# Quotas, DIR/.zab/quota: set and read on two mounts, what they refuse, what they tell, and df(1).
. "$(dirname "$0")/lib.sh"

node_start "pass_interval = 1" && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
chmod 711 "$T"
mkdir A/d A/d/sub A/other

# quota DIR: what is read of it, on one line.
quota() {
	paste -sd' ' "$1/.zab/quota"
}

# sets DIR TEXT: the errno of one write.
sets() {
	errno_of "import os; fd = os.open('$1/.zab/quota', os.O_WRONLY | os.O_TRUNC); os.write(fd, b'''$2''')"
}

# writes PATH BYTES: of a write of so many bytes, the whole value.
writes() {
	errno_of "import os; fd = os.open('$1', os.O_WRONLY | os.O_CREAT | os.O_TRUNC); os.write(fd, b'x' * $2)"
}

is "$(quota A/d)" "nodes - bytes - limit - nodes_used 2 bytes_used 0" "a directory without one, and what is there"
is "$(stat -c '%a %U' A/d/.zab/quota)" "644 root" "who may set it"
is "$(sets A/d "nodes 4 bytes 100 hard\n")" none "one is set"
is "$(quota A/d)" "nodes 4 bytes 100 limit hard nodes_used 2 bytes_used 0" "  and read"
is "$(quota B/d)" "nodes 4 bytes 100 limit hard nodes_used 2 bytes_used 0" "  on the other mount"
is "$(quota A)" "nodes - bytes - limit - nodes_used 4 bytes_used 0" "  and above it is none"

# What it refuses.
is "$(writes A/d/f 60)" none "there is room"
is "$(writes B/d/g 41)" EDQUOT "too many bytes, on the other mount"
is "$(stat -c %s A/d/g)" 0 "  and nothing of them is written"
is "$(errno_of "open('A/d/sub/h', 'x')")" EDQUOT "too many files, further down"
is "$(errno_of "import os; os.mkdir('B/d/sub/h')")" EDQUOT "nor a directory"
is "$(errno_of "import os; os.symlink('x', 'A/d/h')")" EDQUOT "nor a symbolic link"
is "$(writes A/d/.zab/data 41)" EDQUOT "the directory's own value counts"
is "$(errno_of "import os; os.truncate('A/d/f', 101)")" EDQUOT "a truncation that makes it longer"
is "$(writes A/d/f 100)" none "up to the limit"
is "$(errno_of "import os; os.write(os.open('A/d/f', os.O_WRONLY | os.O_APPEND), b'x')")" EDQUOT "not one more"
is "$(errno_of "import os; os.truncate('A/d/f', 99)")" none "less is never refused"
is "$(quota B/d)" "nodes 4 bytes 100 limit hard nodes_used 4 bytes_used 99" "what is there is counted"
echo 1 >A/other/small
is "$(errno_of "import os; os.rename('A/other/small', 'A/d/sub/small')")" EDQUOT "what moves needs room"
is "$(cat A/other/small)" 1 "  or stays"
is "$(errno_of "import os; os.rename('A/d/sub', 'A/other/sub')")" none "what leaves makes room"
mkdir A/tree && echo 12345 >A/tree/a && echo 1234567 >A/tree/b
is "$(errno_of "import os; os.rename('A/tree', 'B/d/tree')")" EXDEV "(mounts are not one another)"
is "$(errno_of "import os; os.rename('A/tree', 'A/d/tree')")" EDQUOT "so does a directory with all below it"
rm A/d/f
is "$(errno_of "import os; os.rename('A/tree', 'A/d/tree')")" EDQUOT "  for one node too many"
is "$(sets A/d 'nodes 5 bytes 100')" none "another quota"
is "$(errno_of "import os; os.rename('A/tree', 'A/d/tree')")" none "  has the room"
is "$(quota A/d)" "nodes 5 bytes 100 limit hard nodes_used 5 bytes_used 14" "  which it takes"

# Several operations.
rm A/d/g
printf 'create /d/one 1 ; create /d/two 2\n' | timeout 20 python3 -c '
import os, sys
fd = os.open("A/.zab/txn", os.O_RDWR)
try:
    os.write(fd, sys.stdin.read().encode())
except OSError as e:
    pass
print(os.read(fd, 1000).decode(), end="")' >txn
is "$(cat txn)" "error EDQUOT operation 2: create /d/two: quota exceeded" "a transaction, whose operation is named"
ok "$([ ! -e A/d/one ]; echo $?)" "  and nothing of it"
exec 9<>A/.zab/stream
printf 'create /d/one 1\ncreate /d/two 2\ndelete /d/one\n' >&9
is "$(timeout 20 head -n 3 <&9)" "ok create /d/one
error EDQUOT operation 1: create /d/two: quota exceeded
ok delete /d/one" "a stream goes on"
exec 9>&-
is "$(errno_of "
import os
fd = os.open('A/d/.zab/async/f', os.O_WRONLY | os.O_CREAT)
os.write(fd, b'x' * 200)
os.fsync(fd)")" EDQUOT "a write that is not waited for: fsync(2) says so"
rm -f A/d/f
echo old value >A/d/f
is "$(errno_of "
import os
fd = os.open('A/d/f', os.O_WRONLY | os.O_TRUNC)
try:
    os.ftruncate(fd, 200)
except OSError:
    os.write(fd, b'new')
    raise"):$(cat A/d/f)" EDQUOT:new "O_TRUNC is not over where a truncation is refused"
rm -f A/d/f

# Below one another.
is "$(sets A/d/tree 'bytes 13')" none "one below another, smaller than what is there"
is "$(writes A/d/tree/a 7)" EDQUOT "  refuses more"
is "$(writes A/d/tree/a 6)" none "  not as much"
is "$(writes A/d/tree/a 5)" none "  nor less"
is "$(sets A/d/tree 'bytes 1000')" none "a larger one"
is "$(writes A/d/tree/a 100)" EDQUOT "  has the one above it beside it"

# Its text.
for text in 'nodes' 'nodes 0' 'nodes -1' 'nodes x' 'nodes 1 nodes 2' 'hard' 'nodes 5 hard soft' 'none hard' 'bytes 9223372036854775808' 'nodes 1 rubbish'; do
	is "$(sets A/other "$text")" EINVAL "not a quota: $text"
done
is "$(quota A/other)" "nodes - bytes - limit - nodes_used 3 bytes_used 2" "  and there is none"
is "$(sets A/other 'bytes 9223372036854775807 nodes - soft')" none "the largest"
is "$(quota A/other)" "nodes - bytes 9223372036854775807 limit soft nodes_used 3 bytes_used 2" "  with the other limit left out"
printf 'nodes 10\nbytes 20\nsoft\n' >A/other/.zab/quota
is "$(quota A/other)" "nodes 10 bytes 20 limit soft nodes_used 3 bytes_used 2" "a shell that writes each line by itself"
echo >A/other/.zab/quota
is "$(quota A/other)" "nodes - bytes - limit - nodes_used 3 bytes_used 2" "an empty line takes it away"
is "$(sets A/other 'nodes 9')$(sets A/other none)" nonenone "so does none"
is "$(quota B/other)" "nodes - bytes - limit - nodes_used 3 bytes_used 2" "  on every mount"
is "$(timeout 20 python3 -c '
import os
fd = os.open("A/other/.zab/quota", os.O_RDWR)
before = os.read(fd, 1000)
os.pwrite(fd, b"nodes 7", 0)
print(os.pread(fd, 1000, 0).decode().split()[1])')" 7 "an open file shows what it has set"
sets A/other none >/dev/null

# Whose it is.
mkdir A/theirs
chown 1234 A/theirs
is "$(timeout 20 setpriv --reuid=1234 --clear-groups bash -c 'echo nodes 2 >A/theirs/.zab/quota; echo x 2>&1 >A/d/.zab/quota' 2>&1 | grep -c 'Permission denied')" 1 "the owner sets it, and nobody else"
is "$(quota A/theirs)" "nodes 2 bytes - limit hard nodes_used 1 bytes_used 0" "  it is set"

# Soft: done, and told once.
mkdir A/soft 'A/soft/a b'
is "$(sets 'A/soft/a b' 'nodes 3 soft')" none "a soft one"
for i in 1 2 3 4 5; do touch "A/soft/a b/$i"; done
is "$(quota 'A/soft/a b')" "nodes 3 bytes - limit soft nodes_used 6 bytes_used 0" "  is passed"
rm "A/soft/a b/"[345] && touch "A/soft/a b/"{3,4,5}
is "$(grep -c 'a quota is exceeded' replica.log)" 1 "  and the log says so once"
is "$(sed -n 's/.*a quota is exceeded id=[0-9]* //p' replica.log)" \
	'nodes=4 nodes_max=3 bytes=0 bytes_max=0 path=/soft/a\040b' "  which, and what is there"

# statfs(2), which df(1) asks of the mount alone.
is "$(stat -f -c '%c %d' A/d)" "5 1" "statfs of a directory with a quota: nodes"
is "$(stat -f -c '%s %b %f' A/d)" "4096 1 0" "  and bytes, in blocks"
is "$(sets A/d/tree 'nodes 3 bytes 40960')$(sets A/d 'bytes 1000000')" nonenone "quotas of different kinds"
is "$(stat -f -c '%c %d %f' A/d/tree/a)" "3 0 9" "  what leaves the least is told"
is "$(stat -f -c %d A/d/tree/.zab/quota)" 0 "  below .zab, too"
ok "$([ "$(stat -f -c %d A/other)" -gt 1000 ]; echo $?)" "elsewhere it is the disk"
is "$(sets A "nodes 50 bytes $((100 * 4096))")" none "a quota of everything"
is "$(df --output=itotal,iused A | sed 1d | xargs)" "50 $(find A | wc -l)" "df of the mount: nodes"
is "$(df --output=size,avail A | sed 1d | xargs)" "400 396" "  and kilobytes"
is "$(stat -f -c %c A/other) $(stat -f -c %c B/d/tree)" "50 3" "  of what is below it"
sets A none >/dev/null

# A mount of a subtree has its quotas, and those above.
mount_start S -f "$T/zabfs.conf:/d/tree" || exit 1
is "$(quota S)" "$(quota A/d/tree)" "a mount of a subtree"
is "$(df --output=itotal,iused,avail S | sed 1d | xargs)" "3 3 36" "  shows in df what there is room for"
is "$(errno_of "import os; os.mkdir('S/x')")" EDQUOT "  and has no more"
mount_stop S

# Restarts.
before=$(quota A/d) && replica_restart && wait_for 20 mounted A
is "$(quota A/d)" "$before" "a restart keeps it"
before=$(quota A/d/tree)
replica_kill9 && replica_start && wait_for 20 mounted A
is "$(quota A/d/tree)" "$before" "so does a crash"
is "$(errno_of "import os; os.mkdir('A/d/tree/x')")" EDQUOT "  and what it refuses"
# Its lock is the process's.
in_image() {
	sqlite3 "$T"/data/tree-*.db 'SELECT quota_nodes, quota_bytes, quota_hard FROM node WHERE quota_bytes = 40960'
}
passed() {
	grep -qx 'zabfs_image_changes 0' A/.zab/metrics
}
wait_for 60 passed
node_stop
is "$(in_image)" "3|40960|1" "it is in the image"
replica_start && wait_for 20 mounted A
rm -r A/d
is "$(errno_of "import os; os.mkdir('A/d'); os.mkdir('A/d/x')")" none "a quota goes with its directory"
is "$(quota A/d)" "nodes - bytes - limit - nodes_used 2 bytes_used 0" "  another of that name has none"
done_testing
