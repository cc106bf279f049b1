"""Everything that a mount shows, as lines: to be compared with other mounts, and with the models."""
import hashlib
import os

import real


def told(directory, name):
    """The metadata."""
    with open(os.path.join(directory, b".zab", *name), "rb") as stat:
        return dict(line.decode().split(" ", 1) for line in stat.read().splitlines())


def value(path, kind):
    if kind == "link":
        return os.readlink(path)
    with open(os.path.join(path, b".zab", b"data") if kind == "dir" else path, "rb") as file:
        return file.read()


def dump(mount):
    """path below the mount, in parts -> what is known of it"""
    nodes = {}
    todo = [()]
    while todo:
        path = todo.pop()
        directory = os.path.join(mount, *path)
        for name in os.listdir(directory):
            at = os.path.join(directory, name)
            kind, size, mode, ino = real.described(at)
            nodes[path + (name,)] = {"kind": kind, "size": size, "mode": mode, "ino": ino, "value": value(at, kind),
                                     **{"stat " + k: v for k, v in told(directory, (b"stat", name)).items()}}
            if kind == "dir":
                todo.append(path + (name,))
    return nodes


def model(tree, own):
    """The same of a model, as far as it knows."""
    nodes = {}
    todo = [((own,), tree.root)]
    while todo:
        path, node = todo.pop()
        nodes[path] = {"kind": node.kind, "size": node.size(), "mode": node.mode, "value": node.data,
                       "stat version": str(node.version), "stat cversion": str(node.cversion),
                       "stat aversion": str(node.aversion), **({"ino": node.ino} if node.ino else {})}
        todo += [(path + (name,), kid) for name, kid in (node.kids or {}).items()]
    return nodes


def differences(what, wanted, got, partly=False):
    """As text, a few of them; `partly`: only what `wanted` knows of each node."""
    wrong = ["%s: missing: %r" % (what, path) for path in wanted.keys() - got.keys()]
    wrong += ["%s: nobody made %r" % (what, path) for path in got.keys() - wanted.keys()]
    for path in wanted.keys() & got.keys():
        for key in wanted[path] if partly else wanted[path].keys() | got[path].keys():
            if wanted[path].get(key) != got[path].get(key):
                wrong.append("%s: %r: %s: expected %s, got %s" % (
                    what, path, key, short(wanted[path].get(key)), short(got[path].get(key))))
    return wrong[:5]


def short(what):
    text = repr(what)
    return text if len(text) < 100 else "%s... (%d characters, %s)" % (
        text[:60], len(text), hashlib.md5(text.encode()).hexdigest()[:8])
