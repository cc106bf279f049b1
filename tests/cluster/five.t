#!/bin/bash
# Five members: two of them may fail at once, and a ring of majorities is possible.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/nemesis.sh"

watchdog_start 900
members_start 5 || exit 1
mounts_start 1 3 5 || exit 1
clients_start || exit 1
# shellcheck disable=SC2154 # the lists are nemesis.sh's
nemesis_rounds 2 "${processes[@]}" "${networks[@]}" "${disks[@]}" &&
	nemesis_rounds 2 "${quick[@]}"
cluster_verify 80
done_testing
