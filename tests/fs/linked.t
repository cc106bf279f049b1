#!/bin/bash
# What is written, or gets another mode, and is a symbolic link by the time it is told, or has another file
# mounted over it: the echo works as root, and leaves alone what that leads to, which may be any file of this
# machine.
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

# A mount that can't be copied for the echo: what another file system has over a name is left alone, too.
echo other >other && chmod 600 other && touch -d 2001-01-01 other
mount --make-unbindable B && kill -9 "$(fsd_pid B)" && rm A/d/f && echo value >A/d/f
is "$(cat B/d/f)" value "another fsd goes on, of a mount that can't be copied"
mount --bind other B/d/f || exit 1
watch_start B/d covered --format '%e %f' >/dev/null
echo new >A/d/f && chmod 666 A/d/f && touch A/d/seen
wait_for 60 grep -q 'CREATE seen' covered
ok $? "what is next to it is told"
is "$(stat -c '%a %Y' other) $(cat other)" "600 $(date -d 2001-01-01 +%s) other" "what is mounted over a name is left alone"
umount B/d/f
is "$(cat B/d/f) $(stat -c %a B/d/f)" "new 666" "and below it is the new value"

done_testing
