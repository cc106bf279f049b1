#!/bin/bash
# Rubbish on the replica's socket: that connection is closed with one log line,
# and the live mounts beside it notice nothing.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1
proto=$(sed -n 's/^#define WIRE_PROTO \([0-9]*\).*/\1/p' "$here/replica/lib/wire.h")
export proto

cat >talk.py <<'END'
# Says on the socket what argv[1] evaluates to, after `+WELCOME+` only when that has come.
# Prints the types of the answers, then "closed", or "open" if two seconds passed.
import os, socket, struct, sys

def pack(x):
    if isinstance(x, bytes):
        return b"\xc6" + struct.pack(">I", len(x)) + x
    if isinstance(x, str):
        return b"\xdb" + struct.pack(">I", len(x)) + x.encode()
    if isinstance(x, list):
        return bytes([0x90 + len(x)]) + b"".join(map(pack, x))
    if isinstance(x, float):
        return b"\xcb" + struct.pack(">d", x)
    if x is None:
        return b"\xc0"
    return b"\xd3" + struct.pack(">q", x) if x < 0 else b"\xcf" + struct.pack(">Q", x)

def frame(body):
    return struct.pack(">I", len(body)) + body

def msg(*fields):
    return frame(pack(list(fields)))

PROTO = int(os.environ["proto"])
HELLO = msg(1, PROTO, 0, b"", 1, 0, 10000, b"test:/nowhere", 0)
RESUME = msg(3, 0)
LOOKUP = msg(10, 1, 1, b"app")

s = socket.socket(socket.AF_UNIX)
s.connect("front.sock")
s.settimeout(2)
got = b""
try:
    before, _, rest = sys.argv[1].rpartition("+WELCOME+")
    if before:
        s.sendall(eval(before))
        got = s.recv(65536)
    s.sendall(eval(rest))
    if "half" in sys.argv:
        s.shutdown(socket.SHUT_WR)
except OSError:
    pass # it may have closed before it had everything
try:
    while True:
        more = s.recv(65536)
        if not more:
            end = "closed"
            break
        got += more
except ConnectionResetError:
    end = "closed"
except socket.timeout:
    end = "open"
types = []
while len(got) >= 4:
    n = struct.unpack(">I", got[:4])[0]
    types.append(str(got[5] if n > 1 else "?"))
    got = got[4 + n:]
print(" ".join(types + [end]))
END

dropped() {
	grep -c 'warning: front end dropped' replica.log
}

lines() {
	[ "$(dropped)" -eq "$1" ]
}

# EXPRESSION WHY TEXT [half]
bad() {
	local before
	before=$(dropped)
	is "$(timeout 20 python3 talk.py "$1" "${4:-}" | grep -o '[a-z]*$')" closed "$3: closed"
	wait_for 5 lines $((before + 1))
	is "$(($(dropped) - before))" 1 "  with one line in the log"
	grep 'front end dropped' replica.log | tail -n 1 | grep -q "why=\"[^\"]*$2"
	ok $? "  that says why"
}

mkdir A/app
echo v1 >A/app/config
is "$(cat B/app/config)" v1 "two mounts at work"
sessions=$(cat A/.zab/session B/.zab/session | grep ^id)
watch_start B/app events -e modify --format %f

is "$(timeout 20 python3 talk.py 'HELLO +WELCOME+ RESUME + LOOKUP')" "40 41 44 open" "the same in good order is answered"

bad 'b"\xff\xff\xff\xff"' 'too long' "a frame of 4 GiB"
bad 'struct.pack(">I", 1044480 + 4096 + 1)' 'too long' "a frame one byte above the limit"
bad 'b"\x00\x00"' 'middle of a frame' "half a length" half
bad 'HELLO[:-3]' 'middle of a frame' "half a frame" half
bad 'HELLO +WELCOME+ RESUME + LOOKUP[:9]' 'middle of a frame' "half a request" half
bad 'frame(b"")' 'no message' "an empty frame"
bad 'frame(b"GET / HTTP/1.1\r\n\r\n")' 'no message' "not msgpack"
bad 'b"GET / HTTP/1.1\r\nHost: zabfs\r\n\r\n"' 'too long' "HTTP"
bad 'frame(b"\xc1")' 'no message' "a byte that msgpack never uses"
bad 'frame(b"\xdd\xff\xff\xff\xff")' 'no message' "an array of 4 Gi elements, of which none came"
bad 'frame(b"\x91" * 100000 + b"\x01")' 'no message' "arrays nested 100,000 deep"
bad 'frame(pack("HELLO"))' 'no message' "msgpack, but no array"
bad 'msg()' 'no message' "an array of nothing"
bad 'msg(99, 0)' 'no message' "an unknown message"
bad 'msg("HELLO", 1)' 'no message' "a type that is no number"
bad 'msg(1, PROTO, 0, b"", 1, 0, 10000, b"me")' 'no message' "a field too few"
bad 'msg(1, PROTO, 0, b"", 1, 0, 10000, b"me", 0, 7)' 'no message' "a field too many"
bad 'msg(1, PROTO, "0", b"", 1, 0, 10000, b"me", 0)' 'no message' "a string where a number belongs"
bad 'msg(1, PROTO, -1, b"", 1, 0, 10000, b"me", 0)' 'no message' "a negative number where none belongs"
bad 'msg(1, PROTO, 2.0, b"", 1, 0, 10000, b"me", 0)' 'no message' "a float"
bad 'msg(1, PROTO, None, b"", 1, 0, 10000, b"me", 0)' 'no message' "nil"
bad 'msg(1, 2**32, 0, b"", 1, 0, 10000, b"me", 0)' 'no message' "a number beyond its width"
bad 'msg(1, PROTO, 0, b"x" * 17, 1, 0, 10000, b"me", 0)' 'no message' "a blob beyond its length"
bad 'frame(pack([3, 0]) + b"\x00")' 'no message' "rubbish behind a message"
bad 'HELLO +WELCOME+ RESUME + msg(10, 1, 1, b"x" * 256)' 'no message' "a name that is too long"
bad 'HELLO +WELCOME+ RESUME + frame(b"\xc1")' 'no message' "rubbish in a session"

bad 'LOOKUP' 'LOOKUP out of order' "a request before HELLO"
bad 'RESUME' 'RESUME out of order' "RESUME before HELLO"
bad 'HELLO +WELCOME+ HELLO' 'HELLO out of order' "HELLO twice"
bad 'HELLO + RESUME' 'RESUME out of order' "RESUME before WELCOME"
bad 'HELLO +WELCOME+ LOOKUP' 'LOOKUP out of order' "a request before RESUME"
bad 'HELLO +WELCOME+ RESUME + RESUME' 'RESUME out of order' "RESUME twice"
bad 'HELLO +WELCOME+ RESUME + msg(2, 1, 1)' 'INTEREST out of order' "INTEREST after RESUME"
bad 'HELLO +WELCOME+ RESUME + msg(44, 1, 0, 0, b"", 0, b"")' 'REPLY out of order' "a replica's message from a front end"
bad 'msg(1, 99, 0, b"", 1, 0, 10000, b"me", 0)' "protocol 99, not $proto" "another version of the protocol"

is "$(cat A/.zab/session B/.zab/session | grep ^id)" "$sessions" "the mounts' sessions went on"
is "$(grep -c 'state connected' <(cat A/.zab/session B/.zab/session))" 2 "connected"
echo v2 >A/app/config
is "$(cat B/app/config)" v2 "and so do writes"
wait_for 30 grep -q config events
ok $? "and events"
# shellcheck disable=SC2154 # lib.sh sets it
kill -0 "$replica_pid"
ok $? "the replica is the same process"
[ "$(grep -c 'leading' replica.log)" -eq 1 ]
ok $? "and never started again"

cd /
done_testing
