# shellcheck shell=bash
# What a watch of d on mount B is told of names while held.py holds the echo up. Sourced by
# overtaken*.t in $T, with mounts A and B.
# shellcheck disable=SC2154 # lib.sh's

mkdir A/busy
echo v >A/busy/f && cat B/busy/f >/dev/null

# told_by SCRIPT ARGUMENT…: in d there is a file f and a directory dir.
round=0
told_by() {
	round=$((round + 1))
	rm -rf A/d && mkdir A/d A/d/dir && echo v >A/d/f && cat B/d/f >/dev/null && ls B/d/dir
	watch_start B/d "events$round" -e create,delete,move --format '%e %f' >/dev/null
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/tests/fs timeout 200 python3 "$@" || echo failed
	touch A/d/end
	wait_for 60 grep -q 'CREATE end' "events$round" || echo "no end"
	watch_stop
	grep -v ' end$' "events$round" | sed 's/,ISDIR//' | paste -sd,
}

# A new file that f replaces, f and dir exchanged; a new file here that replaces NAME, and what its coming is
# told as.
# shellcheck disable=SC2034 # theirs
replaced='open("A/d/x", "w").close(); os.rename("A/d/f", "A/d/x")' \
	exchanged='import ctypes; ctypes.CDLL(None).renameat2(-100, b"A/d/f", -100, b"A/d/dir", 2)' \
	brought="CREATE y,MOVED_FROM y,MOVED_TO"
replace() {
	echo "open('B/d/y', 'w').close(); os.rename('B/d/y', 'B/d/$1')"
}
