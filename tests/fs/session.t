#!/bin/bash
# Sessions: ephemeral and held nodes, their ends, and what .zab tells of them.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A -o timeout=60s && mount_start B -o timeout=60s || exit 1
cd "$T" || exit 1

gone() {
	[ ! -e "$1" ]
}

value_of() {
	awk -v key="$2" '$1 == key { print $2 }' "$1"
}

# Ephemeral: bound to the mount's session.
mkdir A/members
echo here >A/members/.zab/ephemeral/a
is "$(cat A/members/a)" here "an ephemeral node appears under its own name"
is "$(cat B/members/a)" here "on every mount"
is "$(stat -c %A B/members/a | cut -c10)" T "with the sticky bit"
is "$(value_of A/members/.zab/stat/a owner)" "$(value_of A/.zab/session id)" "its owner is the session"
is "$(value_of A/members/.zab/stat/a kind)" file "it is a file"
echo more >>A/members/a
is "$(cat B/members/a)" $'here\nmore' "it can be written by its name"
mv A/members/a A/members/b
is "$(ls B/members)" b "and renamed"
chmod 1600 A/members/b
is "$(stat -c %a A/members/b)" 1600 "the sticky bit stays"
echo plain >A/plain
chmod 1644 A/plain
is "$(stat -c %a A/plain)" 644 "and nothing else has it"
rm A/members/b
is "$(ls -A B/members)" "" "it can be removed"

# Held: bound to the open file.
exec 9>A/members/.zab/held/h
echo mine >&9
is "$(cat B/members/h)" mine "a held node is there while its file is open"
[ "$(value_of A/members/.zab/stat/h handle)" != 0 ]
ok $? "its stat names the handle"
exec 8>&9
exec 9>&-
is "$(cat B/members/h)" mine "and while any descriptor is"
exec 8>&-
wait_for 5 gone B/members/h
ok $? "with the last descriptor it goes"
bash -c 'exec 9>A/members/.zab/held/k && echo $$ >pid && exec sleep 60' &
holder=$!
wait_for 5 test -e B/members/k
ok $? "another process holds one"
kill -9 $holder
wait $holder 2>/dev/null
wait_for 5 gone B/members/k
ok $? "its death is the node's, at once"
touch A/members/taken
! echo x 2>/dev/null >A/members/.zab/held/taken
ok $? "a name that is taken can't be held"
echo x >A/members/.zab/ephemeral/e1
ls -A A/members/.zab/ephemeral >"$T/listed"
is "$(cat "$T/listed")" "" "nothing is listed below a modifier"
is "$(ls -A A/members | tr '\n' ' ')" "e1 taken " ".zab is never listed"
is "$(find A -name .zab)" "" "not by find either"
is "$(ls A/members/.zab | tr '\n' ' ' | grep -c 'data.*ephemeral.*held.*stat')" 1 "but it can be looked into"

# .zab/stat, .zab/data, .zab/session.
echo 1 >A/f
echo 2 >A/f
is "$(value_of A/.zab/stat/f version)" 2 "version counts the writes"
chmod 600 A/f
is "$(value_of A/.zab/stat/f aversion)" 1 "aversion the attributes'"
is "$(value_of A/.zab/stat/f size)" 2 "size"
is "$(value_of A/.zab/stat/f id)" "$(stat -c %i A/f)" "id is the inode number"
is "$(value_of A/.zab/stat/members cversion)" "$(value_of B/.zab/stat/members cversion)" "the same on both mounts"
[ "$(($(value_of A/.zab/stat/f czxid)))" -lt "$(($(value_of A/.zab/stat/f mzxid)))" ]
ok $? "a zxid grows"
[ "$(($(value_of A/members/.zab/stat/taken czxid)))" -lt "$(($(value_of A/.zab/stat/f czxid)))" ]
ok $? "from node to node"
echo settings >A/members/.zab/data
is "$(cat B/members/.zab/data)" settings "a directory has a value"
is "$(cut -d' ' -f1 A/.zab/session | tr '\n' ' ')" "id state timeout_ms replica zxid " "the session's keys"
is "$(value_of A/.zab/session state)" connected "it is connected"
is "$(value_of A/.zab/session timeout_ms)" 60000 "its timeout is the mount's"

# Ends of a mount.
echo x >A/members/.zab/ephemeral/clean
start=$(date +%s)
mount_stop A
wait_for 10 gone B/members/clean
ok $? "a clean unmount ends its ephemerals"
[ $(($(date +%s) - start)) -lt 30 ]
ok $? "at once, not by the timeout"
[ -e B/members/taken ]
ok $? "and nothing else"

mount_start C -o timeout=1s
echo x >C/members/.zab/ephemeral/killed
exec 9>C/members/.zab/held/killed2
watch_start B/members "$T/killed" -e delete --format '%e %f'
mount_kill9 C
exec 9>&-
wait_for 10 grep -q 'DELETE killed2' "$T/killed"
ok $? "a killed mount's held node expires, and B sees it"
wait_for 10 grep -q 'DELETE killed$' "$T/killed"
ok $? "its ephemeral too"
watch_stop
umount -l C

cd /
done_testing
