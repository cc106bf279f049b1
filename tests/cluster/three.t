#!/bin/bash
# Three members, each in a network namespace of its own, and what befalls them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/nemesis.sh"

cluster_start 3 "tick = 100" "pass_interval = 1" "log_rows_min = 2000" "log_tree_percent = 0" || exit 1
for id in 1 2 3; do
	cluster_mount m$id $id -o timeout=60s || exit 1
done
clients_start || exit 1
nemesis_run ${NEMESES:-kill_leader kill_follower cut_leader cut_follower kill_majority kill_all}
cluster_verify
done_testing
