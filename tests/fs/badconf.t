#!/bin/bash
# A bad configuration, or bad arguments: what is wrong and where stands on
# stderr in one line, the status says which kind, and nothing was created.
. "$(dirname "$0")/lib.sh"

mkdir "$T/data" "$T/mnt"
cd "$T" || exit 1
good='cluster = "test"
socket = "'$T'/front.sock"
member 1 { peer = "127.0.0.1:1" front = "127.0.0.1:2" }'

# STATUS MESSAGE TEXT COMMAND…: one line on stderr with just that, nothing made.
refused() {
	local status=$1 message=$2 text=$3
	shift 3
	timeout 20 "$@" >out 2>err
	is "$?" "$status" "$text: status $status"
	is "$(cat out err)" "$message" "  and why"
	is "$(ls -A data)" "" "  nothing is created"
	[ ! -e front.sock ]
	ok $? "  nor listened at"
}

# PROGRAM USAGE: who asks for it gets it where a pager reads it.
helps() {
	# shellcheck disable=SC2154 # lib.sh sets it
	is "$("$build/$1" -h 2>err; echo $?)" "$2"$'\n0' "$1 -h"
	is "$("$build/$1" --help 2>>err; echo $?)" "$2"$'\n0' "$1 --help"
	is "$(cat err)" "" "  and no error"
}

# CONFIGURATION MESSAGE TEXT
bad() {
	printf '%s\n' "$1" >zabfs.conf
	refused 78 "zabfs-replica: zabfs.conf$2" "$3" "$build/zabfs-replica" -f zabfs.conf -i 1 -D data -d -I
	timeout 20 "$build/zabfs-replica" -n -f zabfs.conf >out 2>err
	is "$? $(cat out err)" "78 zabfs-replica: zabfs.conf$2" "  -n says the same"
}

# LINE MESSAGE TEXT: a line more, the fifth.
bad_line() {
	bad "$good
# a comment
$1" ":5: $2" "$3"
}

bad_line 'tick = 5' 'tick: 5 is not between 10 and 10000' "a number below its range"
bad_line 'value_max = 1044481' 'value_max: 1044481 is not between 1 and 1044480' "a number above its range"
bad_line 'tick = many' 'tick: "many" is not a decimal number' "a word for a number"
bad_line 'tick = 0x64' 'tick: "0x64" is not a decimal number' "C's hexadecimal number"
bad_line 'tick =' "a key without a value on its line" "no value"
bad_line 'tick =
value_max = 1000' "a key without a value on its line" "a value that is the next key"
bad_line 'sessions_max = 0' 'sessions_max: 0 is not between 1 and 1000000' "no session at all"
bad_line 'tock = 5' "no such option 'tock'" "an unknown key"
bad 'cluster = "test"
socket = "front.sock"' ':2: socket: "front.sock" is not an absolute path' "a relative socket"
bad "cluster = \"test\"
socket = \"/$(printf '%0107d' 0)\"" ':2: socket: the path is longer than 107 bytes' "a socket's path that is too long"
bad 'cluster = ""' ':1: cluster: a name of 1 to 64 bytes is wanted' "an empty name"
bad_line 'cluster = "other"' 'cluster: set twice' "a key twice"
bad_line 'member 2 { peer = "a:1" peer = "a:2" }' 'peer: set twice' "a member's key twice"
bad_line 'member 2 { peer = "127.0.0.1:2" }' 'peer: "127.0.0.1:2" is front of member 1 already' "two members at one address"
bad_line 'member 2 { peer = "a:1" front = "a:1" }' 'front: "a:1" is peer of member 2 already' "a member twice at one address"
bad_line 'member 0 { peer = "a:1" front = "a:2" }' 'member: id "0" is not a number between 1 and 255' "member 0"
bad_line 'member two { peer = "a:1" front = "a:2" }' 'member: id "two" is not a number between 1 and 255' "a member without a number"
bad_line 'member 2 { front = "a:1" }' 'member 2: peer is missing' "a member without an address"
bad_line 'member 2 { peer = "a" front = "a:2" }' 'peer: "a" is not HOST:PORT' "an address without a port"
bad_line 'member 2 { peer = "a:99999" front = "a:2" }' 'peer: "a:99999" is not HOST:PORT' "a port that is none"
bad_line 'member 1 { peer = "a:1" front = "a:2" }' "found duplicate title '1'" "a member twice"
bad 'socket = "/nowhere/front.sock"
member 1 { peer = "a:1" front = "a:2" }' ': cluster: missing' "no cluster"
bad 'cluster = "test"' ': member: at least one is needed' "no member"
bad "$good
session_timeout_min = 5000
session_timeout_max = 4000" ': session_timeout_min: above session_timeout_max' "limits that cross"
bad_line 'member 01 { peer = "a:1" front = "a:2" }' "member 1: another member or observer has that id" "a member twice, in other digits"
bad_line 'observer 1 { peer = "a:1" front = "a:2" }' "observer 1: another member or observer has that id" "a member that is an observer, too"
bad_line 'observer 2 { front = "a:2" }' 'observer 2: peer is missing' "an observer without an address"
bad_line 'plaintext = perhaps' 'plaintext: "perhaps" is neither true nor false' "neither true nor false"
bad 'cluster = "test"
observer 1 { peer = "a:1" front = "a:2" }' ': member: at least one is needed' "nobody but an observer"

for rubbish in 'member 1 {' 'cluster = "test' '}' $'\xff\xfe' 'tick = 10 20' '= 5'; do
	printf '%s\n' "$rubbish" >zabfs.conf
	timeout 20 "$build/zabfs-replica" -n -f zabfs.conf >out 2>err
	is "$? $(cat out)" "78 " "not a configuration ($(tr -c '[:print:]\n' '?' <<<"$rubbish")): status 78"
	is "$(grep -c '^zabfs-replica: zabfs.conf:[0-9]*: ..*' err) $(wc -l <err)" "1 1" "  and where"
done

rm -f zabfs.conf
bad_file() {
	refused 78 "zabfs-replica: $1" "$2" "$build/zabfs-replica" -f zabfs.conf -i 1 -D data -d -I
}
bad_file "zabfs.conf: No such file or directory" "no configuration"
mkdir zabfs.conf
bad_file "zabfs.conf: Is a directory" "a directory for a configuration"
rmdir zabfs.conf

printf '%s\n' "$good" >zabfs.conf
"$build/zabfs-replica" -n -f zabfs.conf >out 2>&1
is "$? $(cat out)" "0 " "the good one passes -n, in silence"
is "$(ls -A data)" "" "which creates nothing"
replica=("$build/zabfs-replica" -f zabfs.conf -D data)
refused 78 "zabfs-replica: zabfs.conf: member: none has id 2" "a member that isn't there" "${replica[@]}" -i 2 -d -I
refused 64 "zabfs-replica: -i one: not a member's id" "a member's id that is no number" "${replica[@]}" -i one -d -I
usage='usage: zabfs-replica -f CONF -i ID -D DIR [-s SOCKET] [-dIv]
       zabfs-replica -n -f CONF [-i ID]'
refused 64 "$usage" "no member's id" "${replica[@]}" -d -I
helps zabfs-replica "$usage"

# PEER WHY TEXT: a member 1 at PEER that is not alone.
exposed() {
	printf 'cluster = "test"\nsocket = "%s/front.sock"\nmember 1 { peer = "%s" front = "127.0.0.1:2" }
observer 2 { peer = "127.0.0.2:1" front = "127.0.0.2:2" }\n' "$T" "$1" >zabfs.conf
	refused 78 "zabfs-replica: zabfs.conf: member 1: peer: $1$2" "$3" "${replica[@]}" -i 1 -d -I
	"$build/zabfs-replica" -n -f zabfs.conf -i 1 >out 2>err
	is "$? $(cat out err)" "78 zabfs-replica: zabfs.conf: member 1: peer: $1$2" "  -n -i 1 says the same"
}
readable=' is not loopback: what is said there could be read and changed on the network; plaintext = true allows it'
exposed 0.0.0.0:1 "$readable" "links that a network could read"
"$build/zabfs-replica" -n -f zabfs.conf -i 2 >out 2>&1
is "$? $(cat out)" "0 " "  of the other one none could"
exposed '[::]:1' "$readable" "likewise by IPv6"
exposed '[::g]:1' ': Name or service not known' "where that is nobody can tell"
for peer in 127.9.9.9:1 '[::1]:1' localhost:1; do
	printf 'cluster = "test"\nmember 1 { peer = "%s" }
member 2 { peer = "192.0.2.1:1" front = "a:2" }\n' "$peer" >zabfs.conf
	"$build/zabfs-replica" -n -f zabfs.conf -i 1 >out 2>&1
	is "$? $(cat out)" "0 " "$peer is loopback"
done
echo 'plaintext = true' >>zabfs.conf
"$build/zabfs-replica" -n -f zabfs.conf -i 2 >out 2>&1
is "$? $(cat out)" "0 " "plaintext = true: as it likes"
printf 'cluster = "test"\nmember 1 { peer = "192.0.2.1:1" }\n' >zabfs.conf
"$build/zabfs-replica" -n -f zabfs.conf -i 1 >out 2>&1
is "$? $(cat out)" "0 " "who is alone listens to nobody"
printf 'cluster = "test"\nmember 1 { peer = "192.0.2.1:1" front = "192.0.2.1:2" }\n' >zabfs.conf
"$build/zabfs-replica" -n -f zabfs.conf -i 1 >out 2>&1
is "$? $(cat out)" "78 zabfs-replica: zabfs.conf: member 1: front: 192.0.2.1:2$readable" "but to mounts elsewhere, if it says so"
printf '%s\n' "$good" >zabfs.conf

# CONFIGURATION MESSAGE TEXT: where it can't listen it founds nothing, which would be in its way then.
deaf() {
	printf 'cluster = "test"\n%s\n' "$1" >zabfs.conf
	timeout 20 "${replica[@]}" -i 1 -d -I >out 2>err
	is "$?" 73 "$3: status 73"
	is "$(sed -n 's/.*\] error: //p' out err)" "$2" "  and why"
	is "$(ls -A data)" "" "  nothing is created"
}
coproc python3 -c 'import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
sys.stdin.read()'
listener=$COPROC_PID # bash forgets it with the process
read -r port <&"${COPROC[0]}"
taken=127.0.0.1:$port
deaf "socket = \"$T/nowhere/front.sock\"
member 1 { peer = \"127.0.0.1:1\" }" "$T/nowhere/front.sock: No such file or directory" "no folder for the socket"
deaf "socket = \"$T/front.sock\"
member 1 { peer = \"127.0.0.1:1\" front = \"$taken\" }" "cannot listen at $taken: Address already in use" "an address that is taken, for mounts"
deaf "socket = \"$T/front.sock\"
member 1 { peer = \"127.0.0.1:1\" http = \"$taken\" }" "cannot listen at $taken: Address already in use" "for monitoring"
deaf "socket = \"$T/front.sock\"
member 1 { peer = \"$taken\" }
member 2 { peer = \"127.0.0.1:2\" }" "cannot listen at $taken: Address already in use" "for members"
deaf "socket = \"$T/front.sock\"
plaintext = true
member 1 { peer = \"192.0.2.1:7400\" }
member 2 { peer = \"127.0.0.1:2\" }" "cannot listen at 192.0.2.1:7400: Cannot assign requested address" "another machine's address"
[ ! -e front.sock ]
ok $? "no socket is left"
kill "$listener"
wait "$listener" 2>/dev/null
printf '%s\n' "$good" >zabfs.conf

mountd=("$build/zabfs-mountd" -d)
usage='usage: zabfs-mountd -f CONF[:/SUBTREE] [-s SOCKET] [-L FSDLOG] [-dv] [-o OPTIONS] MOUNTPOINT
       mount.zabfs CONF[:/SUBTREE] MOUNTPOINT [-v] [-o OPTIONS]'
helps zabfs-mountd "$usage"
refused 64 "$usage" "a mount of nothing" "${mountd[@]}"
refused 64 "$usage" "a mount nowhere" "${mountd[@]}" -f zabfs.conf
refused 64 "zabfs-mountd: -o colour: no such option" "-o colour" "${mountd[@]}" -f zabfs.conf -o ro,colour mnt
for option in timeout= timeout=ten timeout=1.5s timeout=99ms timeout=61m timeout=2h timeout=1d; do
	refused 64 "zabfs-mountd: -o $option: a time from 100ms to 1h is wanted" "-o $option" \
		"${mountd[@]}" -f zabfs.conf -o "$option" mnt
done
! mountpoint -q mnt
ok $? "nothing is mounted"

cd /
done_testing
