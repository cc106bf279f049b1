#!/bin/bash
# fsd is killed, hangs, is replaced by another program, under load, again and
# again: nobody is told, nothing is lost, nothing is done twice, and nobody hangs.
# KILLS sets how often (50); SEED repeats the moments.
. "$(dirname "$0")/lib.sh"

kills=${KILLS:-50}
RANDOM=${SEED:-$$}
echo "# SEED=${SEED:-$$}"
load=$(realpath "$(dirname "$0")/takeover_load.py")

node_start && mount_start A -o timeout=30s && mount_start B -o timeout=30s || exit 1
cd "$T" || exit 1
mkdir A/events A/queue A/quiet
echo -n aaaaaaaaaa >A/whole

# A moment, not a synchronisation.
moment() {
	local ms=$1
	read -r -t "$((ms / 1000)).$(printf %03d $((ms % 1000)))" <> <(:)
}

# How often a process of fsd has gone on for another one of that mount.
taken() {
	grep -c 'mountd.*fsd goes on' "mount-$1.log"
}
taken_more() {
	[ "$(taken "$1")" -gt "$2" ]
}

# A quick death is no beginning of a series: that is another test.
kill_fsd() {
	local before
	before=$(taken "$1")
	kill -9 "$(fsd_pid "$1")" 2>/dev/null
	wait_for 20 taken_more "$1" "$before"
}

workers=()
work() {
	timeout "$((kills * 3 + 120))" python3 "$load" "$1" "$2" "$3" "$1-$2" >>problems 2>&1 &
	workers+=($!)
}

# Milliseconds, of each time that somebody went on.
pauses() {
	sed -nE 's/.*fsd goes on pid=[0-9]+ after_ms=([0-9]+)/\1/p' mount-?.log | sort -n
}

watch_start A/events events-A --format '%e %f'
watch_start B/events events-B --format '%e %f'
for kind in open path numbers names held jobs locks whole looks multi versions queued told; do
	work $kind A B
done
for kind in open names whole held locks replace told; do
	work $kind B A
done

# Two of three times it is A's turn; each fifth life is longer than mountd calls quick.
killed=0
while [ "$killed" -lt "$kills" ]; do
	moment $((killed % 5 == 4 ? 1200 : RANDOM % 700 + 20))
	who=A
	[ $((RANDOM % 3)) -ne 0 ] || who=B
	kill_fsd $who || break
	killed=$((killed + 1))
done
is "$killed" "$kills" "fsd was killed $kills times under load, and each time another one went on"
upgrades=0
for who in A B A; do
	moment 300
	before=$(taken $who)
	old=$(fsd_pid $who)
	# shellcheck disable=SC2154 # lib.sh sets it
	kill -HUP "${mountd_pid[$who]}"
	wait_for 20 taken_more $who "$before" && wait_for 5 process_gone "$old" && upgrades=$((upgrades + 1))
done
is "$upgrades" 3 "and replaced by SIGHUP three times"
is "$(grep -c 'left to another process' mount-A.log mount-B.log | tr '\n' ' ')" "mount-A.log:2 mount-B.log:1 " \
	"  where the old one left by itself"
touch stop
ended=0
for pid in "${workers[@]}"; do
	wait "$pid" || ended=1
done
is "$ended" 0 "the clients ended by themselves"
is "$(cat A/quiet/number)" "$(awk '{ n += $2 } END { print n }' count-locks-*)" "each of them had the lock alone"
is "$(cat problems)" "" "and were told no error, lost nothing, had nothing twice"
sed 's/^/# /' count-*

touch A/events/end-A B/events/end-B
wait_for 30 grep -q 'CREATE end-B' events-A && wait_for 30 grep -q 'CREATE end-A' events-B
ok $? "the watches are alive"
cat >events.py <<'EOF'
import collections, sys
bad = []
for mount in "AB":
    seen = collections.Counter(line.rstrip("\n") for line in open("events-" + mount))
    for maker in "AB":
        n = int(open("count-names-" + maker).read().split()[1])
        for i in range(1, n + 1):
            f = "names-%s-%d" % (maker, i)
            for event in ("CREATE " + f, "CREATE,ISDIR %s.d" % f, "MOVED_FROM " + f, "MOVED_TO %s.r" % f,
                          "DELETE,ISDIR %s.d" % f, "DELETE %s.r" % f):
                # A second try of the kernel's own, over a death, is told back to who made it, too.
                most = 2 if mount == maker and not event.startswith("CREATE") else 1
                if not 1 <= seen[event] <= most:
                    bad.append("%s: %d times %s" % (mount, seen[event], event))
            if mount == maker and seen["CLOSE_WRITE,CLOSE " + f] != 1:
                bad.append("%s: no CLOSE_WRITE of %s" % (mount, f))
print(len(bad), *bad[:10], sep="\n")
EOF
is "$(python3 events.py)" 0 "each event of each change was raised, here and there, and once but for second tries"
watch_stop

same() {
	[ "$(find A -printf '%P %y %i %s %m\n' | sort)" = "$(find B -printf '%P %y %i %s %m\n' | sort)" ]
}
wait_for 10 same
ok $? "both mounts show the same tree"
is "$(find A/held-* A/queue/* 2>/dev/null)" "" "in which nothing is held by nobody"
is "$(cut -d' ' -f1,2 <(grep -h ^id A/.zab/session B/.zab/session | sort -u) | wc -l)" 2 "each mount has had one session"
is "$(grep -hc 'session opened' mount-A.log mount-B.log | tr '\n' ' ')" "1 1 " "  from the beginning"
echo "# until another one went on, ms: median $(pauses | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'), most $(pauses | tail -n 1)"

# Both killed at once, while the echo hangs in a call that nobody answers: nobody else does.
rm -f stop
(while [ ! -e stop ]; do echo x >B/events/n && rm B/events/n; done) &
writer=$!
hung=
while [ "$(wc -w <<<"$hung")" -lt 4 ]; do
	mount_start C -o timeout=1s || break
	ls C/events >/dev/null
	moment 150
	mount_kill9 C
	timeout 10 cat C/whole >/dev/null 2>&1
	hung+="$? "
done
touch stop
wait $writer
is "$hung" "1 1 1 1 " "mountd and fsd killed at once: a dead mount is an error, and no process hangs"
umount -l C

cd /
done_testing
