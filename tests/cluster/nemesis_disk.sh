# shellcheck shell=bash
# Faults of disks and clocks: failing, full, slow, emptied; what is missing is gone
# from the others' logs; the time of day jumps. See nemesis.sh.
disks=(fail_write fail_sync full slow emptied rotten clock_member clock_mount)
allow_error 'storage failed, the process ends'
allow_error 'damaged'

# The next write, or sync, and if the process has survived that one (the high-water mark's), the next.
nemesis_fail() {
	local id=$1 status
	fault "EIO ($2) at $id"
	wait_for 30 failed_by "$id" "$2"
	wait "${member_pid[$id]}"
	status=$?
	unset "member_pid[$id]"
	is $status 74 "  a member whose disk fails ends, with EX_IOERR"
	lasts "$id"
	shim_set "$id" -
	member_start "$id"
}

failed_by() {
	process_gone "${member_pid[$1]}" && return 0
	shim_set "$1" "$2"
	return 1
}

nemesis_fail_write() {
	some
	nemesis_fail "$REPLY" w
}

nemesis_fail_sync() {
	some
	nemesis_fail "$REPLY" s
}

says_full() {
	grep -q "zabfs-replica\\[${member_pid[$1]}\\] warn.*: disk full" "$T/replica-$1.log"
}

nemesis_full() {
	local id
	some
	id=$REPLY
	fault "the disk of $id is full"
	shim_set "$id" f
	wait_for 30 says_full "$id"
	ok $? "  it says so"
	lasts "$id"
	shim_set "$id" -
}

nemesis_slow() {
	some
	fault "the disk of $REPLY is slow"
	shim_set "$REPLY" t
	moment_of $((1 + RANDOM % 60))
}

emptied_disk() {
	rm -rf "${T:?}/$1/data"
}

emptied() {
	killed "$1"
	emptied_disk "$1"
}

# Nothing else may happen until it has all of it again: what is on two of three disks survives one.
nemesis_emptied() {
	local id
	all_serve
	some
	id=$REPLY
	fault "the disk of $id is emptied"
	emptied "$id"
	lasts "$id"
	member_start "$id"
	wait_for 30 serves "$id"
	ok $? "  it joins, and serves"
}

# Some bit of a file, not of a log that is still to be taken over.
flip_bit() {
	python3 - "$1" "$RANDOM" <<-'END'
		import os, random, sys
		random.seed(int(sys.argv[2]))
		with open(sys.argv[1], "r+b") as f:
		    at = random.randrange(os.path.getsize(sys.argv[1]))
		    f.seek(at)
		    byte = f.read(1)[0] ^ 1 << random.randrange(8)
		    f.seek(at)
		    f.write(bytes([byte]))
	END
}

serves_or_ended() {
	serves "$1" || process_gone "${member_pid[$1]}"
}

# What rots on a minority is noticed (EX_DATAERR) or read by nobody: nobody is told anything else than
# what was there. The disk is then replaced, whatever the member made of it.
nemesis_rotten() {
	local id files file status=65
	all_serve
	some
	id=$REPLY
	killed "$id"
	files=("$T/$id/data/"{log,tree-*}.db)
	file=${files[RANDOM % ${#files[@]}]}
	fault "a bit of ${file##*/} of $id is flipped"
	flip_bit "$file"
	member_start "$id"
	wait_for 30 serves_or_ended "$id"
	ok $? "  it serves, or says that it can't"
	moment_of $((1 + RANDOM % 60))
	if process_gone "${member_pid[$id]}"; then
		wait "${member_pid[$id]}"
		status=$?
		unset "member_pid[$id]"
	else
		member_end "$id" KILL
	fi
	is $status 65 "  a member whose data are damaged ends with EX_DATAERR, if at all"
	emptied_disk "$id"
	member_start "$id"
	wait_for 30 serves "$id"
	ok $? "  with an empty disk it joins"
}

all_serve() {
	local id
	for ((id = 1; id <= size; id++)); do
		wait_for 30 serves $id || return 1
	done
}

# min or max of a log's zxids, of a copy: the replica lets nobody else in. One of a bad moment says nothing.
log_end() {
	local copy=$T/peek-$2
	cp "$T/$2/data/log.db" "$copy" && cp "$T/$2/data/log.db-wal" "$copy-wal" 2>/dev/null
	sqlite3 "$copy" "SELECT $1(zxid) FROM log" 2>/dev/null
	rm -f "$copy"*
}

# What comes after that row is no longer in any other member's log.
left_behind_by_all() {
	local id begins
	for ((id = 1; id <= size; id++)); do
		[ -n "${member_pid[$id]:-}" ] || continue
		begins=$(log_end min $id)
		[ -n "$begins" ] && [ "$begins" -gt $(($1 + 1)) ] || return 1
	done
}

snapshots() {
	grep -c 'snapshot in force' "$T/replica-$1.log"
}

# So many writes, by four at a time, where nobody watches.
burst() {
	local n who pids=()
	for who in 1 2 3 4; do
		for ((n = $1 / 4; n >= 0; n--)); do
			echo "$n" || exit 1
		done >"$2/tmp/burst$who" &
		pids+=($!)
	done
	wait "${pids[@]}"
}

# Away for so long that the others' logs don't tell what it missed.
nemesis_snap() {
	local id before last
	all_serve
	a_follower
	id=$REPLY
	before=$(snapshots "$id")
	fault "kill -9 of $id, for long"
	killed "$id"
	last=$(log_end max "$id")
	burst "$log_rows" "$T/${mounts[id % size]}"
	ok $? "  many changes while $id is away"
	wait_for 60 left_behind_by_all "$last"
	ok $? "  what it lacks is gone from the logs"
	member_start "$id"
	wait_for 30 serves "$id"
	ok $? "  it comes back"
	[ "$(snapshots "$id")" -gt "$before" ]
	ok $? "  by a snapshot"
}

# Back and forth, seconds to years.
some_jump() {
	local by=(1 30 3600 86400 100000000)
	REPLY=$((by[RANDOM % ${#by[@]}] * (RANDOM % 2 * 2 - 1)))
}

clock_of() {
	some_jump
	fault "the clock of $1 jumps by $REPLY s"
	shim_set "$1" - "$REPLY"
	moment_of $((1 + RANDOM % 60))
	[ $((RANDOM % 2)) -eq 0 ] || shim_set "$1" -
}

nemesis_clock_member() {
	some
	clock_of "$REPLY"
}

nemesis_clock_mount() {
	some_mount
	clock_of "$REPLY"
}
