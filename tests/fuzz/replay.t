#!/bin/bash
# The kept corpora, each input once, without libFuzzer: a line for each target.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${ZABFS_BUILD:-$PWD/build}
tmp=$(mktemp -d /dev/shm/zabfs-replay.XXXXXX) || exit 1
trap 'rm -rf "$tmp"' EXIT
mapfile -t targets < <(basename -s _fuzz.c -a tests/fuzz/*_fuzz.c)
echo "1..${#targets[@]}"
number=0 status=0
for target in "${targets[@]}"; do
	number=$((number + 1))
	if TMPDIR=$tmp timeout 300 "$build/tests/${target}_fuzz" "tests/fuzz/corpus/$target" >"$tmp/out" 2>&1; then
		echo "ok $number - $target: $(tail -n 1 "$tmp/out")"
	else
		echo "not ok $number - $target: again by $build/tests/${target}_fuzz $(grep "^tests/fuzz/corpus" "$tmp/out" | tail -n 1)"
		tail -n 30 "$tmp/out" | sed 's/^/# /'
		status=1
	fi
done
exit $status
