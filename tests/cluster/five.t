#!/bin/bash
# Five voters and an observer: two of them may fail at once, and a ring of majorities is possible.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/nemesis.sh"

watchdog_start 900
members_start 5 || exit 1
mounts_start 1 3 5 || exit 1
clients_start || exit 1
nemesis_each 2 && nemesis_quick 2
cluster_verify 80
sessions_verify
done_testing
