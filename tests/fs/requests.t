#!/bin/bash
# How many requests the kernel makes of fsd for what the shell does all day:
# strace(1) counts what fsd reads from /dev/fuse.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1

cat >opcodes.py <<'END'
# The opcodes in strace's hex dump of each read: the second word of the header.
import re, sys
names = {1: "LOOKUP", 2: "FORGET", 3: "GETATTR", 4: "SETATTR", 14: "OPEN", 15: "READ", 16: "WRITE", 17: "STATFS",
         18: "RELEASE", 22: "GETXATTR", 25: "FLUSH", 27: "OPENDIR", 28: "READDIR", 29: "RELEASEDIR", 35: "CREATE",
         36: "INTERRUPT", 42: "FORGET", 44: "READDIRPLUS"}
text = open(sys.argv[1]).read()
ops = [int.from_bytes(bytes.fromhex(m.group(1).replace("\\x", "")), "little")
       for m in re.finditer(r'read\(\d+, "(?:\\x[0-9a-f]{2}){4}((?:\\x[0-9a-f]{2}){4})', text)]
print(" ".join(names.get(op, str(op)) for op in ops if names.get(op) != "FORGET"))
END

traced() {
	grep -q "^TracerPid:[[:space:]]$tracer$" "/proc/$fsd/status"
}

# The requests of a command on the mount `on`; its last one is waited for.
on=A
requests() {
	fsd=$(fsd_pid $on)
	strace -xx -s 16 -e trace=read -P /dev/fuse -o trace -p "$fsd" 2>trace.err 8>&- 9>&- &
	tracer=$!
	wait_for 10 traced
	eval "$1" >out
	wait_for 5 grep -q "read([0-9]*, \"\(\\\\x..\)\{4\}\\\\x$2" trace || echo "it did not end:"
	kill "$tracer"
	wait "$tracer" 2>/dev/null
	python3 opcodes.py trace
}

release=12 releasedir=1d # opcodes, in hex
mkdir A/d
watch_start A/d events -e create
for i in $(seq 100); do
	: >"B/d/f$i"
done
wait_for 10 grep -q 'CREATE f100' events # the echo makes requests, too
watch_stop
echo value >A/f
# What fsd doesn't have the kernel asks for once: extended attributes, statx with a birth time.
getfattr -n user.a A/f 2>/dev/null
stat A/f A/d >/dev/null
is "$(requests 'ls -l A/d' $releasedir)" "OPENDIR READDIRPLUS READDIRPLUS RELEASEDIR" "ls -l of 100 files: 4 requests"
is "$(wc -l <out)" 101 "and all are listed"
# Who has read makes the kernel doubt the access time: the next fstat asks.
is "$(requests 'ls -l A/d' $releasedir)" "OPENDIR GETATTR READDIRPLUS READDIRPLUS RELEASEDIR" "and again: 5"
is "$(requests 'echo v >A/f' $release)" "OPEN WRITE RELEASE" "echo v > f: two, and nobody waits for the third"
stat A/f >/dev/null
is "$(requests 'cat A/f' $release)" "OPEN READ READ RELEASE" "cat f: three, likewise"
stat A/f >/dev/null
is "$(requests 'for i in $(seq 50); do [ -e A/d/f$i ] || echo none; done; cat A/f' $release)" "OPEN READ READ RELEASE" "stat of what is cached: none"

# No name is asked for because its directory is big, nor pinned because it is listed.
mkdir A/big
seq -f 'create /big/f%g v' 20000 >A/.zab/stream
mount_start C
on=C
ls -d C/big >/dev/null
getfattr -n user.a C/big 2>/dev/null
known() {
	awk '$1 == "zabfs_mount_inodes" { print $2 }' C/.zab/metrics
}
before=$(known)
kinds() {
	requests "$1" $releasedir | tr ' ' '\n' | sort -u | tr '\n' ' '
}
is "$(kinds 'ls -f C/big')" "OPENDIR READDIR READDIRPLUS RELEASEDIR " "ls -f of 20,000 files"
is "$(wc -l <out)" 20002 "all are listed"
[ $(($(known) - before)) -lt 2000 ]
ok $? "the kernel knows those of the first page: $(($(known) - before))"
is "$(kinds 'ls -l C/big')" "GETATTR OPENDIR READDIRPLUS RELEASEDIR " "ls -l of them: nothing else"
is "$(wc -l <out)" 20001 "and all are listed"

cd /
done_testing
