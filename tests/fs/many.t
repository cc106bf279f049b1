#!/bin/bash
# Many processes at once on one mount, with more in their hands than a
# connection may hold: each waits its turn, none fails, the connection stays.
. "$(dirname "$0")/lib.sh"

node_start && mount_start A && mount_start B || exit 1
cd "$T" || exit 1

cat >many.py <<'END'
# N threads at once, each on a file of 1,000,000 bytes of its own: `write` or `read`.
import os, sys, threading
what, mount, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
start = threading.Barrier(n)
bad = []
def work(i):
    want, path = b"%06d\n" % i * 142857, "%s/big/%d" % (mount, i)
    start.wait()
    try:
        if what == "write":
            fd = os.open(path, os.O_WRONLY | os.O_CREAT)
            os.write(fd, want)
        else:
            fd = os.open(path, os.O_RDONLY)
            if os.read(fd, 1 << 20) != want:
                bad.append("%d is not what was written" % i)
        os.close(fd)
    except OSError as e:
        bad.append("%d: %s" % (i, e))
threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("\n".join(bad[:5]))
END

mkdir A/big
is "$(timeout 120 python3 many.py write A 100)" "" "100 threads write 100 MB at once"
is "$(timeout 120 python3 many.py read B 100)" "" "100 threads read them on the other mount at once"
is "$(grep -h -e 'front end dropped' -e 'no replica' ./*.log)" "" "no connection was given up for it"

cd /
done_testing
