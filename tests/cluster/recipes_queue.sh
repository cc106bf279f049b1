# shellcheck shell=bash
# Queues, of whose workers one is struck with an item that it has claimed: see
# recipes.sh. In `q` the others go on; in `urgent` the order is looked at.
# shellcheck disable=SC2154 # from recipes.sh and lib.sh

# The old one works until it is told.
cat >"$T/work" <<'END_OF_SCRIPT'
#!/bin/bash
read -r item
echo "$item $1" >>"$2.tried"
[[ $1 != old ]] || until [ -e "$2.finish" ] || [ -e "$T/stop" ]; do sleep 0.1; done
echo "$item $1"
END_OF_SCRIPT
chmod +x "$T/work"

# QUEUE NAME NODE
works() {
	start "$1.$2" "$recipes/queue-work" "m$3/$D/$1" ./work "$2" "$T/$round-$1"
}

# QUEUE NODE VALUE [PRIORITY]; what was acknowledged is written down.
put() {
	"$recipes/queue-put" "m$2/$D/$1" "${@:3}" >>"$T/$round-$1.put"
}

tried() {
	has "$T/$round-$1.tried" "$2"
}

queue_before() {
	local n
	mkdir -p "m2/$D"/{q,urgent}/{items,claims,done} && sync m1 m3
	for n in q urgent; do
		put $n 2 first 10
		works $n old 1
		wait_for 60 tried $n "first old"
		ok $? "$round, queue: one has claimed the first item"
		victim $n.old
		[ "$round" != process ] || victims+=("$(pgrep -f "^/bin/bash ./work old $T/$round-$n\$")")
	done
	works q two 2
	works q three 3
	for n in 1 2 3 4 5 6; do
		put q $((n % 3 + 1)) "item$n" || ok 1 "an item is put"
	done
	wait_for 60 lists "m2/$D/q/done" 6
	ok $? "  others do the rest"
}

queue_struck() {
	local left=3 wanted="b three d three c three "
	put urgent 2 b 20
	put urgent 3 c 50
	put urgent 2 d 20
	if [ -n "$lost" ]; then
		wait_for 60 lists "m2/$D/q/done" 7
		ok $? "$round, queue: another one does what was claimed"
		gone_from urgent/claims 0
		left=4
		wanted="first three $wanted"
	fi
	works urgent three 3
	wait_for 60 lists "m3/$D/urgent/done" $left
	is "$(grep -v old "$T/$round-urgent.tried" | tr '\n' ' ')" "$wanted" "$round, queue: the most urgent first, then in order"
}

queue_after() {
	local n by=old
	[ -z "$lost" ] || by=others
	touch "$T/$round-q.finish" "$T/$round-urgent.finish"
	for n in q.two q.three urgent.three; do
		kill "${pid_of[$round-$n]}"
	done
	[ "$round" != process ] || works q old 1
	[ "$round" != process ] || works urgent old 1
	for n in q urgent; do
		put $n 2 late
		wait_for 60 lists "m2/$D/$n/items" 0
		ok $? "$round, $n: the worker on node 1 goes on, and nothing is left"
		is "$(grep late "$T/$round-$n.tried")" "late old" "  of what the others left to it"
		sync m3
		is "$(ls "m3/$D/$n/done")" "$(sort "$T/$round-$n.put")" "  each item is done, once"
		is "$(cut -d ' ' -f 1 "$T/$round-$n.tried" | sort | uniq -d)" "${lost:+first}" "  none was tried twice but the one that was lost"
		is "$(cat "m3/$D/$n/done/10-"* | sed 's/two\|three/others/')" "first $by" "  which is done by who had claimed it last"
		[ -z "$lost" ] || [ "$round" = process ] || wait_for 60 has "$T/$round-$n.old.out" 'No such file'
		ok $? "  and another one is told so"
		kill "${pid_of[$round-$n.old]}"
	done
}
