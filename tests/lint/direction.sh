#!/bin/bash
# The arrows between the rooms, checked: which folder may include which, and
# that the consensus core needs nothing but a compiler. Argument: the build
# folder with the core's objects.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build}
status=0

# forbid FOLDER PATTERN: no quoted include of the folder's files may match.
forbid() {
	local found
	found=$(grep -nE "^#include \"($2)" "$1"/*.[ch] 2>/dev/null) || return 0
	echo "$1 looks into a room that it may not know:"
	echo "$found"
	status=1
}

forbid replica/zab 'replica/(tree|store|net)/|replica/lib/[^c]|replica/lib/c[^h]|replica/[a-z]*\.h|fsd/|mountd/'
forbid replica/tree 'replica/(zab|net)/|replica/store/[^s]|replica/store/s[^t]|replica/[a-z]*\.h|fsd/|mountd/'
forbid replica/store 'replica/(tree|net)/|replica/[a-z]*\.h|fsd/|mountd/'
forbid replica/net 'replica/(zab|tree|store)/|replica/[a-z]*\.h|fsd/|mountd/'
forbid replica/lib 'replica/(zab|tree|store|net)/|replica/[a-z]*\.h|fsd/|mountd/'
forbid fsd 'replica/(zab|tree|store|net)/|replica/[a-z]*\.h|mountd/'
forbid mountd 'replica/(zab|tree|store|net)/|replica/[a-z]*\.h|replica/lib/(codec|conf|conn|err|wire)|fsd/'
for folder in replica replica/zab replica/tree replica/store replica/net replica/lib fsd mountd; do
	forbid "$folder" 'tests/'
done

# No clock, no I/O, no randomness: what the core's objects may leave undefined.
allowed='^(check_fail|mem(cpy|set|move|cmp)|zab_[a-z_]*|__stack_chk_fail|__(asan|ubsan)_[a-z0-9_]*|_GLOBAL_OFFSET_TABLE_)$'
for object in "$build"/replica/zab/*.o; do
	[ -e "$object" ] || continue
	if nm -u "$object" | awk '{ print $2 }' | grep -vE "$allowed"; then
		echo "$object needs what the core may not"
		status=1
	fi
done
exit $status
