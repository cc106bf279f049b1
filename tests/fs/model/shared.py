"""What all processes do in the same directories: nobody can say what a single operation will do, but
some laws hold of all of them together. Each process writes down what it was told; `check` looks
at that and at what is there in the end.
"""
import errno
import os
import re

TOKENS = 200
DIRS = [b"shared", b"shared/sequence", b"shared/once", b"shared/tokens", b"shared/taken", b"shared/marks"]
TRIES = 20


def prepare(mount):
    for name in DIRS:
        os.mkdir(os.path.join(mount, name))
    for i in range(TOKENS):
        os.close(os.open(os.path.join(mount, b"shared/tokens/%d" % i), os.O_CREAT | os.O_WRONLY))
    with open(os.path.join(mount, b"shared/counter"), "w") as counter:
        counter.write("0\n")
    os.close(os.open(os.path.join(mount, b"shared/lines"), os.O_CREAT | os.O_WRONLY))


class Shared:
    def __init__(self, mount, number, drawn):
        self.dir = os.path.join(mount, b"shared")
        self.number, self.random = number, drawn
        self.names, self.lines, self.won, self.taken, self.counted = [], 0, [], [], 0

    def at(self, *path):
        return os.path.join(self.dir, *path)

    def step(self):
        """None, or what must not be, as text."""
        what = self.random.choice([self.sequence, self.append, self.append, self.once, self.take, self.count])
        try:
            what()
        except OSError as e:
            return "shared %s: %s" % (what.__name__, e)
        return None

    def sequence(self):
        fd = os.open(self.at(b"sequence/.zab/sequence/n-"), os.O_RDWR | os.O_CREAT)
        self.names.append(os.read(fd, 1000)[:-1])
        os.close(fd)

    def append(self):
        fd = os.open(self.at(b"lines"), os.O_WRONLY | os.O_APPEND)
        os.write(fd, b"%d %d\n" % (self.number, self.lines))
        os.close(fd)
        self.lines += 1

    def once(self):
        name = self.random.randrange(TOKENS)
        try:
            os.close(os.open(self.at(b"once/%d" % name), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            self.won.append(name)
        except FileExistsError:
            pass

    def take(self):
        name = self.random.randrange(TOKENS)
        try:
            os.rename(self.at(b"tokens/%d" % name), self.at(b"taken/%d-%d" % (name, self.number)))
            self.taken.append(name)
        except FileNotFoundError:
            pass

    def count(self):
        """Reads, and writes if nobody else has; gives up when too many want to."""
        fd = os.open(self.at(b"counter"), os.O_RDWR)
        for _ in range(TRIES):
            number = int(os.pread(fd, 100, 0))
            try:
                os.pwrite(fd, b"%d\n" % (number + 1), 0)
                self.counted += 1
                break
            except OSError as e:
                if e.errno != errno.ECANCELED:
                    raise
        os.close(fd)


def each_once(what, told, there):
    told, there = sorted(told), sorted(there)
    if told == there:
        return []
    twice = [x for x, y in zip(told, told[1:]) if x == y]
    return ["%s: told twice %s, lost %s, nobody's %s" % (
        what, twice[:5], [x for x in told if x not in there][:5], [x for x in there if x not in told][:5])]


def check(mount, all_of):
    """What all were told, against what a mount shows: the laws that do not hold, as text."""
    at = os.path.join(mount, b"shared")
    listed = lambda name: os.listdir(os.path.join(at, name))
    wrong = each_once("sequence", sum((s.names for s in all_of), []), listed(b"sequence"))
    numbers = sorted(int(re.fullmatch(rb"n-(\d{10})", name)[1]) for name in listed(b"sequence"))
    if numbers != list(range(len(numbers))):
        wrong.append("sequence: the numbers have gaps")
    wrong += each_once("O_EXCL", sum((s.won for s in all_of), []), [int(name) for name in listed(b"once")])
    wrong += each_once("rename", [(t, s.number) for s in all_of for t in s.taken],
                       [tuple(map(int, name.split(b"-"))) for name in listed(b"taken")])
    left = {t for s in all_of for t in s.taken} ^ set(range(TOKENS))
    wrong += each_once("what nobody took", left, [int(name) for name in listed(b"tokens")])
    with open(os.path.join(at, b"counter")) as counter:
        if int(counter.read()) != sum(s.counted for s in all_of):
            wrong.append("counter: not as often as it was counted")
    with open(os.path.join(at, b"lines"), "rb") as lines:
        lines = lines.read().splitlines()
    for s in all_of:
        if [line for line in lines if line.startswith(b"%d " % s.number)] != [b"%d %d" % (s.number, n) for n in range(s.lines)]:
            wrong.append("lines: those of process %d are not each there once, in order" % s.number)
    if len(lines) != sum(s.lines for s in all_of):
        wrong.append("lines: %d of %d" % (len(lines), sum(s.lines for s in all_of)))
    return wrong
