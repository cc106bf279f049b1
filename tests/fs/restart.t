#!/bin/bash
# The replica is restarted under live mounts: nobody notices but by waiting.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1

cat >writer.py <<'END'
# Appends numbers until told to stop; any error ends it.
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
n = 0
while not os.path.exists(sys.argv[2]):
    n += 1
    os.write(fd, b"%d\n" % n)
print(n)
END
lines() {
	[ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

mkdir A/w
echo x >A/w/.zab/ephemeral/e
exec 9>A/w/.zab/held/h
i=0
session=$(grep ^id A/.zab/session)
exec 8<A/w/e
watch_start B/w events -e create -e delete -e close_write --format '%e %f'
python3 writer.py A/log stop >wrote 8<&- 9>&- &
writer=$!
wait_for 10 lines A/log 20
for how in TERM KILL TERM KILL; do
	before=$(wc -l <A/log)
	replica_end $how
	replica_start || exit 1
	wait_for 10 lines A/log $((before + 20)) || ok 1 "the writer goes on after SIG$how"
	touch "A/w/after$((++i))"
done
touch stop
wait $writer
ok $? "a writer sees no error"
is "$(cat A/log)" "$(seq "$(cat wrote)")" "each of its writes happened once, in order"
cmp A/log B/log
ok $? "the other mount agrees"
is "$(grep ^id A/.zab/session)" "$session" "the session goes on"
is "$(ls B/w | tr '\n' ' ')" "after1 after2 after3 after4 e h " "its ephemeral and held nodes stay"
echo held >&9
is "$(cat B/w/h)" held "an open descriptor goes on"
is "$(cat <&8)" x "for reading too"
wait_for 10 grep -q 'CREATE after4' events
is "$(grep -c 'CREATE after' events)" 4 "a watcher misses nothing"
is "$(grep -c DELETE events)" 0 "and sees nothing that was not"
exec 9>&-
wait_for 10 grep -q 'DELETE h' events
ok $? "the held node still goes with its file"
watch_stop

# Changes that were made while the other mount had no connection.
watch_start B/w missed -e create -e delete -e close_write -e moved_from -e moved_to --format '%e %f'
replica_end KILL
(echo v2 >A/w/after1; mv A/w/after2 A/w/moved; rm A/w/after3; mkdir A/w/new) &
changes=$!
replica_start
wait $changes
ok $? "calls that wait for the replica complete"
wait_for 10 grep -q 'CREATE,ISDIR new' missed
is "$(tr '\n' ' ' <missed)" "CLOSE_WRITE,CLOSE after1 MOVED_FROM after2 MOVED_TO moved DELETE after3 CREATE,ISDIR new " "and the other mount hears of all of it"
is "$(cat B/w/after1)" v2 "and reads it"
watch_stop

cd /
done_testing
