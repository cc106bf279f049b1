#!/bin/bash
# Random operations of eight processes on each of eight mounts, on three replicas, beside models in
# memory (model/): each does what its model says, and in the end all mounts show the same tree.
# `make model SEED=n OPS=n`: another seed, so many operations of each process (1, 100).
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

ensemble_start 3 || exit 1
mounts=()
for i in 0 1 2 3 4 5 6 7; do
	mount_start "n$i" -s "$T/$((i % 3 + 1))/front.sock" -o timeout=60s || exit 1
	mounts+=("$T/n$i")
done

PYTHONDONTWRITEBYTECODE=1 timeout $((100 + ${OPS:-100} * 2)) "$here/tests/fs/model/run" \
	"${SEED:-1}" "${OPS:-100}" 8 "${mounts[@]}" >"$T/model.out" 2>&1
is "$? $(grep -v '^# ' "$T/model.out")" "0 " "64 processes on eight mounts do what their models say, and all mounts agree"
grep '^# ' "$T/model.out"

done_testing
