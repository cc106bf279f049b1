#!/bin/bash
# What a mount shows of directories without asking is what the others show.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B && mount_start C || exit 1

PYTHONDONTWRITEBYTECODE=1 timeout $((100 + ${ROUNDS:-15} * 4)) python3 -u "$here/tests/fs/alike.py" "${ROUNDS:-15}" "$T/A" "$T/B" "$T/C" >"$T/out" 2>&1
is "$? $(grep -v '^# ' "$T/out" | head -n 20)" "0 " "three mounts show the same of directories that all change at once"
grep '^# ' "$T/out"

done_testing
