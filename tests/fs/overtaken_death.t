#!/bin/bash
# What a process of this mount removes or moves before it is told, and then fsd dies or is replaced: the
# next one is told the same changes again, and knows from them which were made here.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
. "$here/tests/fs/held.sh"

cat >dies.py <<'PY'
import held, os, signal, sys
fsd, elsewhere, here = int(sys.argv[1]), sys.argv[2], sys.argv[3]
hold = held.hold()
exec(elsewhere)
top = os.open("B", os.O_RDONLY)
os.fsync(top)
exec(here)
os.kill(fsd, signal.SIGKILL)
os.stat("B/.zab/session")
open("B/.zab/session").read()  # the next one serves
os.close(hold)
PY
# told ELSEWHERE HERE
told() {
	told_by dies.py "$(fsd_pid B)" "$@"
}

is "$(told 'open("A/d/x", "w").close()' 'os.remove("B/d/x")')" \
	"DELETE x" "what was made elsewhere, and is removed here before that is told, is not created after a death"
is "$(told 'os.mkdir("A/d/x")' 'os.rename("B/d/x", "B/d/y")')" \
	"MOVED_FROM x,MOVED_TO y" "  nor is what is moved on"
is "$(told 'os.rename("A/d/f", "A/d/x")' 'os.rename("B/d/x", "B/d/y")')" \
	"MOVED_FROM x,MOVED_TO y,MOVED_FROM f" "  what was moved has gone from where it was"
is "$(told 'os.remove("A/d/f")' 'os.close(os.open("B/d/f", os.O_CREAT | os.O_EXCL))')" \
	"CREATE f,DELETE f,CREATE f" "  a file that is made where another was removed is told once more behind that"
is "$(told "$replaced" "$(replace x)")" \
	"$brought x,CREATE x,MOVED_FROM f,DELETE x,CREATE x" "  and one that replaces what had replaced another"
is "$(told "$exchanged" "$(replace dir)")" \
	"$brought dir,MOVED_FROM f,MOVED_FROM dir,MOVED_TO f,CREATE dir" "  or what was exchanged"
is "$(grep -h 'event was not raised' mount-*.log)" "" "no event was given up"

cd /
done_testing
