#!/bin/bash
# Bad input: modifiers with wrong arguments, names of every kind, values at their limit, texts of
# transactions that are wrong, cut off, too long. badinput.py has it all; here is the node.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1

while IFS=$'\t' read -r group wrong; do
	is "$wrong" "" "$group"
	last=$group
done < <(timeout 300 python3 "$here/tests/fs/badinput.py" 2>&1)
is "$last" "all of them" "to the end"
echo after >A/m/f
sync B/m
is "$(cat B/m/f)" after "and the mounts serve on"

cd /
done_testing
