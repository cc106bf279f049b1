#!/bin/bash
# The recipes (zabfs-recipes(7)) on three nodes whose network is cut: on each node's
# mount some contend; node 1, where one of them holds what the others wait for, is
# struck in five ways, one after the other: that process is killed, fsd is, mountd and fsd
# are, the node is cut off while it leads, and while it follows. Another member is an observer.
# shellcheck disable=SC2154 # from lib.sh and recipes.sh
. "$(dirname "$0")/lib.sh"
. "$here/tests/fs/recipes.sh"
. "$here/tests/cluster/recipes.sh"
. "$here/tests/cluster/recipes_locks.sh"
. "$here/tests/cluster/recipes_groups.sh"
. "$here/tests/cluster/recipes_queue.sh"
cleanup_first() {
	recipes_end
	cluster_end
}
cleanup_last() {
	cluster_ended
	recipes_ended
}

watchdog_start 600
members_start 3 || exit 1
mount_launch m1 1 $timeout_s
mount_launch m2 2 60
mount_launch m3 3 60
cd "$T" || exit 1
for id in 1 2 3; do
	wait_for 30 mounted m$id || exit 1
done
gcc -std=c17 -o elect.c "$recipes/elect.c" || exit 1

# shellcheck disable=SC2086 # words
for strike in ${STRIKES:-process fsd mountd leader follower}; do
	round_run "$strike" ${RECIPES:-locks readers counter cron barrier rendezvous group config two_phase queue}
done
done_testing
