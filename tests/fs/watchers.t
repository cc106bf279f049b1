#!/bin/bash
# Many mounts that watch one directory: each hears of each change once, and reads it then.
# `MOUNTS=n`: so many (30).
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"
N=${MOUNTS:-30}

node_start && mount_start A || exit 1
cd "$T" || exit 1
mkdir A/d
echo 0 >A/d/f
watched=()
for ((i = 1; i <= N; i++)); do
	mount_start "w$i" || exit 1
	watched+=("w$i/d")
done
watch_start "${watched[0]}" events --format '%w %e %f' "${watched[@]:1}"
ok $? "$N mounts are watched"

# told N PATTERN: as many lines.
told() {
	[ "$(grep -c "$2" events)" -ge "$1" ]
}
for ((i = 1; i <= 10; i++)); do
	echo "$i" >A/d/f
	touch "A/d/n$i"
	wait_for 60 told $((i * N)) 'CLOSE_WRITE,CLOSE f$' && wait_for 60 told $((i * N)) ' CREATE n' || break
done
is "$i" 11 "each hears of each of ten changes"
is "$(cat "${watched[@]/%//f}" | sort | uniq -c | tr -s ' ')" " $N 10" "  and shows it"
rm A/d/f
wait_for 60 told "$N" 'DELETE f$'
for what in 'MODIFY f' 'CLOSE_WRITE,CLOSE f' 'CREATE n[0-9]*' 'DELETE f'; do
	case $what in DELETE*) times=1 ;; *) times=10 ;; esac
	is "$(grep "$what\$" events | cut -d ' ' -f 1 | sort | uniq -c | awk '{ print $1 }' | uniq -c | tr -s ' ')" " $N $times" \
		"$what: $times times on each"
done
is "$(grep CREATE events | sort | uniq -d | head -n 3)" "" "no creation is told twice"

cd /
done_testing
