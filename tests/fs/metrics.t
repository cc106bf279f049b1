#!/bin/bash
# Figures: .zab/metrics and HTTP, in the format that Prometheus reads; each has its
# place in zabfs-cluster(7); they move with what happens. Health.
# shellcheck disable=SC2154
. "$(dirname "$0")/lib.sh"

ensemble_start 3 "init_limit = 50" "sync_limit = 50" "pass_interval = 1" "log_rows_min = 20" "log_tree_percent = 0" || exit 1
for id in 1 2 3; do
	member_mount $id -o timeout=30s || exit 1
done
cd "$T" || exit 1

address() {
	sed -nE "s/^member $1 .* http = \"([^\"]*)\".*/\\1/p" zabfs.conf
}
# The answer to a request for a path: http ID PATH [METHOD]; its head is in `top`, its body in `body`.
http() {
	local at
	at=$(address "$1")
	exec 7<>"/dev/tcp/${at%:*}/${at#*:}" || return 1
	printf '%s %s HTTP/1.1\r\nHost: test\r\n\r\n' "${3:-GET}" "$2" >&7
	timeout 20 cat <&7 >answer
	exec 7>&-
	sed -n '1,/^\r$/p' answer | tr -d '\r' >top
	sed '1,/^\r$/d' answer >body
}
code() {
	http "$@" 2>/dev/null || return 1
	awk 'NR == 1 { print $2 }' top
}
code_is() {
	[ "$(code "$1" "$2")" = "$3" ]
}
# A value: value FILE NAME{LABELS}, the whole left side.
value() {
	awk -v name="$2" '$1 == name { print $2 }' "$1"
}
# Of a member, now.
now() {
	http "$1" /metrics && value body "$2"
}
reaches() {
	[ "$(now "$1" "$2")" -ge "$3" ]
}

# What the format asks for, line by line; nothing is printed where all is well.
strict() {
	awk '
	function bad(why) { print FILENAME ":" NR ": " why ": " $0 }
	/^# HELP / {
		if ($3 in helped) bad("a second HELP")
		if (NF < 4) bad("no help")
		helped[$3] = 1; name = $3; next
	}
	/^# TYPE / {
		if ($3 != name) bad("no HELP before it")
		if (NF != 4 || $4 !~ /^(gauge|counter|histogram)$/) bad("a type")
		if ($3 !~ /^zabfs_[a-z]+(_[a-z]+)*$/) bad("a name")
		if (($4 == "counter") != ($3 ~ /_total$/)) bad("_total is for counters")
		type = $4; count = -1; next
	}
	/^#/ || /^$/ { bad("neither HELP, TYPE nor a value"); next }
	{
		if ($0 in seen) bad("twice")
		if ($0 !~ /^[a-z_]+(\{[a-z]+="([^"\\]|\\["\\n])*"(,[a-z]+="([^"\\]|\\["\\n])*")*\})? [0-9]+(\.[0-9]+)?$/)
			bad("a value")
		left = $0; sub(/ [^ ]*$/, "", left)
		if (left in values) bad("twice")
		values[left] = 1
		base = left; sub(/\{.*/, "", base)
		if (type != "histogram") {
			if (base != name) bad("of another name")
			next
		}
		if (base == name "_bucket") {
			if ($NF + 0 < count + 0) bad("less than the bucket before")
			count = $NF; inf = left ~ /le="\+Inf"/
		} else if (base == name "_count") {
			if (!inf || $NF != count) bad("not +Inf")
		} else if (base != name "_sum") bad("of another name")
	}
	' "$1"
	[ "$(tail -c 1 "$1" | od -An -c | tr -d ' ')" = '\n' ] || echo "no newline at the end"
}
names() {
	sed -nE 's/^# TYPE ([^ ]*) .*/\1/p' "$1" | sort
}

cp m1/.zab/metrics mount.txt
is "$(strict mount.txt)" "" "the mount's text is in the format"
is "$(code 1 /metrics)" 200 "GET /metrics"
cp body http.txt
is "$(strict http.txt)" "" "  is in the format"
is "$(grep -i '^content-type:' top)" "Content-Type: text/plain; version=0.0.4; charset=utf-8" "  and says so"
is "$(names mount.txt | grep -v '^zabfs_mount_')" "$(names http.txt)" "the mount shows the same, and figures of its own"
is "$(sed -n '/^\.Sh METRICS/,/^\.Sh SEE/p' "$here/man/zabfs-cluster.7" | grep '^\.It ' | grep -oE 'zabfs_[a-z_]+' | sort)" \
	"$(names mount.txt)" "zabfs-cluster(7) names each, and no other"
is "$(stat -c %a m1/.zab/metrics)" 444 "anybody may read it"

# Bounds come in pairs.
is "$(names mount.txt | sed -n 's/_limit$//p' | while read -r name; do
	limit=$(value mount.txt "${name}_limit")
	grep -E "^${name}[ {]" mount.txt | awk -v limit="$limit" '$NF > limit'
	grep -qE "^# TYPE $name " mount.txt || echo "no $name"
done)" "" "each limit belongs to something, which is below it"

# Only then it counts what its mount asks for; one that was not ready is asked again.
serve_their_own() {
	local id
	for id in 1 2 3; do
		grep -qx "replica $id" m$id/.zab/session || return 1
	done
}
wait_for 30 serve_their_own
ok $? "each mount is served by its own replica"
led=$(leader)
read -rd '' other last < <(for id in 1 2 3; do [ $id = "$led" ] || echo $id; done)
is "$(for id in 1 2 3; do now $id "zabfs_member_info{cluster=\"test\",member=\"$id\"}"; done | tr -d '\n')" 111 "each says who it is"
is "$(for id in 1 2 3; do now $id zabfs_leader_id; done | sort -u)" "$led" "all say who leads"
is "$(now "$led" 'zabfs_role{role="leader"}')$(now "$other" 'zabfs_role{role="follower"}')" 11 "roles"
is "$(now "$led" zabfs_quorum)" 1 "there is a quorum"
both() {
	[ "$(now "$led" 'zabfs_synchronised_learners{role="follower"}')" = 2 ]
}
wait_for 20 both
ok $? "two follow the leader, up to date"
is "$(now "$other" 'zabfs_synchronised_learners{role="follower"}')$(now "$led" 'zabfs_synchronised_learners{role="observer"}')" 00 "  nobody follows another, there is no observer"
[ "$(now "$other" zabfs_open_files)" -ge 10 ] && [ "$(now "$other" zabfs_open_files)" -le "$(now "$other" zabfs_open_files_limit)" ]
ok $? "open files: $(now "$other" zabfs_open_files)"
[ "$(now "$other" zabfs_resident_bytes)" -ge 1000000 ]
ok $? "memory: $(now "$other" zabfs_resident_bytes)"
is "$(now "$other" zabfs_epoch)" "$(cat "m$led/.zab/cluster/epoch")" "the epoch"
for name in zabfs_transactions_proposed_total zabfs_transactions_committed_total zabfs_commit_duration_seconds_count; do
	eval "$name=$(now "$led" $name)"
done
applied=$(now "$other" zabfs_transactions_applied_total)
wrote=$(now "$other" zabfs_write_duration_seconds_count)
synced=$(now "$other" zabfs_fsync_duration_seconds_count)
znodes=$(now "$other" zabfs_znodes)
received=$(now "$other" 'zabfs_received_bytes_total{peer="member"}')
mkdir m"$other"/d
for ((n = 0; n < 30; n++)); do
	head -c 1000 /dev/zero >m"$other"/d/f$n
done
echo me >m"$other"/d/.zab/ephemeral/e
timeout 20 sync m"$other"
# mkdir; each file is made and written.
writes=63
# shellcheck disable=SC2154
for name in proposed committed; do
	full=zabfs_transactions_${name}_total
	is $(($(now "$led" $full) - ${!full})) $writes "$writes transactions $name by the leader"
done
# shellcheck disable=SC2154
is $(($(now "$led" zabfs_commit_duration_seconds_count) - zabfs_commit_duration_seconds_count)) $writes "  each took its time"
is "$(now "$led" zabfs_write_duration_seconds_count)" 0 "  but was nothing that a mount of it asked for"
is $(($(now "$other" zabfs_transactions_applied_total) - applied)) $writes "  applied by who follows"
is $(($(now "$other" zabfs_write_duration_seconds_count) - wrote)) $writes "  and answered there"
is $(($(now "$other" zabfs_fsync_duration_seconds_count) - synced)) 1 "an fsync"
is $(($(now "$other" zabfs_znodes) - znodes)) 32 "znodes"
[ "$(now "$other" zabfs_data_bytes)" -ge 30000 ]
ok $? "  their bytes: $(now "$other" zabfs_data_bytes)"
is "$(now "$other" zabfs_ephemerals)" 1 "  one of them ephemeral"
# A mount in doubt of its own replica may look in.
sessions() {
	[ "$(now "$other" zabfs_sessions)$(now "$other" zabfs_attached_sessions)$(now "$other" zabfs_connections)" = 311 ]
}
wait_for 20 sessions
ok $? "sessions: of all, here; connections"
[ "$(now "$other" zabfs_interests)" -ge 30 ]
ok $? "what the kernel knows"
is "$(now "$other" zabfs_connection_interests)" "$(now "$other" zabfs_interests)" "  all of it that of one mount"
is "$(now "$other" zabfs_session_lock_waits)$(now "$other" zabfs_events_waits)$(now "$other" zabfs_hand_overs)" 000 "nobody waits for a lock, for a change, for another leader"
(exec 9<"m$other"/d/f1 && flock 9 && exec sleep 60) &
holder=$!
waits() {
	[ "$(now "$other" "$1")" = "$2" ]
}
held() {
	! flock -n "m$other"/d/f1 true
}
wait_for 20 held
flock -w 60 "m$other"/d/f1 true &
waiter=$!
wait_for 20 waits zabfs_session_lock_waits 1
ok $? "  one for a lock"
kill "$waiter" "$holder"
wait "$waiter" "$holder" 2>/dev/null
wait_for 20 waits zabfs_session_lock_waits 0
ok $? "  none any more"
cat "m$other/.zab/events" >/dev/null &
reader=$!
wait_for 20 waits zabfs_events_waits 1
ok $? "  one for a change"
kill "$reader"
wait "$reader" 2>/dev/null
wait_for 20 waits zabfs_events_waits 0
ok $? "  none any more"
dropped=$(now "$other" zabfs_connections_dropped_total)
python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"rubbish, more than a frame would be")
s.settimeout(20)
while s.recv(4096):
    pass' "$T/$other/front.sock"
is "$(now "$other" zabfs_connections_dropped_total)" $((dropped + 1)) "a connection is dropped for what came over it"
[ $(($(now "$other" 'zabfs_received_bytes_total{peer="member"}') - received)) -gt 30000 ]
ok $? "bytes that came from members"
[ "$(now "$other" 'zabfs_sent_bytes_total{peer="mount"}')" -gt 0 ]
ok $? "  and went to mounts"
[ "$(now "$other" zabfs_log_fsync_duration_seconds_count)" -gt 0 ]
ok $? "the log's fsyncs"
wait_for 20 reaches "$other" zabfs_image_pass_duration_seconds_count 1
ok $? "a pass of the image"
log_is_cut() {
	[ "$(now "$1" zabfs_log_rows)" -le 20 ]
}
wait_for 20 log_is_cut "$other"
ok $? "  after which the log is cut: $(now "$other" zabfs_log_rows) rows"
[ "$(now "$other" zabfs_log_bytes)" -gt 0 ] && [ "$(now "$other" zabfs_image_bytes)" -gt 0 ] && [ "$(now "$other" zabfs_disk_free_bytes)" -gt 0 ]
ok $? "files and their disk"
is "$(now "$other" zabfs_sessions_expired_total)" 0 "no session has expired"
mount_start brief -s "$T/$led/front.sock" -o timeout=1s
mount_kill9 brief
umount -l brief
wait_for 20 reaches "$other" zabfs_sessions_expired_total 1
ok $? "  but that of a mount that was killed, as every member counts"
reads=$(now "$other" zabfs_read_duration_seconds_count)
ls m"$other"/d/nothing 2>/dev/null
[ "$(now "$other" zabfs_read_duration_seconds_count)" -gt "$reads" ]
ok $? "a look-up is a read"
cp "m$other/.zab/metrics" own.txt
is "$(value own.txt zabfs_mount_connected)$(value own.txt zabfs_mount_replica_id)" "1$other" "the mount: connected, to $other"
[ "$(value own.txt zabfs_mount_requests_total)" -gt 60 ]
ok $? "  its requests"
watch_start "m$last/d" events
told=$(value "m$last/.zab/metrics" zabfs_mount_echo_changes_total)
echo x >m"$other"/d/f0
wait_for 10 grep -q 'MODIFY f0' events
[ "$(value "m$last/.zab/metrics" zabfs_mount_echo_changes_total)" -gt "$told" ]
ok $? "  changes that it tells to watchers"
watch_stop
lag() {
	[ "$(now "$1" "zabfs_member_lag_transactions{member=\"$2\"}")" = 0 ]
}
for id in 1 2 3; do
	wait_for 10 lag $id "$other" && wait_for 10 lag $id "$led"
	ok $? "node $id: the lag of others"
done

# HTTP.
for id in 1 2 3; do
	is "$(code $id /livez)$(code $id /readyz)" 200200 "node $id is alive and ready"
done
is "$(code 1 /nothing)$(code 1 /)" 404404 "other paths"
is "$(code 1 /metrics POST)$(code 1 /metrics HEAD)" 405405 "other methods"

# One goes, then a majority.
member_end "$last" KILL
down() {
	[ "$(now "$1" "zabfs_member_up{member=\"$2\"}")" = 0 ]
}
wait_for 20 down "$led" "$last"
ok $? "one is killed: the others say that it is down"
is "$(now "$led" "zabfs_member_lag_transactions{member=\"$last\"}")" "" "  and not how far behind"
is "$(code "$led" /readyz)" 200 "  they are ready"
member_end "$led" KILL
wait_for 20 code_is "$other" /readyz 503
ok $? "the majority is gone: the last one is not ready"
wait_for 20 eval "http $other /readyz && [ \"\$(cat body)\" = electing ]"
ok $? "  and says why: $(cat body)"
is "$(code "$other" /livez)" 200 "  but alive"
is "$(now "$other" zabfs_quorum)$(now "$other" zabfs_leader_id)$(now "$other" 'zabfs_role{role="looking"}')" 001 "  without a quorum"
elections=$(now "$other" zabfs_election_duration_seconds_count)
is "$(value "m$other/.zab/metrics" zabfs_quorum)" 0 "  its mount says so, too"
member_start "$last"
wait_for 30 code_is "$other" /readyz 200
ok $? "another one is back: ready"
is $(($(now "$other" zabfs_election_duration_seconds_count) - elections)) 1 "  one more election, and how long it took"
is "$(now "$other" 'zabfs_elections_total{reason="leader-gone"}')" 1 "  why"
led=$(leader)
follower=$((other + last - led))
reaches "$led" 'zabfs_synchronisations_sent_total{kind="diff"}' 1 && reaches "$follower" 'zabfs_synchronisations_received_total{kind="diff"}' 1
ok $? "  what it lacked"
fourth=$((6 - other - last))
rm -rf "${T:?}/$fourth/data"
member_start $fourth
wait_for 30 code_is $fourth /readyz 200
ok $? "one without a disk comes back"
is "$(now "$led" 'zabfs_synchronisations_sent_total{kind="snap"}')$(now $fourth 'zabfs_synchronisations_received_total{kind="snap"}')" 11 "  by a snapshot"
for id in 1 2 3; do
	http $id /metrics
	is "$(strict body)" "" "node $id: all is in the format still"
done

# What can't be listened at.
start_fails() {
	mkdir -p alone
	timeout 60 "$build/zabfs-replica" -f "$1" -i 1 -D alone -s alone/s -d -I >alone.out 2>&1 </dev/null
	[ $? -eq "$2" ]
}
printf 'cluster = "a"\nmember 1 { peer = "127.0.0.1:1" http = "%s" }\n' "$(address 1)" >used.conf
start_fails used.conf 73
ok $? "an address in use: the start fails"
grep -q "cannot listen at $(address 1): Address already in use" alone.out
ok $? "  and says why" || sed 's/^/# /' alone.out
printf 'cluster = "a"\nmember 1 { peer = "127.0.0.1:1" http = "0.0.0.0:9" }\n' >open.conf
start_fails open.conf 78
ok $? "an address that is not loopback: the configuration is refused"
grep -q 'member 1: http: 0.0.0.0:9 is not loopback' alone.out
ok $? "  and the message says why" || sed 's/^/# /' alone.out
allow_error 'cannot listen at'

cd /
done_testing
