#!/bin/bash
# The transcripts of tests/sim/cases, one test each. UPDATE=1 rewrites them.
set -u
cd "$(dirname "$0")/../.." || exit
exec "${ZABFS_BUILD:-build}/tests/zabfs-cases" tests/sim/cases/*.txt
