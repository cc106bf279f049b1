#!/bin/bash
# Three members, each in a network namespace of its own, with a mount whose
# session is long and one whose session is brief, and what befalls them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/nemesis.sh"

watchdog_start 900
members_start 3 || exit 1
mounts_start 1 2 3 || exit 1
clients_start || exit 1
# shellcheck disable=SC2154 # the lists are nemesis.sh's
nemesis_rounds 3 "${processes[@]}" "${networks[@]}" "${disks[@]}" &&
	nemesis_rounds 3 "${quick[@]}" &&
	nemesis_rounds 1 snap
cluster_verify 120
done_testing
