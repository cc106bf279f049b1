#!/bin/bash
# The store's part of the test run on disks that fail: some of the crashes, of
# the calls that fail, of the bits that rot. More: `make storage`. V=1 shows
# what the store says.
set -u
build=${ZABFS_BUILD:-build}
status=0
count=0
echo 1..3
for run in "crash 5" "fault" "flip 12"; do
	count=$((count + 1))
	# shellcheck disable=SC2086 # the words are the arguments
	if "$build"/tests/storage-$run 2>&1 | sed 's/^/# /' && [ "${PIPESTATUS[0]}" -eq 0 ]; then
		echo "ok $count - $run"
	else
		echo "not ok $count - $run"
		status=1
	fi
done
exit $status
