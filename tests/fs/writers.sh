# shellcheck shell=bash
# Writers of the tests of ensembles: each appends numbered lines to a file, one
# after another, and writes down which were acknowledged. Sourced by tests/fs/*.t
# after lib.sh; whoever uses it is in $T.
#
#   writer_start FILE [ACKS]    another one; ACKS: where it writes that down, acks
#   writers_do N [ACKS…]        N more of each, in time
#   writers_stop                all of them; a test of its own: none has failed
#   writer_was_right FILE ACKS TEXT   a test: what was acknowledged is there, once, in order
writers=()

writer_start() {
	local file=$1 acks=${2:-acks}
	rm -f stop
	: >"$acks"
	(
		n=0
		while [ ! -e stop ]; do
			n=$((n + 1))
			if { echo $n >>"$file"; } 2>>errors; then
				echo $n >>"$acks"
			else
				echo $n >>failed
			fi
		done
	) 8>&- 9>&- &
	writers+=($!)
}

# N ACKS OLD…
writers_did() {
	local n=$1
	shift
	while [ $# -gt 0 ]; do
		[ "$(wc -l <"$1")" -ge $(($2 + n)) ] || return 1
		shift 2
	done
}

writers_do() {
	local n=$1 acks olds=()
	shift
	[ $# -gt 0 ] || set -- acks
	for acks in "$@"; do
		olds+=("$acks" "$(wc -l <"$acks")")
	done
	wait_for 30 writers_did "$n" "${olds[@]}"
}

writers_stop() {
	touch stop
	wait "${writers[@]}"
	writers=()
	[ ! -e failed ]
	ok $? "no write has failed" || head -n 3 errors | sed 's/^/# /'
	rm -f failed
}

writer_was_right() {
	cmp -s "$2" "$1"
	ok $? "$3" || diff "$2" "$1" | head -n 5 | sed 's/^/# /'
}
