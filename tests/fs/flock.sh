# shellcheck shell=bash
# For the tests of flock(2): processes that hold a lock until they are told to go. Sourced by
# tests/fs/flock*.t after lib.sh, in $T.
#
#   hold NAME FILE [flock's options…]   in the background; holder[NAME]; `order` has who had it when
#   has NAME       it has it, or will in a moment
#   waits NAME FILE   it does not: whoever had it wrongly would have said so by now
#   in_queue NAME [FILE]   it has asked; FILE is on its mount: the next one comes behind it
#   let_go NAME
#   flock_s        seconds that `has` waits at most
declare -A holder
flock_s=20

hold() {
	local name=$1 file=$2
	shift 2
	mkfifo "go-$name"
	# shellcheck disable=SC2016 # it is the inner shell's
	flock "$@" "$file" sh -c 'echo >"has-$1"; echo "$1" >>order; read -r _ <"go-$1"' - "$name" 2>"err-$name" &
	holder[$name]=$!
}
has() {
	wait_for "$flock_s" test -e "has-$1"
}
waits() {
	local i
	for ((i = 0; i < 20; i++)); do
		[ ! -e "has-$1" ] && timeout 20 sync "$2" || return 1
	done
}
# Its file is open, and it waits in a system call: flock(2), then.
is_waiting() {
	[ -e "/proc/$1/fd/3" ] && grep -qs '^[0-9]' "/proc/$1/syscall"
}
in_queue() {
	wait_for 20 is_waiting "${holder[$1]}"
	[ -z "${2-}" ] || sync "$2"
}
let_go() {
	timeout 20 sh -c 'echo >"go-$1"' - "$1"
	wait "${holder[$1]}"
}
