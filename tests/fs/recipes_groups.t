#!/bin/bash
# The recipes (zabfs-recipes(7)) by which several work together, on three nodes, their
# processes killed: configuration, rendezvous, membership, barrier, queue, two-phase
# commit. recipes.t has locks and elections.
# shellcheck disable=SC2154 # from lib.sh and recipes.sh
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/recipes.sh"

ensemble_start 3 || exit 1
for id in 1 2 3; do
	member_mount $id -o timeout=60s || exit 1
done
cd "$T" || exit 1
mkdir -p m1/{conf,meet,group,decide} m1/queue/{items,claims,done}

# Configuration.
value() { # N: 300 KB, three writes, all of one number
	yes "$1" | head -c 300000
}
cat >reload <<'END'
#!/bin/bash
sort -u | tr '\n' ' ' >>"$T/loaded"
echo >>"$T/loaded"
END
chmod +x reload
value 0 >m1/conf/app
run follow "$recipes/config-follow" m3/conf/app ./reload
wait_for 30 has loaded '^0 $'
ok $? "config-follow: the value that is there is loaded"
for id in 1 2; do
	run publish$id bash -c "for n in 1 2 3 4 5; do yes $id\$n | head -c 300000 | '$recipes/config-publish' m$id/conf/app; done"
done
for ((n = 0; n < 20; n++)); do
	sort -u m2/conf/app | wc -l
done | sort -u >whole
is "$(cat whole)" 1 "config-publish: a reader finds one value, whole, while two publish"
is "$(status publish1 publish2)" "0 0" "  who succeed"
mkfifo pipe
run killed bash -c "exec '$recipes/config-publish' m1/conf/app <pipe"
exec 6>pipe
value 666 >&6
wait_for 30 test -s "m1/conf/.app.$HOSTNAME.${pid_of[killed]}"
kill -9 "${pid_of[killed]}"
exec 6>&-
is "$(status killed):$(grep -c 666 m1/conf/app)" 137:0 "  one that is killed has published nothing"
echo last | "$recipes/config-publish" m2/conf/app
wait_for 30 has loaded '^last $'
ok $? "config-follow: the last value is loaded"
is "$(grep -vxE '(0|[12][1-5]|last) ' loaded)" "" "  and none in part"
kill "${pid_of[follow]}"

# Rendezvous.
run early "$recipes/rendezvous" m2/meet/here
run early3 "$recipes/rendezvous" m3/meet/here
for id in 1 2 3; do
	run tell$id "$recipes/rendezvous" m$id/meet/here "host $id"
done
is "$(status tell1 tell2 tell3 | tr ' ' '\n' | sort | tr '\n' ' ')" "0 1 1 " "rendezvous: one of three says it"
is "$(status early early3)" "0 0" "  those who wait hear it"
is "$(sort -u early.out early3.out)" "$(timeout 60 "$recipes/rendezvous" m1/meet/here)" "  and who comes later hears the same"
for id in 1 2 3; do
	run tell$id "$recipes/rendezvous" m$id/meet/here other
done
is "$(status tell1 tell2 tell3):$(readlink m1/meet/here)" "1 1 1:$(cat early.out)" "  whoever says it again fails"

# Membership, and what is made of it.
run members "$recipes/members" m3/group
run upstream "$recipes/upstream" m3/group app upstream.conf touch reloaded
run a "$recipes/member" m1/group a 10.0.0.1:80
run b "$recipes/member" m2/group b 10.0.0.2:80
wait_for 30 has members.out '^members: a b$'
ok $? "members: who is in"
listed() {
	[ "$(sed -n 's/^\tserver \(.*\);$/\1/p' upstream.conf 2>/dev/null | tr '\n' ' ')" = "$1" ]
}
wait_for 30 listed "10.0.0.1:80 10.0.0.2:80 "
is "$(cat upstream.conf)" "upstream app {
	server 10.0.0.1:80;
	server 10.0.0.2:80;
}" "upstream: nginx's list"
wait_for 30 test -e reloaded
ok $? "  and nginx is told"
run twice "$recipes/member" m3/group a 10.0.0.3:80
kill -9 "${pid_of[a]}"
wait_for 30 listed "10.0.0.2:80 10.0.0.3:80 "
ok $? "member: when one is killed, another may have its name"
kill -9 "${pid_of[twice]}" "${pid_of[b]}"
wait_for 30 listed "127.0.0.1:1 down "
ok $? "  all are killed: none is in the list"
last_line() {
	[ "$(tail -n 1 "$1")" = "$2" ]
}
wait_for 30 last_line members.out members:
ok $? "  nor among the members"
kill "${pid_of[members]}" "${pid_of[upstream]}"

# A barrier for three; one that has come is killed.
come() { # NAME ID
	run "$1" "$recipes/barrier" "m$2/round1" 3 bash -c "echo works >>steps; until [ -e work ]; do sleep 0.02; done; echo worked >>steps"
}
come A 1
wait_for 30 lists m1/round1 1
come killed 2
wait_for 30 lists m1/round1 2
kill -9 "${pid_of[killed]}"
wait_for 30 lists m1/round1 1
come B 3
wait_for 30 lists m1/round1 2
is "$(cat m1/round1/.zab/data)" "" "barrier: two and a dead one do not open it"
come C 2
works() {
	[ "$(grep -cs works steps)" = 3 ]
}
wait_for 30 works
ok $? "  three do"
touch work
is "$(status A B C):$(test -e m1/round1; echo $?)" "0 0 0:1" "  when all are through, it is gone"
rm work steps
come A 1
come B 2
come C 3
wait_for 30 works
is "$(ls m1/round1 | wc -l)" 3 "  and can be used again"
kill -9 "${pid_of[A]}"
touch work
is "$(status B C)" "0 0" "  nobody waits for the dead to leave"

# A queue: three workers, twelve items; one of them dies with each of three items.
cat >work <<'END'
#!/bin/bash
read -r item
echo "$item" >>"$T/tried"
if [[ $item == *deadly* ]] && mkdir "$T/killed-$item" 2>/dev/null; then
	kill -9 "$PPID" $$
fi
echo "did $item \"by\" \\ $1"
END
chmod +x work
for n in 1 2 3; do
	run worker$n bash -c "until '$recipes/queue-work' m$n/queue ./work m$n; [ -e stop ]; do :; done"
done
for ((n = 0; n < 12; n++)); do
	"$recipes/queue-put" m$((n % 3 + 1))/queue "$([ $((n % 4)) = 1 ] && echo deadly)$n" >>put
done
wait_for 60 lists m1/queue/done 12
ok $? "queue: twelve items are done, though workers die"
is "$(ls m1/queue/done)" "$(sort put)" "  each of them, once"
is "$(cat m1/queue/done/* | sed 's/did \(deadly\)*\([0-9]*\) "by" \\ m[123]/\2/' | sort -n | tr '\n' ' ')" "0 1 2 3 4 5 6 7 8 9 10 11 " "  with what the commands said"
is "$(sort tried | uniq -d | tr '\n' ' ')" "deadly1 deadly5 deadly9 " "  those whose workers died were tried again, and no other"
unclaimed() {
	lists m1/queue/items 0 && lists m1/queue/claims 0
}
wait_for 30 unclaimed
ok $? "  nothing is left"
touch stop
for n in 1 2 3; do
	pkill -P "${pid_of[worker$n]}"
	wait_for 30 process_gone "${pid_of[worker$n]}"
done

# By priority.
rm tried
mkdir -p m1/urgent/{items,claims,done}
for item in "b 50" "d 99" "a 0" "c 50"; do
	# shellcheck disable=SC2086 # value and priority
	"$recipes/queue-put" m2/urgent $item >/dev/null
done
run worker "$recipes/queue-work" m3/urgent ./work m3
wait_for 30 lists m3/urgent/done 4
is "$(tr '\n' ' ' <tried)" "a b c d " "a queue with priorities: the most urgent first, then in order"
kill "${pid_of[worker]}"
for priority in 100 099 -1 1x; do
	is "$("$recipes/queue-put" m2/urgent v $priority 2>&1; echo $?)" "queue-put: $priority: not from 0 to 99"$'\n2' "  $priority is none"
done
is "$(ls m2/urgent/items)" "" "  and nothing is put"

# Two-phase commit.
tx() {
	"$recipes/two-phase" "$@" 2>>tx.errors
}
decide() { # TX SECONDS: on all nodes
	local id
	for id in 1 2 3; do
		run d$id "$recipes/two-phase" decide m$id/decide/"$1" "$2"
	done
}
decided() {
	status d1 d2 d3 >/dev/null
	cat d1.out d2.out d3.out | tr '\n' ' '
}
tx begin m1/decide/all A B C && decide all 60 && tx vote m1/decide/all A commit && tx vote m2/decide/all B commit
kill -9 "${pid_of[d1]}"
tx vote m3/decide/all C commit
is "$(decided)" "commit commit " "two-phase: all vote commit; one of those who decide is killed"
is "$(tx vote m1/decide/all C abort; echo $?):$(tx decide m1/decide/all 0)" 1:commit "  the decision stays"
tx begin m1/decide/one A B && decide one 60 && tx vote m1/decide/one A commit
is "$(tx vote m2/decide/one A abort; echo $?):$(cat m2/decide/one/A)" 1:commit "  nobody votes twice"
tx vote m2/decide/one B abort
is "$(decided)" "abort abort abort " "  one votes abort"
for n in 1 2 3; do
	tx begin m1/decide/late$n A B && tx vote m1/decide/late$n A commit
	run vote "$recipes/two-phase" vote m3/decide/late$n B commit
	decide late$n 0
	is "$(decided | tr ' ' '\n' | sort -u | wc -w)" 1 "  a vote at the last moment counts for all or for nobody"
done
tx begin m1/decide/missing A B && tx vote m1/decide/missing A commit && decide missing 1
is "$(decided)" "abort abort abort " "  one is not heard of"
is "$(tx vote m1/decide/missing B commit; echo $?):$(cat m1/decide/missing/B)" 1: "  whose vote is refused when it comes"
done_testing
