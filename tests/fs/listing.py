"""listing.py MOUNT OTHER STEPS: lists MOUNT/big again and again, while names in it come, go and move, on
both mounts, STEPS each. Those that were there all along have to be listed once each. Prints what
was wrong, and how often it listed.
"""
import os
import random
import sys
from multiprocessing import Process, Value


def churn(directory, who, steps, done):
    """Names of its own, older ones and new ones; made, moved, replaced and removed."""
    drawn = random.Random(who)
    there = []
    for i in range(steps):
        what = drawn.random()
        if what < 0.5 or not there:
            there.append("%s-%d" % (who, i))
            os.close(os.open(os.path.join(directory, there[-1]), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        elif what < 0.7:
            moved = drawn.randrange(len(there))
            os.rename(os.path.join(directory, there[moved]), os.path.join(directory, "%s-%d" % (who, i)))
            there[moved] = "%s-%d" % (who, i)
        elif what < 0.8 and len(there) > 1:
            os.rename(os.path.join(directory, there.pop()), os.path.join(directory, there[0]))
        else:
            os.unlink(os.path.join(directory, there.pop(drawn.randrange(len(there)))))
        with done.get_lock():
            done.value += 1


def main(mount, other, steps):
    directory = os.path.join(mount, "big")
    stay = sorted(name for name in os.listdir(directory) if name.startswith("stay-"))
    done = Value("i", 0)
    churns = [Process(target=churn, args=(os.path.join(m, "big"), who, int(steps), done))
              for m, who in ((mount, "here"), (other, "there"))]
    for process in churns:
        process.start()
    listings = quiet = 0
    while any(process.is_alive() for process in churns):
        before = done.value
        names = os.listdir(directory)
        quiet += done.value == before
        listings += 1
        got = sorted(name for name in names if name.startswith("stay-"))
        if got != stay:
            print("of %d names %d were listed, %d of them once" % (len(stay), len(got), len(set(got))))
            break
    for process in churns:
        process.join()
        if process.exitcode != 0:
            print("a process that changes names has failed")
    if listings - quiet < 3:
        print("%d listings, %d of them while nothing changed" % (listings, quiet))
    print("# %d listings of %d names, %d changes" % (listings, len(stay), done.value))


main(*sys.argv[1:])
