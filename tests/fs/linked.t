#!/bin/bash
# What is written, or gets another mode, and is a symbolic link by the time it is told: the event comes
# to the name, and what the link leads to is left alone, which may be any file of this machine.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
mkdir A/d A/busy && echo v >A/busy/f && cat B/busy/f >/dev/null && ls B/d

cat >linked.py <<'PY'
import held, os, sys
hold = held.hold()
exec(sys.argv[1])
os.symlink(os.path.abspath("other"), "A/d/link")
os.rename("A/d/link", "A/d/f")
top = os.open("B", os.O_RDONLY)
os.fsync(top)
os.lstat("B/d/f")
os.close(hold)
PY
round=0
# told ELSEWHERE: of the name f, and what has become of the other file.
told() {
	round=$((round + 1))
	rm -f A/d/f A/d/end other && echo value >A/d/f && cat B/d/f >/dev/null
	echo other >other && chmod 600 other
	watch_start B/d "events$round" -e modify,attrib,move --format '%e %f' >/dev/null
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/tests/fs timeout 200 python3 linked.py "$1" || echo failed
	touch A/d/end && mv A/d/end A/d/last
	wait_for 60 grep -q 'MOVED_TO last' "events$round" || echo "no end"
	watch_stop
	echo "$(grep ' f$' "events$round" | paste -sd,) $(stat -c %a other) $(cat other) $(stat -c %F B/d/f)"
}

is "$(told 'os.chmod("A/d/f", 0o666)')" "ATTRIB f,MOVED_TO f 600 other symbolic link" "another mode"
is "$(told 'open("A/d/f", "w").write("new")')" "MODIFY f,MOVED_TO f 600 other symbolic link" "another value"
is "$(grep -c 'was not raised' mount-B.log)" 0 "nothing else was lost"

done_testing
