#!/bin/bash
# Three voters and an observer, each in a network namespace of its own, with a mount
# whose session is long and, but the observer, one whose session is brief, and what
# befalls them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/nemesis.sh"

watchdog_start 900
members_start 3 || exit 1
mounts_start 1 2 3 || exit 1
clients_start || exit 1
nemesis_each 3 && nemesis_quick 3 && nemesis_rounds 1 snap
cluster_verify 120
sessions_verify
done_testing
