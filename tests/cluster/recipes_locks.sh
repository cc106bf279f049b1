# shellcheck shell=bash
# Locks, elections, the counter and cron's run on one node, struck: see recipes.sh.
# shellcheck disable=SC2154 # from recipes.sh and lib.sh

# --- one at a time: in each line old, on node 1, is the first, `out`, there too, the last ---

kinds=(lock lock-fair write elect elect.py elect.c)

# KIND NODE NAME
stands() {
	local dir=m$2/$D/$1 command
	case $1 in
	lock) command=("$recipes/lock" "$dir/x") ;;
	lock-fair) command=("$recipes/lock-fair" "$dir") ;;
	write) command=("$recipes/lock-shared" write "$dir") ;;
	elect | elect.py) command=("$recipes/$1" "$dir" "$3") ;;
	elect.c) command=("$T/elect.c" "$dir" "$3") ;;
	esac
	start "$1.$3" "${command[@]}" ./hold "$round.$1" "$round-$1.$3" "$dir.guarded"
}

locks_before() {
	local kind
	for kind in "${kinds[@]}"; do
		mkdir "m2/$D/$kind" && sync m1
		stands "$kind" 1 old
		wait_for 30 is_in "$kind.old" || ok 1 "$kind: the first is in"
		victim "$kind.old"
		[[ $kind != elect* ]] || victims+=("$(cat "$T/in.$round-$kind.old")")
		if [ "$kind" = lock ]; then
			# It has no line, and two of one mount are kept apart as well.
			stands lock 2 next
			stands lock 3 last
			stands lock 2 out
			continue
		fi
		stands "$kind" 2 next
		gone_from "$kind" 2
		stands "$kind" 3 last
		gone_from "$kind" 3
		stands "$kind" 1 out
		gone_from "$kind" 4
	done
}

# KIND NAME: it goes on writing.
writes() {
	local n
	n=$(cat "$T/wrote.$round-$1.$2" 2>/dev/null)
	wait_for 30 wrote_more "$1" "$2" "${n:-0}"
}

wrote_more() {
	[ "$(cat "$T/wrote.$round-$1.$2" 2>/dev/null)" -gt "$3" ] 2>/dev/null
}

# The simple lock is not fair.
someone_in() {
	for who in next last out; do
		is_in "$1.$who" && return 0
	done
	return 1
}

locks_struck() {
	local kind who
	for kind in "${kinds[@]}"; do
		if [ -z "$lost" ]; then
			writes "$kind" old
			ok $? "$round, $kind: the holder goes on, and writes"
			! someone_in "$kind"
			ok $? "  and nobody else is in"
			continue
		fi
		wait_for 60 someone_in "$kind"
		ok $? "$round, $kind: another one gets it"
		[ "$kind" = lock ] || is "$who" next "  the next one"
		writes "$kind" "$who"
		ok $? "  and writes"
	done
}

locks_after() {
	local kind
	for kind in "${kinds[@]}"; do
		locks_old "$kind"
		goes "$kind.old"
		goes "$kind.next"
		goes "$kind.last"
		goes "$kind.out"
		locks_end "$kind"
		locks_right "$kind"
	done
}

# What the one does that has lost it: an elected one is ended, another one's writes are refused.
locks_old() {
	case $lost$round in
	yesleader | yesfollower | yesmountd)
		if [[ $1 == elect* ]]; then
			is "$(ends "$1.old")" 75 "$round, $1: the old one says that it is out"
			wait_for 30 process_gone "$(cat "$T/in.$round-$1.old")"
			ok $? "  and its command is ended"
		else
			wait_for 60 test -e "$T/refused.$round-$1.old"
			ok $? "$round, $1: what the old one writes is refused"
		fi
		;;
	*) is "$(ls "$T/refused.$round-$1".* 2>/dev/null)" "" "$round, $1: nobody is refused" ;;
	esac
}

locks_end() {
	local old=0 out=0
	[ "$round" != process ] || old=137
	[ "$1" = lock ] || [ "$round" = process ] || [ -z "$lost" ] || out=75
	[[ $1 != elect* ]] || [ "$out" = 0 ] || old=75
	is "$(ends "$1.old" "$1.next" "$1.last")" "$old 0 0" "  the others end"
	is "$(ends "$1.out")" $out "  and the one behind them"
}

# By what the ensemble says: tokens grow from holder to holder, and in the order of what they wrote.
locks_right() {
	local together=$T/together.$round.$1 pattern='-'
	# One that was cut off goes on until it is told; who is elected is ended before.
	[ -z "$lost" ] || [[ $1 == elect* ]] || pattern="while $round-$1.old\$"
	is "$(grep -vse "$pattern" "$together")" "" "  never two at once"
	is "$(cut -d ' ' -f 1 "$T/entered.$round.$1")" "$(cut -d ' ' -f 1 "$T/entered.$round.$1" | sort -u)" \
		"  who comes later has a greater token"
	is "$(sort -n "$T/steps.$round.$1" | cut -d ' ' -f 2)" "$(cut -d ' ' -f 2 "$T/steps.$round.$1" | sort -n)" \
		"  and writes later, of $(wc -l <"$T/steps.$round.$1") writes"
	is "$(cut -d ' ' -f 1 "$T/steps.$round.$1" | sort | uniq -d)" "" "  each of them once"
}

# --- readers and a writer: old and one on node 2 read, one on node 3 wants to write ---

readers_before() {
	mkdir "m2/$D/readers" && sync m1 m3
	start reader.old "$recipes/lock-shared" read "m1/$D/readers" ./hold "$round.readers" "$round-reader.old"
	start reader.2 "$recipes/lock-shared" read "m2/$D/readers" ./hold "$round.readers" "$round-reader.2"
	wait_for 30 is_in reader.old && wait_for 30 is_in reader.2
	ok $? "$round, read: two at once"
	victim reader.old
	start writer "$recipes/lock-shared" write "m3/$D/readers" ./hold "$round.readers" "$round-writer" "m3/$D/guarded"
	gone_from readers 3
	start reader.3 "$recipes/lock-shared" read "m3/$D/readers" ./hold "$round.readers" "$round-reader.3"
	gone_from readers 4
}

readers_struck() {
	! is_in writer
	ok $? "$round, read: no writer is in"
	goes reader.2
	is "$(ends reader.2)" 0 "  the one on node 2 ends"
	if [ -n "$lost" ]; then
		wait_for 60 is_in writer
		ok $? "  and then a writer is in"
	else
		gone_from readers 3
		! is_in writer
		ok $? "  and no writer is in while the other one reads"
	fi
}

readers_after() {
	local old=0 pattern='-'
	[ "$round" != process ] || old=137
	# The judge tells the name of the last reader.
	[ -z "$lost" ] || pattern="^$round-writer while $round-reader\."
	goes reader.old
	goes writer
	goes reader.3
	is "$(ends reader.old writer reader.3)" "$old 0 0" "$round, read: the others end"
	is "$(grep -vse "$pattern" "$T/together.$round.readers")" "" "  nobody reads while one writes"
	is "$(tail -n 2 "$T/entered.$round.readers" | cut -d ' ' -f 2 | tr '\n' ' ')" "$round-writer $round-reader.3 " \
		"  and who came later reads later"
}

# --- a counter: one counts on each node, all the time ---

cat >"$T/count" <<'END_OF_SCRIPT'
#!/bin/bash
# FILE NAME: what is told, and how often nobody can know. An error says that it is not counted
# if there is no majority, or if it was not even read (the status is not 75).
until [ -e "$T/counted" ] || [ -e "$T/stop" ]; do
	n=$("$recipes/counter" "$1" 2>"$T/error.$2")
	status=$?
	if [ $status -eq 0 ]; then
		echo "$n" >>"$T/told.$2"
	elif [ $status -gt 128 ] || { [ $status -eq 75 ] && ! grep -q 'No route to host' "$T/error.$2"; }; then
		cat "$T/error.$2" >>"$T/unknown.$2"
		echo "status $status" >>"$T/unknown.$2"
	fi
	sleep 0.2
done
END_OF_SCRIPT
chmod +x "$T/count"

told() {
	local n
	n=$(cat "$T/told.$round-count.$1" 2>/dev/null | wc -l)
	[ "$n" -gt "$2" ]
}

# So many more on each of these nodes.
counts() {
	local id n
	for id; do
		n=$(cat "$T/told.$round-count.$id" 2>/dev/null | wc -l)
		wait_for 60 told "$id" $((n + 2)) || return 1
	done
}

counter_before() {
	local id
	rm -f "$T/counted"
	echo 0 >"m2/$D/counter" && sync m1 m3
	for id in 1 2 3; do
		start "count.$id" ./count "m$id/$D/counter" "$round-count.$id"
	done
	counts 1 2 3
	ok $? "$round, counter: all count"
}

# The loop goes on, as a supervisor would: what is killed is a recipe that counts.
counter_struck() {
	local n
	if [ "$round" = process ]; then
		for n in 1 2 3; do
			wait_for 30 pkill -9 -P "${pid_of[$round-count.1]}" -f counter
		done
		ok $? "$round, counter: the one on node 1 is killed, again and again"
	fi
	counts 2 3
	ok $? "$round, counter: the others count"
}

counter_after() {
	local value numbers unknown
	counts 1
	ok $? "$round, counter: the one on node 1 counts again"
	touch "$T/counted"
	is "$(ends count.1 count.2 count.3)" "0 0 0" "  all end"
	sync m3
	value=$(cat "m3/$D/counter")
	numbers=$(cat "$T/told.$round"-count.* | wc -l)
	unknown=$(cat "$T/unknown.$round"-count.* 2>/dev/null | grep -c status)
	[ "$value" -ge "$numbers" ] && [ "$value" -le $((numbers + unknown)) ]
	ok $? "  $value counted: $numbers were told so, of $unknown nobody knows"
	is "$(cat "$T/told.$round"-count.* | sort | uniq -d)" "" "  and no number is given twice"
	[ -n "$lost" ] || is "$unknown" 0 "  and everybody knows"
}

# --- cron: each turn is run once, old runs the first ---

# CALL TURN NODE…
called() {
	local id call=$1 turn=$2
	shift 2
	for id; do
		TURN=$turn start "$call.$id" "$recipes/cron-one" "m$id/$D" job ./hold "$round.cron" "$round-turn$turn.$id"
	done
}

ran() {
	cut -d ' ' -f 2 "$T/entered.$round.cron" | grep -c -- "-turn$1"
}

ran_once() {
	[ "$(ran "$1")" = 1 ]
}

cron_before() {
	called first 1 1
	wait_for 30 is_in turn1.1
	ok $? "$round, cron: it runs on node 1"
	victim first.1
	called first 1 2 3
	is "$(ends first.2 first.3):$(ran 1)" "0 0:1" "  and on no other"
}

job_free() {
	timeout 20 flock -n "m2/$D/job" true
}

cron_struck() {
	if [ -z "$lost" ]; then
		called second 2 1 2 3
		is "$(ends second.1 second.2 second.3):$(ran 2)" "0 0 0:0" "$round, cron: nobody runs it while it runs"
		return
	fi
	wait_for 60 job_free
	called again 1 2 3
	is "$(ends again.2 again.3):$(ran 1)" "0 0:1" "$round, cron: what died is not run again in its turn"
	called second 2 1 2 3
	wait_for 60 ran_once 2
	ok $? "  and in the next turn it is run"
}

cron_after() {
	local old=0
	[ "$round" != process ] || old=137
	called late 1 1
	is "$(ends late.1)" 0 "$round, cron: called late, node 1 does not run it"
	touch "$T/leave.$round-turn1.1" "$T/leave.$round"-turn2.{1,2,3}
	is "$(ends first.1)" $old "  the first run ends"
	[[ $(ends second.1 second.2 second.3) != *late* ]]
	ok $? "  as all who were called"
	is "$(cut -d ' ' -f 2 "$T/entered.$round.cron" | sed 's/\.[123]$//' | sort | uniq -d)" "" "  each turn was run once"
}
