#!/bin/bash
# The simulator's part of the test run: the seeds from 1 on, the same each time.
# More, and others: `make sim SEEDS=n FIRST=k`.
set -u
build=${ZABFS_BUILD:-build}
seeds=10000
# With sanitizers it is ten times slower.
[[ $build == *-san ]] && seeds=2000
echo 1..1
if "$build/tests/zabfs-sim" -n "$seeds" | sed 's/^/# /' && [ "${PIPESTATUS[0]}" -eq 0 ]; then
	echo "ok 1 - $seeds seeds"
else
	echo "not ok 1 - $seeds seeds"
	exit 1
fi
