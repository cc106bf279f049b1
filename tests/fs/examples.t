#!/bin/bash
# The examples of the manual pages, run as they stand there, in places of their own; and whether each
# example of README.md and the pages is in examples/list, which says what runs it.
# shellcheck disable=SC2154,SC2016 # lib.sh's; shell code of others
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/examples.sh"

mkdir "$T/blocks" "$T/bin"
ln -s "$build/zabfs-mountd" "$T/bin/mount.zabfs"
export PATH=$build:$T/bin:$here/tests/fs/recipes:$PATH T LC_ALL=C
list=$here/tests/fs/examples/list
python3 "$here/tests/fs/examples/blocks.py" "$here" "$T/blocks" >"$T/index"
is "$(sed -E '/^#/d; s/^[a-z]+ //; s/ -- .*//; s/ /\t/' "$list" | sort)" "$(cut -f 2- "$T/index" | sort)" \
	"examples/list has each example of README.md and the manual pages, and no other"

ensemble_start 3 || exit 1
for id in 1 2 3; do
	member_mount $id -o timeout=30s || exit 1
done
cd "$T/m1" || exit 1
cleanup_first() {
	local dir
	cd / || return
	for dir in "$T"/{founded*,mounted,again,rescue}; do
		end_place "$dir"
	done
}

# What is told of the member that serves it.
serving() {
	grep -Eq "^$1 +[a-z]+ +serving" .zab/cluster/members
}
settled() {
	sync .
	[ -e "$1" ]
}
background() {
	setsid bash "$@" 8>&- 9>&- &
	group=$!
}
end_background() {
	kill -- "-$group"
	wait "$group" 2>/dev/null
}

e_founding() {
	place "$T/founded$1"
	in_place "$2" "$T/founded$1" >"$T/script"
	bash -e "$T/script" >"$T/out" 2>&1
	is "$? $(grep ^state "$T/founded$1/srv/.zab/session")" "0 state connected" "$3"
	end_place "$T/founded$1"
}
e_leading() {
	commands "$2" | sed "s#/srv/tree/#$T/m1/#; s#/mnt/#$T/m1/#" >"$T/script"
	bash -e "$T/script"
	is "$? $(cat .zab/cluster/leader)" "0 $(grep -o '[0-9]' "$2" | head -n 1)" "$3"
}
# A member that has lost its data, by the number that the example has.
e_replaced() {
	local id pid
	id=$(sed -nE 's/.* -i ([0-9]) .*/\1/p' "$2")
	member_end "$id" KILL
	rm -r "$T/$id/data"
	commands "$2" | sed "s#/etc/zabfs.conf#$T/zabfs.conf#; s#/var/lib/zabfs#$T/$id/data#g" >"$T/script"
	bash -e "$T/script"
	is "$?" 0 "$3"
	wait_for 30 serving "$id"
	ok $? "  it serves"
	pid=$(pgrep -f "zabfs-replica -f $T/zabfs.conf -i $id -D $T/$id/data\$")
	kill "$pid"
	wait_for 20 process_gone "$pid"
	member_start "$id"
	wait_for 30 serving "$id"
}
e_members() {
	local row='[0-9]+ +(leader|follower|observer|unknown) +[a-z-]+(:[0-9]+%)? +(0x[0-9a-f]+|-) +([0-9]+|-) +[0-9.]+:[0-9]+'
	is "$(head -n 1 .zab/cluster/members)" "$(head -n 1 "$2")" "$3"
	is "$(cat .zab/cluster/members "$2" | grep -vcE "^($row|#.*)\$")" 0 "  each line has that form"
}

# A member's databases as an ensemble of one, here member 3, and what is in it copied to a new one.
e_rescued() {
	mkdir -p app/deep
	echo "port 80" >app/config
	echo own >app/.zab/data
	echo deeper >app/deep/.zab/data
	sync "$T/m3"
	member_end 3 TERM
	place "$T/rescue" 3
	mkdir -p "$T/rescue/run" "$T/rescue/mnt"
	sed "s/prod/test/" "$T/rescue/zabfs.conf" >"$T/rescue/rescue.conf"
	commands "$2" | sed "s#/etc/#$T/rescue/#g; s#/var/lib/zabfs#$T/3/data#; s#/var/lib/rescue#$T/rescue/data#g
		s#/run/zabfs#$T/rescue/run#; s# -i 5 # -i 3 #; s#/mnt#$T/rescue/mnt#" >"$T/script"
	bash -e "$T/script"
	is "$? $(cat "$T/rescue/mnt/app/config")" "0 port 80" "$3"
	member_start 3
}
e_copied() {
	found "$T/again"
	commands "$2" | sed "s#/mnt#$T/rescue/mnt#; s#/srv/tree#$T/again/srv#g" >"$T/script"
	(cd "$T" && bash -e "$T/script")
	is "$? $(cat "$T/again/srv/app/config" "$T/again/srv/app/.zab/data" "$T/again/srv/app/deep/.zab/data" | tr '\n' ' ')" \
		"0 port 80 own deeper " "$3"
	end_place "$T/again"
	end_place "$T/rescue"
}

e_mounting() {
	found "$T/mounted" && mkdir "$T/mounted/app" "$T/mounted/srv/app" && umount "$T/mounted/srv"
	# mount(8) looks for its helpers in /sbin alone.
	{
		echo 'mount() { mount.zabfs "$5" "$6" -o "$4"; }'
		in_place "$2" "$T/mounted"
	} >"$T/script"
	bash -e "$T/script" 2>"$T/out"
	is "$? $(errno_of "open('$T/mounted/srv/f', 'w')")" "0 EROFS" "$3"
	is "$(stat -c %i "$T/mounted/app")" "$(stat -c %i "$T/mounted/srv/app")" "  and /app beside it"
	umount "$T/mounted/srv" "$T/mounted/app"
}
e_fstab() {
	local conf dir type options
	while read -r conf dir type options _; do
		"mount.$type" "$conf" "$dir" -o "$options"
		is "$? $(grep ^state "$dir/.zab/session")" "0 state connected" "$3: $dir"
		[[ $options != *timeout=20s* ]] ||
			is "$(grep ^timeout "$dir/.zab/session")" "timeout_ms 20000" "  with its timeout"
		umount "$dir"
	done < <(in_place "$2" "$T/mounted")
}
e_unit() {
	local command up=:
	[ -d "$T/mounted/run" ] || found "$T/mounted"
	command=$(in_place "$2" "$T/mounted" | sed -e ':a' -e '/\\$/ { N; s/\\\n//; ta }' | sed -n "s#^ExecStart=/usr/local/sbin#exec '$build'#p")
	case $command in
	*mountd*) up="cat $T/mounted/srv/.zab/session" ;;
	*) end_place "$T/mounted" ;;
	esac
	is "$(notified "$command" "$up" 2>/dev/null | grep -E '^(READY|state)' | tr '\n' ' ')" \
		"READY=1 $([ "$up" = : ] || echo state connected '')" "$3: what it runs is ready as it says"
}

e_fenced() {
	{
		echo "MNT=$T/m1 FENCE=5"
		commands "$2" | sed 's#MNT/#$MNT/#'
	} >"$T/script"
	bash -e "$T/script"
	is "$? $(cat state)" "0 5 what I have done" "$3"
}
e_checked() {
	echo "LOCK=/lock" >"$T/script"
	commands "$2" | sed "s#MNT/#$T/m1/#" >>"$T/script"
	bash -e "$T/script" 2>/dev/null
	is "$?" 1 "$3, without the lock"
	touch lock
	bash -e "$T/script"
	is "$? $(cat state)" "0 done" "  and with it"
}
e_elected() {
	mkdir el
	commands "$2" | sed 's/DIR NAME COMMAND/el me touch led/' >"$T/script"
	timeout 60 bash "$T/script"
	ok "$(test -e led; echo $?)" "$3"
}

e_sequence() {
	mkdir q
	bash -e "$2"
	is "$? $(cat q/job-0000000000)" "0 payload" "$3"
}
# With the numbers that the example has.
e_txn() {
	rm -r q
	mkdir q
	for _ in 1 2 3 4 5 6 7; do
		echo 8 >q/count
	done
	for _ in 1 2 3 4 5; do
		touch q/x
		rm q/x
	done
	touch q/x
	is "$(timeout 60 python3 "$here/tests/fs/examples/session.py" "$T" "$2")" "" "$3"
}
e_lines() {
	mkdir config
	touch config/port config/host
	for _ in 1 2 3 4; do
		echo v >release
	done
	bash -e "$2"
	is "$? $(cat config/port):$(cat config/host)" "0 8080:an example" "$3"
	echo v >release
	bash -e "$2" 2>/dev/null
	is "$?" 1 "  and not once the version is another"
}
e_stream() {
	is "$(timeout 60 bash "$2"):$(cat q/n777)" 1000:777 "$3"
}
e_events() {
	mkdir -p app/old
	exec 7<app/.zab/events
	echo v >app/port
	mv app/port app/old/port
	for _ in 1 2 3; do
		timeout 20 head -n 1 <&7
	done | sed 's/^0x[0-9a-f]* //' >"$T/out"
	exec 7<&-
	is "$(cat "$T/out")" "$(sed 's/^0x[0-9a-f]* //' "$2")" "$3"
}
reloaded() {
	[ "$(sort -u "$T/reloaded" 2>/dev/null)" = "/app/config" ] && grep -qs 0x "$T/seen.new"
}
e_following() {
	cat .zab/sync >"$T/seen"
	{
		echo 'reload() { echo "$1" >>"$T/reloaded"; }'
		commands "$2" | sed "s#> /var/lib/seen#> $T/seen.new#; s#/var/lib/seen#$T/seen#; s#/mnt/#$T/m1/#"
	} >"$T/script"
	background "$T/script"
	echo a >"$T/m2/app/config"
	echo b >"$T/m2/app/config"
	wait_for 30 reloaded
	ok $? "$3"
	end_background
}
# But for what is there.
e_quota() {
	sed -n 's/^# //p' "$2" >"$T/script"
	is "$(bash -e "$T/script" | sed 's/_used .*//')" "$(sed '/^#/d; s/_used .*//' "$2")" "$3"
	echo none >app/.zab/quota
}
follows() {
	grep -qs "$1" "$T/out"
}
e_published() {
	mkdir published
	(cd published && background "$2" >"$T/out" 2>"$T/err"; echo "$group" >"$T/group")
	wait_for 60 grep -q 'Watches established' "$T/err"
	is "$(cat published/config)" "port 80" "$3"
	echo "port 81" >published/config.new && mv published/config.new published/config
	wait_for 20 follows "port 81"
	ok $? "  the reader is told"
	group=$(cat "$T/group")
	end_background 2>/dev/null
}
e_services() {
	mkdir services
	is "$(bash -e "$2")" "web-$(hostname)" "$3"
}
e_nightly() {
	mkdir jobs
	printf '#!/bin/sh\necho night >>"$T/nights"\n' >nightly
	chmod +x nightly
	bash -e "$2"
	is "$? $(cat "$T/nights" | wc -l)" "0 2" "$3"
	is "$(sed 1d "$2" >"$T/script"; flock jobs/lock bash "$T/script")" "it runs elsewhere" "  and not where another one runs"
}
e_locked() {
	rm -f jobs/lock
	timeout 60 bash "$2" >"$T/out"
	is "$(sed 's/0x.*/0x/' "$T/out")" "czxid 0x" "$3"
}
e_turn() {
	timeout 60 bash -e "$2"
	ok $? "$3"
}
e_counted() {
	echo 5 >counter
	timeout 60 bash "$2"
	is "$(cat counter)" 6 "$3"
}
e_python() {
	echo 6 >counter
	{
		echo "import errno, os"
		cat "$2"
	} >"$T/script"
	timeout 60 python3 "$T/script"
	is "$(cat counter)" 7 "$3"
}
alive() {
	cat services/.zab/stat/batch >"$T/out" 2>/dev/null && grep -q '^ttl_ms 30000' "$T/out" &&
		[ "$(sed -n 's/^aversion //p' "$T/out")" -ge 3 ]
}
e_alive() {
	sed 's/sleep 10/sleep 0.1/' "$2" >"$T/script"
	background "$T/script"
	wait_for 30 alive
	ok $? "$3"
	end_background
}
e_switched() {
	ln -s release-4 current
	bash -e "$2"
	is "$? $(readlink current)" "0 release-5" "$3"
}

e_configuration() {
	zabfs-replica -n -f "$2"
	ok $? "$3"
}
e_mistakes() {
	mkdir "$T/mistakes"
	printf 'cluster = "prod"\ntick = 5\nmember 1 { peer = "127.0.0.1:1" }\n' >"$T/mistakes/1"
	for id in 1 2 3; do
		echo "member $id { peer = \"10.9.0.$id:7400\" front = \"127.0.0.1:740$id\" }"
	done | cat <(echo 'cluster = "prod"') - >"$T/mistakes/2"
	local n=0 line
	while read -r line; do
		n=$((n + 1))
		cp "$T/mistakes/$n" "$T/mistakes/zabfs.conf"
		echo "\$ $line"
		(cd "$T/mistakes" && eval "$line" 2>&1)
	done < <(sed -n 's/^\$ //p' "$2") >"$T/out"
	is "$(tr -s ' \n' ' ' <"$T/out")" "$(tr -s ' \n' ' ' <"$2")" "$3"
}

# Of several that begin alike each is one, in their order.
declare -A seen
n=0
while read -r -u 3 how file first; do
	case $how in
	not | tour | three | '#'*) continue ;;
	esac
	n=$((n + 1))
	seen[$file $first]=$((${seen[$file $first]:-0} + 1))
	number=$(F=$file L=$first awk -F '\t' '$2 == ENVIRON["F"] && $3 == ENVIRON["L"] { print $1 }' "$T/index" |
		sed -n "${seen[$file $first]}p")
	"e_$how" "$n" "$T/blocks/$number" "$file: $first"
	[ "$PWD" = "$T/m1" ] || exit 1
done 3<"$list"

done_testing
