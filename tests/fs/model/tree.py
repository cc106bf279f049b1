"""The tree of one process, in memory: what each operation must return or fail with, and what it
leaves. The order in which reasons are looked at is the kernel's. real.py does the same by system
calls; names of methods and arguments are theirs both. A path is a tuple of names, from the
process's own directory on; parents are never links.
"""
import copy
import errno

NOREPLACE, EXCHANGE = 1, 2


def fail(code):
    raise OSError(code, "")


class Node:
    def __init__(self, kind, mode, data=b"", ephemeral=False):
        self.kind, self.mode, self.data, self.ephemeral = kind, mode, data, ephemeral
        self.kids = {} if kind == "dir" else None
        self.version = self.cversion = self.aversion = 0
        self.ino = None  # not told yet

    def set(self, data):
        self.data = data
        self.version += 1

    def size(self):
        return len(self.kids) if self.kind == "dir" else len(self.data)


class Tree:
    def __init__(self):
        self.root = Node("dir", 0o755)

    # Finding.

    def dir(self, path):
        node = self.root
        for name in path:
            if node.kind != "dir":
                fail(errno.ENOTDIR)
            if name not in node.kids:
                fail(errno.ENOENT)
            node = node.kids[name]
        if node.kind != "dir":
            fail(errno.ENOTDIR)
        return node

    def place(self, path):
        parent = self.dir(path[:-1])
        return parent, parent.kids.get(path[-1])

    def node(self, path):
        if not path:
            return self.root
        node = self.place(path)[1]
        return node if node is not None else fail(errno.ENOENT)

    def plain(self, path):
        """Of a file, opened O_NOFOLLOW for writing."""
        node = self.node(path)
        self.not_plain(node)
        return node

    @staticmethod
    def not_plain(node):
        if node.kind == "link":
            fail(errno.ELOOP)
        if node.kind == "dir":
            fail(errno.EISDIR)

    @staticmethod
    def add(parent, name, node):
        parent.kids[name] = node
        parent.cversion += 1
        return node

    @staticmethod
    def drop(parent, name):
        del parent.kids[name]
        parent.cversion += 1

    # Files. The letters of `how`: x O_EXCL, c O_CREAT, t O_CREAT and O_TRUNC, a O_CREAT and
    # O_APPEND, w none of them.

    def write(self, path, how, at, data):
        parent, node = self.place(path)
        if node is None:
            if how == "w":
                fail(errno.ENOENT)
            node = self.add(parent, path[-1], Node("file", 0o644))
            new = True
        else:
            if how == "x":
                fail(errno.EEXIST)
            self.not_plain(node)
            new = False
        if not data:
            if how == "t" and not new:
                node.set(b"")
            return
        if how == "a":
            node.set(node.data + data)
        else:
            old = b"" if how == "t" else node.data
            node.set(old[:at].ljust(at, b"\0") + data + old[at + len(data):])

    def truncate(self, path, size):
        node = self.plain(path)
        node.set(node.data[:size].ljust(size, b"\0"))

    def several(self, path, lines):
        """Through .zab/async: each line is a write."""
        parent, node = self.place(path)
        if node is None:
            node = self.add(parent, path[-1], Node("file", 0o644))
        self.not_plain(node)
        for line in lines:
            node.set(node.data + line)

    def read(self, path):
        node = self.plain(path)
        return node.data

    # Names.

    def mkdir(self, path):
        parent, node = self.place(path)
        if node is not None:
            fail(errno.EEXIST)
        self.add(parent, path[-1], Node("dir", 0o755))

    def symlink(self, path, target):
        parent, node = self.place(path)
        if node is not None:
            fail(errno.EEXIST)
        self.add(parent, path[-1], Node("link", 0o777, target))

    def readlink(self, path):
        node = self.node(path)
        return node.data if node.kind == "link" else fail(errno.EINVAL)

    def unlink(self, path):
        parent, node = self.place(path)
        if node is None:
            fail(errno.ENOENT)
        if node.kind == "dir":
            fail(errno.EISDIR)
        self.drop(parent, path[-1])

    def rmdir(self, path):
        parent, node = self.place(path)
        if node is None:
            fail(errno.ENOENT)
        if node.kind != "dir":
            fail(errno.ENOTDIR)
        if node.kids:
            fail(errno.ENOTEMPTY)
        self.drop(parent, path[-1])

    def rename(self, path, to, flags):
        # Both parents are there before anything else is asked.
        self.dir(path[:-1])
        self.dir(to[:-1])
        parent, node = self.place(path)
        parent2, other = self.place(to)
        if node is None:
            fail(errno.ENOENT)
        if other is not None and flags == NOREPLACE:
            fail(errno.EEXIST)
        if other is None and flags == EXCHANGE:
            fail(errno.ENOENT)
        if len(to) > len(path) and to[:len(path)] == path:
            fail(errno.EINVAL)
        if len(path) > len(to) and path[:len(to)] == to:
            fail(errno.EINVAL if flags == EXCHANGE else errno.ENOTEMPTY)
        if node is other:
            return
        if other is not None and flags != EXCHANGE:
            if node.kind == "dir" and other.kind != "dir":
                fail(errno.ENOTDIR)
            if node.kind != "dir" and other.kind == "dir":
                fail(errno.EISDIR)
            if other.kids:
                fail(errno.ENOTEMPTY)
        del parent.kids[path[-1]]
        parent2.kids[to[-1]] = node
        if flags == EXCHANGE:
            parent.kids[path[-1]] = other
        parent.cversion += 1
        if parent is not parent2:
            parent2.cversion += 1

    # Attributes and listings.

    def chmod(self, path, mode):
        node = self.node(path)
        node.mode = mode | (0o1000 if node.ephemeral else 0)
        node.aversion += 1

    def stat(self, path):
        """The node itself: worker.py compares, and learns its number."""
        return self.node(path)

    def look(self, path, which):
        """The same, through another mount."""
        return self.node(path)

    def listdir(self, path):
        return sorted((name, node.kind) for name, node in self.dir(path).kids.items())

    def value(self, path, data):
        """The directory's own."""
        self.dir(path).set(data)

    # Modifiers.

    def sequence(self, path, prefix, data):
        parent = self.dir(path)
        name = prefix + b"%010d" % parent.cversion
        if name in parent.kids:
            fail(errno.EEXIST)
        self.add(parent, name, Node("file", 0o644)).set(data)
        return name

    def ephemeral(self, path, data):
        parent, node = self.place(path)
        if node is not None and not node.ephemeral:
            fail(errno.EISDIR if node.kind == "dir" else errno.EEXIST)
        if node is None:
            node = self.add(parent, path[-1], Node("file", 0o1644, ephemeral=True))
        node.set(data)

    def held(self, path, data):
        parent, node = self.place(path)
        if node is not None:
            fail(errno.EEXIST)
        parent.cversion += 2  # there, and gone when it is closed

    def versioned(self, path, delta, data):
        node = self.plain(path)
        if delta:
            fail(errno.ECANCELED)
        node.set(data + node.data[len(data):])

    def remove_versioned(self, path, delta):
        node = self.plain(path)
        if delta:
            fail(errno.ECANCELED)
        self.drop(self.dir(path[:-1]), path[-1])

    # Transactions: (word, path, argument) each.

    def txn(self, steps):
        root = copy.deepcopy(self.root)
        try:
            for step in steps:
                self.step(*step)
        except OSError:
            self.root = root
            raise

    def step(self, word, path, argument):
        if word == "create":
            self.new(path, Node("file", 0o644, argument))
        elif word == "mkdir":
            self.new(path, Node("dir", 0o755))
        elif word == "set":
            node = self.node(path)
            if node.kind == "link":
                fail(errno.EINVAL)
            node.set(argument)
        elif word == "delete":
            parent, node = self.place(path)
            if node is None:
                fail(errno.ENOENT)
            if node.kids:
                fail(errno.ENOTEMPTY)
            self.drop(parent, path[-1])
        elif self.node(path).version != argument:
            fail(errno.ECANCELED)

    def new(self, path, node):
        parent, there = self.place(path)
        if there is not None:
            fail(errno.EEXIST)
        self.add(parent, path[-1], node)
