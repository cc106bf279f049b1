#!/bin/bash
# Many wait for one lock, on two mounts: each release wakes one, the next. What a release costs does
# not grow with those that wait. `WAITERS=n`: so many (400).
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

node_start && mount_start A -o timeout=60s && mount_start B -o timeout=60s || exit 1
cd "$T" || exit 1
touch A/lock

cat >crowd.py <<'END2'
import fcntl, os, re, sys, threading, time
FLOCK = "73 "
waiters = int(sys.argv[1])
order, inside, two = [], 0, 0

def figures():
    """Requests of both mounts, bytes to them, transactions."""
    text = [open(m + "/.zab/metrics").read() for m in "AB"]
    one = lambda name, text: int(re.search("^" + re.escape(name) + r" (\d+)$", text, re.M)[1])
    return (sum(one("zabfs_mount_requests_total", t) for t in text), one('zabfs_sent_bytes_total{peer="mount"}', text[0]),
            one("zabfs_transactions_applied_total", text[0]))

def wait(number):
    global inside, two
    with open("AB"[number % 2] + "/lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        inside += 1
        two += inside != 1
        order.append(number)
        inside -= 1
        fcntl.flock(file, fcntl.LOCK_UN)

def until_waiting(thread):
    """It has asked, and who asks after this comes behind it."""
    end = time.time() + 60
    while not open("/proc/self/task/%d/syscall" % thread.native_id).read().startswith(FLOCK):
        if time.time() > end:
            sys.exit("it does not wait")
        time.sleep(0.0005)
    for mount in "AB":
        fd = os.open(mount, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)

threading.stack_size(256 << 10)
with open("A/lock") as first:
    fcntl.flock(first, fcntl.LOCK_EX)
    threads = [threading.Thread(target=wait, args=(number,), daemon=True) for number in range(waiters)]
    for thread in threads:
        thread.start()
        until_waiting(thread)
    before = figures()
    fcntl.flock(first, fcntl.LOCK_UN)
    for thread in threads:
        thread.join(100)
after = figures()
requests, sent, transactions = ((b - a) / waiters for a, b in zip(before, after))
print("# a hand-over: %.1f requests, %.0f bytes, %.2f transactions" % (requests, sent, transactions))
print("order", order == list(range(waiters)))
print("two at once", two)
print("cost", requests < 4, sent < 2000, transactions < 3)
END2
timeout 200 python3 crowd.py "${WAITERS:-400}" >crowd 2>&1
grep '^#' crowd
is "$(grep -v '^#' crowd)" "order True
two at once 0
cost True True True" "${WAITERS:-400} wait: one is woken at a time, in the order of coming, and nobody else hears of it"

cd /
done_testing
