# shellcheck shell=bash
# For the tests of the recipes: what they share. Sourced by tests/fs/recipes*.t
# after lib.sh, in $T.
#
#   section NAME HOW    a command for a recipe: a critical section, with a lock of
#                       the local machine as the judge. HOW: quick, die (kill -9 of
#                       itself), stay (until `leave NAME`), with -s: shared
#   leave NAME          lets it go on
#   run NAME COMMAND…   in the background; pid_of[NAME], its output in NAME.out
#   status NAME…        exit statuses, each within a minute; late if there is none
#   entered             the names in the order in which they came in
#   was_right TEXT      a test: never two at once, and the fencing tokens grew
# shellcheck disable=SC2034,SC2154 # lib.sh's, and its readers'
recipes=$here/tests/fs/recipes
declare -A pid_of
export T

cat >"$T/section" <<'END'
#!/bin/bash
# NAME HOW [-s]. The judge's lock goes before the recipe's does: its descriptor is smaller.
exec 7>>"$T/judge"
flock ${3:--x} -n 7 || echo "$1" >>"$T/two-at-once"
echo "$1 ${FENCE-}" >>"$T/entered"
echo $$ >"$T/in.$1"
case $2 in
die) kill -9 $$ ;;
stay) until [ -e "$T/leave.$1" ] || [ -e "$T/stop" ]; do sleep 0.02; done ;;
esac
END
chmod +x "$T/section"

leave() {
	touch "$T/leave.$1"
}

# The pid is the command's own: not that of the shell that waits for it, and hides how it ended.
run() {
	local name=$1
	shift
	rm -f "$T/$name.pid" "$T/$name.status"
	(
		exec 2>/dev/null
		"$@" >"$T/$name.out" 2>&1 </dev/null &
		echo $! >"$T/$name.pid"
		wait $!
		echo $? >"$T/$name.status"
	) &
	wait_for 30 test -s "$T/$name.pid"
	pid_of[$name]=$(cat "$T/$name.pid")
}

# NAME…
status() {
	local name all=
	for name; do
		wait_for 60 test -s "$T/$name.status"
		all+="$(cat "$T/$name.status" 2>/dev/null || echo late) "
	done
	echo "${all% }"
}

entered() {
	cut -d ' ' -f 1 "$T/entered" 2>/dev/null | tr '\n' ' '
}
has_entered() {
	grep -q "^$1 " "$T/entered" 2>/dev/null
}
lists() { # DIR N
	[ "$(ls "$1" 2>/dev/null | wc -l)" -eq "$2" ]
}
has() { # FILE PATTERN
	grep -qs "$2" "$1"
}

was_right() {
	is "$(cat "$T/two-at-once" 2>/dev/null)" "" "$1: never two at once"
	is "$(cut -d ' ' -f 2 "$T/entered")" "$(cut -d ' ' -f 2 "$T/entered" | sort -u)" "  and who comes later has a greater token"
	rm -f "$T"/entered "$T"/leave.* "$T"/in.* "$T/two-at-once"
}

# What still runs has the mounts open. With another harness's, cleanup_first and cleanup_last
# are the reader's.
recipes_end() {
	local name
	touch "$T/stop"
	for name in "${!pid_of[@]}"; do
		kill "${pid_of[$name]}" 2>/dev/null
	done
}
none_left() {
	! pgrep -f "$T/" >/dev/null
}
recipes_ended() {
	wait_for 20 none_left
	verdict "no process of a recipe is left" "$(pgrep -af "$T/")"
}
cleanup_first() {
	recipes_end
}
cleanup_last() {
	recipes_ended
}
