#!/bin/bash
# Three members, each in a network namespace of its own, with a mount whose
# session is long and one whose session is brief, and what befalls them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/nemesis.sh"

watchdog_start 900
log_rows=8000
cluster_start 3 "tick = 100" "pass_interval = 1" "log_rows_min = $log_rows" "log_tree_percent = 0" || exit 1
for id in 1 2 3; do
	cluster_mount long$id $id -o timeout=9s || exit 1
done
brief=(brief1 brief2 brief3)
for id in 1 2 3; do
	cluster_mount brief$id $id -o timeout=1s || exit 1
done
clients_start || exit 1
if [ -n "${NEMESES:-}" ]; then
	nemesis_rounds "${ROUNDS:-1}" $NEMESES
else
	nemesis_rounds "${ROUNDS:-4}" "${processes[@]}" "${networks[@]}" "${disks[@]}"
fi
cluster_verify
done_testing
