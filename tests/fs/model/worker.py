"""One process: random operations on a directory of its own, each done by the model (tree.py) and by
system calls (real.py), and the two compared; and now and then a step in the directories that all
share (shared.py). What it draws depends on the seed and its number alone.
"""
import collections
import errno
import os
import random
import re

import real
import shared
import tree

NAMES = [b"a", b"b", b"c", b"d", b"two words", b"new\nline", b"\xff\xfe\x80", b"n" * 255]
DEPTH, NODES = 3, 40
TOLD = 8  # operations before the one that failed
SHARED_EVERY = 8

WEIGHTS = {"write": 30, "truncate": 5, "several": 3, "read": 8, "mkdir": 10, "rmdir": 5, "unlink": 8, "symlink": 4,
           "readlink": 2, "rename": 14, "chmod": 5, "stat": 6, "look": 2, "listdir": 6, "value": 2, "sequence": 6,
           "ephemeral": 3, "held": 3, "versioned": 6, "remove_versioned": 3, "txn": 6}


def outcome(call, args):
    """(errno's name, or None; what it returned)"""
    try:
        return None, call(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno), None


class Worker:
    def __init__(self, seed, number, mounts, mount):
        self.random = random.Random("%s/%d" % (seed, number))
        self.tree = tree.Tree()
        own = b"p%02d" % number
        self.real = real.Real(mounts[mount], own, [os.path.join(m, own) for m in mounts])
        self.shared = shared.Shared(mounts[mount], number, random.Random("%s/%d/shared" % (seed, number)))
        self.done, self.last = 0, collections.deque(maxlen=TOLD)

    # Drawing.

    def nodes(self, node=None, path=()):
        node = node or self.tree.root
        yield path, node
        for name, kid in sorted((node.kids or {}).items()):
            yield from self.nodes(kid, path + (name,))

    def directory(self):
        return self.random.choice([p for p, n in self.nodes() if n.kind == "dir" and len(p) < DEPTH])

    def path(self):
        """Mostly one of few names in a directory that is there; or what is there; or nonsense."""
        chance = self.random.random()
        there = [p for p, n in self.nodes() if p]
        if chance < 0.35 and there:
            return self.random.choice(there)
        if chance < 0.42:
            files = [p for p, n in self.nodes() if n.kind == "file"] or [(b"none",)]
            return self.random.choice(files) + (self.random.choice(NAMES),)
        return self.directory() + (self.random.choice(NAMES),)

    def data(self):
        size = self.random.choice([1, 3, 10, 50, 200, 5000])
        return b"%c" % self.random.randrange(256) * size

    def at(self, path):
        """Who stands there; None."""
        try:
            return self.tree.node(path)
        except OSError:
            return None

    def but_links(self):
        """What follows links has another model."""
        while True:
            path = self.path()
            node = self.at(path)
            if node is None or node.kind != "link":
                return path

    def draw(self, what):
        """(arguments for the model, arguments for the real one)"""
        args = getattr(self, "draw_" + what, self.draw_path)()
        return args if isinstance(args, list) else [args, args]

    def draw_path(self):
        return (self.path(),)

    def draw_write(self):
        how = self.random.choice("xcctttaaww")
        data = b"" if self.random.random() < 0.1 else self.data()
        return self.path(), how, 0 if how in "xat" else self.random.choice([0, 0, 1, 7, 300]), data

    def draw_truncate(self):
        return self.path(), self.random.choice([0, 1, 5, 100, 3000])

    def draw_several(self):
        return self.path(), [self.data() for _ in range(self.random.randrange(1, 6))]

    def draw_symlink(self):
        return self.path(), self.random.choice([b"nowhere", b"a/b", b"\xff", b"x" * 1000])

    def draw_rename(self):
        return self.path(), self.path(), self.random.choice([0, 0, 0, 0, 0, tree.NOREPLACE, tree.EXCHANGE])

    def draw_chmod(self):
        return self.but_links(), self.random.choice([0o600, 0o644, 0o640, 0o755, 0])

    def draw_look(self):
        return self.path(), self.random.randrange(len(self.real.others))

    def draw_listdir(self):
        return (self.directory() if self.random.random() < 0.8 else self.but_links(),)

    def draw_value(self):
        return self.directory(), self.data()

    def draw_sequence(self):
        return self.directory(), self.random.choice([b"j-", b"k", b"\xff"]), self.data()

    def draw_ephemeral(self):
        return self.but_links(), self.data()

    def draw_held(self):
        return self.but_links(), self.data()

    def draw_versioned(self):
        return self.of_version(self.data())

    def draw_remove_versioned(self):
        return self.of_version()

    def of_version(self, *more):
        path = self.but_links()
        node = self.at(path)
        delta = self.random.choice([0, 0, 1, 7])
        return [(path, delta) + more, (path, (node.version if node else 0) + delta) + more]

    def draw_txn(self):
        steps = []
        for _ in range(self.random.randrange(1, 5)):
            word = self.random.choice(["create", "create", "mkdir", "set", "delete", "check"])
            path = self.but_links()
            node = self.at(path)
            argument = {"create": self.data, "set": self.data,
                        "check": lambda: (node.version if node else 0) + self.random.choice([0, 0, 0, 1])}
            steps.append((word, path, argument.get(word, lambda: None)()))
        return [(steps,), (steps,)]

    # Doing.

    def choose(self):
        full = sum(1 for _ in self.nodes()) > NODES
        more = {"unlink": 40, "rmdir": 25} if full else {}
        weights = {**WEIGHTS, **more}
        return self.random.choices(list(weights), list(weights.values()))[0]

    def compare(self, what, expected, got):
        """What is wrong, as text; None: nothing."""
        if expected[0] is None and what in ("stat", "look"):
            node = expected[1]
            if got[0] is None and node.ino is None:
                node.ino = got[1][-1]
            expected = (None, (node.kind, node.size(), node.mode, node.ino))
        if expected == got:
            return None
        return "expected %s, got %s" % (shown(expected), shown(got))

    def step(self):
        what = self.choose()
        modelled, asked = self.draw(what)
        expected = outcome(getattr(self.tree, what), modelled)
        got = outcome(getattr(self.real, what), asked)
        wrong = self.compare(what, expected, got)
        self.done += 1
        if wrong:
            return "operation %d: %s%s: %s; before it: %s" % (self.done, what, shown(asked), wrong, "; ".join(self.last))
        self.last.append("%s%s %s" % (what, shown(asked), got[0] or "done"))
        if self.done % SHARED_EVERY == 0:
            return self.shared.step()
        return None


def shown(what):
    text = re.sub(r"((\\x..|.)\2{5})\2+", r"\1...", repr(what))
    return text if len(text) < 400 else text[:300] + "... (%d characters)" % len(text)
