"""Bad input, by each way in: badinput.t runs it where A and B are mounts of one tree. A function is a
group of tests; what it yields is what was wrong. Prints a line for each group: its name, a tab,
the first of that.
"""
import errno
import os
import re
import sys

LIMIT = 1044480
EXACT = {b"newline": b"new\nline", b"control": bytes(range(1, 32)) + b"\x7f", b"not UTF-8": b"\xff\xfe\x80\xc3(",
         b"quotes": b"a\"b'c\\d`e$(f)", b"blanks": b" a ", b"dots": b"...", b"option": b"-rf", b"star": b"*",
         b"semicolon": b"; x", b"hash": b"#x"}


def name_of(e):
    return errno.errorcode.get(e.errno, str(e.errno))


def err(call, *args):
    try:
        call(*args)
        return "none"
    except OSError as e:
        return name_of(e)


def write_all(fd, data):
    written = os.write(fd, data)
    if written != len(data):
        raise AssertionError("a short write: %d of %d" % (written, len(data)))


def put(path, data=b"v", flags=os.O_CREAT):
    fd = os.open(path, os.O_WRONLY | flags, 0o644)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)


def get(path):
    with open(path, "rb") as file:
        return file.read()


def sync():
    get("B/.zab/sync")


def expect(what, got, wanted):
    return [] if got == wanted else ["%s: %r, not %r" % (what, got, wanted)]


# What can be done with a path; each must fail where a part of the way is wrong.
OPERATIONS = {
    "open": lambda p: os.close(os.open(p, os.O_RDONLY)),
    "create": lambda p: os.close(os.open(p, os.O_WRONLY | os.O_CREAT)),
    "O_EXCL": lambda p: os.close(os.open(p, os.O_WRONLY | os.O_CREAT | os.O_EXCL)),
    "mkdir": os.mkdir, "rmdir": os.rmdir, "unlink": os.unlink, "readlink": os.readlink, "stat": os.lstat,
    "utime": os.utime, "listdir": os.listdir,
    "symlink": lambda p: os.symlink("target", p), "truncate": lambda p: os.truncate(p, 1),
    "chmod": lambda p: os.chmod(p, 0o600), "chown": lambda p: os.chown(p, 0, 0),
    "mkfifo": os.mkfifo,
    "rename from": lambda p: os.rename(p, b"A/m/new"), "rename to": lambda p: os.rename(b"A/m/f", p),
    "link": lambda p: os.link(b"A/m/f", p),
}

ARGUMENTS = {
    "EINVAL": [b"ttl=", b"ttl=0", b"ttl=0s", b"ttl=00", b"ttl=-1", b"ttl=+1", b"ttl= 1", b"ttl=1 ", b"ttl=1\n", b"ttl=1S", b"ttl=1.5",
               b"ttl=0x10", b"ttl=1e3", b"ttl=s", b"ttl=1ss", b"ttl=1ms1", b"ttl=1w", b"ttl=\xff", b"ttl==1", b"ttl=ttl=1",
               b"ttl=1099511627776ms", b"ttl=12725829d", b"ttl=18446744073709551617", b"ttl=" + b"9" * 40, b"ttl=1\x01",
               b"version=", b"version=-1", b"version=+1", b"version= 1", b"version=1 ", b"version=1\n", b"version=0x1",
               b"version=1.0", b"version=4294967296", b"version=18446744073709551616", b"version=x", b"version=\xff",
               b"version=" + b"9" * 40, b"version=1,version=1", b"version=1,async", b"async,version=1", b"async,async",
               b"async,sequence", b"async,ephemeral", b"held,async", b"container,async", b"ttl=1,async", b"version=1,ttl=1",
               b"version=1,held", b"container,version=1", b"sequence,version=1", b"sequence,sequence", b"ephemeral,held",
               b"held,held", b"container,container", b"container,held", b"container,ttl=1", b"ttl=1,ttl=1",
               b"sequence,ephemeral,held", b"ephemeral,sequence,ephemeral", b"ttl=x,sequence", b"sequence,ttl=0",
               b"events,from=", b"events,from=-1", b"events,from=x", b"events,from=abc", b"events,from=010", b"events,from=1 ",
               b"events,from=1\n", b"events,from=0x", b"events,from=0X1", b"events,from=18446744073709551616",
               b"events,from=1,held", b"events,from=\xff", b"events,from=" + b"9" * 200],
    "ENOENT": [b"Ephemeral", b"HELD", b"sequences", b"sequenc", b"ephemeral ", b" held", b"held\n", b"held\x01", b"\xff", b"\n", b" ",
               b",", b",,", b"held,", b",held", b"sequence,,held", b"held;sequence", b"sequence held", b"sequence=1", b"held=",
               b"ephemeral=yes", b"container=1", b"async=1", b"ttl", b"TTL=1", b"version", b"stat=1", b"data,held", b"held,data",
               b"stat,sequence", b"events,held", b"events,from", b"events,FROM=1", b"events,held,from=1", b"held,events", b"session,held", b".zab", b"x" * 255, b"held," * 40 + b"held", b"%s%n%x"],
    "ENAMETOOLONG": [b"x" * 256, b"ttl=" + b"1" * 253, b"x" * 1024, b"x" * 4000],
}


def wrong_arguments():
    before = sorted(os.listdir(b"A/m"))
    for wanted, modifiers in ARGUMENTS.items():
        for modifier in modifiers:
            for name in b"f", b"none":
                for what, operation in OPERATIONS.items():
                    yield from expect("%r, %s" % (modifier, what), err(operation, b"A/m/.zab/" + modifier + b"/" + name), wanted)
    yield from expect("names", sorted(os.listdir(b"A/m")), before)


# Modifiers, and the longest name below them.
CREATING = {b"ephemeral": 255, b"held": 255, b"ttl=1h": 255, b"async": 255, b"sequence": 245, b"sequence,held": 245,
            b"sequence,ttl=1h": 245, b"ephemeral,sequence": 245}


def same_everywhere(what, directory, name, data):
    sync()
    for mount in b"A", b"B":
        there = os.listdir(os.path.join(mount, directory))
        yield from expect("%s: %r is listed" % (what, mount), there, [name])
        yield from expect("%s: %r value" % (what, mount), get(os.path.join(mount, directory, name)), data)
        metadata = get(os.path.join(mount, directory, b".zab/stat", name))
        yield from expect("%s: %r metadata" % (what, mount), b"\nsize %d\n" % len(data) in metadata, True)


def names_through_modifiers():
    for number, (modifier, longest) in enumerate(CREATING.items()):
        for text, name in {**EXACT, b"longest": b"n" * longest, b"longest, not UTF-8": b"\xff" * longest}.items():
            directory = b"w%d" % number
            what = "%s, %s" % (modifier.decode(), text.decode())
            os.mkdir(b"A/" + directory)
            path = b"A/" + directory + b"/.zab/" + modifier + b"/"
            fd = os.open(path + name, os.O_RDWR | os.O_CREAT, 0o644)
            os.write(fd, text)
            os.fsync(fd)
            # A read is a line, and a name may be several.
            made = b"".join(iter(lambda: os.read(fd, 300), b""))[:-1] if b"sequence" in modifier else name
            yield from expect(what, made[:len(name)], name)
            yield from same_everywhere(what, directory, made, text)
            yield from expect(what + ", one byte more", err(put, path + b"n" * (longest + 1)), "ENAMETOOLONG")
            os.close(fd)
            if b"held" not in modifier:
                os.unlink(b"A/" + directory + b"/.zab/version=1/" + made)
            sync()
            os.rmdir(b"A/" + directory)


def other_kinds_through_modifiers():
    """Directories and links; a sequence doesn't tell their names, and so they are looked for."""
    make = {"mkdir": os.mkdir, "symlink": lambda path: os.symlink(b"target", path)}
    ways = [("mkdir", b"container", 255), ("mkdir", b"ttl=1h", 255), ("mkdir", b"sequence", 245),
            ("mkdir", b"sequence,container", 245), ("symlink", b"ephemeral", 255), ("symlink", b"ttl=1h", 255),
            ("symlink", b"sequence", 245), ("symlink", b"ephemeral,sequence", 245)]
    os.mkdir(b"A/k")
    for what, modifier, longest in ways:
        path = b"A/k/.zab/" + modifier + b"/"
        for text, name in {**EXACT, b"longest": b"\xff" * longest}.items():
            told = "%s through %s, %s" % (what, modifier.decode(), text.decode())
            yield from expect(told, err(make[what], path + name), "none")
            sync()
            there = os.listdir(b"B/k")
            made = [n[:-10] if b"sequence" in modifier else n for n in there]
            yield from expect(told + " on the other mount", made, [name])
            for n in there:
                (os.rmdir if what == "mkdir" else os.unlink)(b"A/k/" + n)
        yield from expect("%s through %r, one byte more" % (what, modifier), err(make[what], path + b"n" * (longest + 1)), "ENAMETOOLONG")
    os.rmdir(b"A/k")


def names_that_are_none():
    for modifier in list(CREATING) + [b"container", b"version=0", b"stat"]:
        path = b"A/m/.zab/" + modifier + b"/"
        yield from expect("%r, empty" % modifier, err(put, path), "EISDIR")
        yield from expect("%r, mkdir of nothing" % modifier, err(os.mkdir, path), "EEXIST")
        yield from expect("%r, .." % modifier, err(os.mkdir, path + b".."), "EEXIST")
        for what, operation in OPERATIONS.items():
            if what == "rename to" or what == "rename from" or what == "link":
                continue
            got = err(operation, path + b"n" * 256)
            # Below a sequence there is nothing, whatever its name.
            if b"sequence" not in modifier or what in ("create", "O_EXCL", "mkdir", "symlink"):
                yield from expect("%r, 256 bytes, %s" % (modifier, what), got, "ENAMETOOLONG")
            elif got == "none":
                yield "%r, 256 bytes, %s" % (modifier, what)
            if err(operation, path + b".zab") == "none":
                yield "%r, .zab, %s" % (modifier, what)
            if err(operation, path + b".zab/f") == "none":
                yield "%r, .zab/f, %s" % (modifier, what)
    yield from expect("names", sorted(os.listdir(b"A/m")), [b"f"])


def plain_names():
    for what, make in {"mkdir": os.mkdir, "symlink": lambda p: os.symlink("t", p), "create": put,
                       "rename": lambda p: os.rename(b"A/m/f", p)}.items():
        yield from expect(what + " of 256 bytes", err(make, b"A/m/" + b"n" * 256), "ENAMETOOLONG")
        for text, name in {**EXACT, b"longest": b"\xff" * 255}.items():
            yield from expect("%s, %r" % (what, text), err(make, b"A/m/" + name), "none")
            sync()
            yield from expect("%s, %r on the other mount" % (what, text), name in os.listdir(b"B/m"), True)
            if what == "rename":
                os.rename(b"A/m/" + name, b"A/m/f")
            else:
                (os.rmdir if what == "mkdir" else os.unlink)(b"A/m/" + name)
    for size, wanted in (0, "ENOENT"), (4095, "none"), (4096, "ENAMETOOLONG"):
        yield from expect("a target of %d bytes" % size, err(os.symlink, b"t" * size, b"A/m/link"), wanted)
    yield from expect("the longest target", os.readlink(b"B/m/link"), b"t" * 4095)
    os.unlink(b"A/m/link")


# Transactions.

def quoted(data):
    return b'"' + b"".join(b"\\x%02x" % c if c < 33 or c > 126 or c in b'"\\' else bytes([c]) for c in data) + b'"'


def unquoted(word):
    if not word.startswith(b'"'):
        return word
    return re.sub(rb"\\([0-7]{3}|.)", lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else m[1], word[1:-1])


def ask(file, text):
    """What write(2) says of a text, and what can be read then."""
    fd = os.open(b"A/.zab/" + file, os.O_RDWR)
    try:
        said = err(write_all, fd, text)
        return said, b"".join(iter(lambda: os.read(fd, 100000), b""))
    finally:
        try:
            os.close(fd)
        except OSError:
            pass


def paths_in_transactions():
    for file in b"txn", b"stream":
        for text, name in {**EXACT, b"longest": b"\xff" * 255}.items():
            what = "%s, %s" % (file.decode(), text.decode())
            said, answer = ask(file, b"create " + quoted(b"/p/" + name) + b" " + quoted(text) + b"\n")
            yield from expect(what, said, "none")
            yield from expect(what + ": a result that can be read again", unquoted(answer[len(b"ok create "):-1]), b"/p/" + name)
            yield from same_everywhere(what, b"p", name, text)
            yield from expect(what + ": removed", ask(file, b"delete " + quoted(b"/p/" + name) + b" version=0\n")[1][:3], b"ok ")
        raw = b"\x80\xff\x01\x7f"
        yield from expect("%r: bytes without quotes" % file, ask(file, b"create /p/" + raw + b" " + raw + b"\n")[1][:3], b"ok ")
        yield from same_everywhere("%r: bytes without quotes" % file, b"p", raw, raw)
        os.unlink(b"A/p/" + raw)


WRONG_TEXT = {
    "EINVAL": [b"\0\n", b"\xff\n", b"create\n", b"create /p/x\n", b"create  \n", b"mkdir\n", b"set /p\n", b"delete\n", b"check\n",
               b"Create /p/x v\n", b"create\t\n", b"create /p/x v v\n", b"create /p/x v sequence sequence\n",
               b"create /p/x v ephemeral ttl=1s\n", b"create /p/x v held\n", b"create /p/x v container\n", b"create /p/x v async\n",
               b"create /p/x v ttl=0\n", b"create /p/x v ttl=\n", b"create /p/x v version=1\n", b"create /p/x v absent\n",
               b"mkdir /p/x v\n", b"mkdir /p/x ephemeral\n", b"mkdir /p/x held\n", b"mkdir /p/x version=0\n",
               b"mkdir /p/x container ttl=1s\n", b"set /p v sequence\n", b"set /p v version=-1\n", b"set /p v version=\n",
               b"set /p v version=4294967296\n", b"set /p v version=0 version=0\n", b"delete /p v\n", b"delete /p absent\n",
               b"delete /p version=x\n", b"check /p absent version=0\n", b"check /p absent absent\n", b"check /p ephemeral\n",
               b'create "/p/x v\n', b'create "/p/x\\" v\n', b'create /p/x "v\n', b'create /p/x "v\\\n', b'create /p/x "\\x"\n',
               b'create /p/x "\\xg1"\n', b'create /p/x "\\400"\n', b'create /p/x "\\8"\n', b'create /p/x "\\ "\n', b'create /p/x "a"b\n',
               b'create /p/x ""v\n', b'"create" /p/x v\n', b"; ;\n", b"create /p/x ;\n", b"; create /p/x v\n", b"create /p/x v ; ; mkdir /p/y\n",
               b"create /p/x v ; nonsense\n", b'create "/p/\\0" v\n', b"create /p/\0 v\n", b'create "/p/x\\0y" v\n', b"create /p/. v\n",
               b"create /p/.. v\n", b"create /p/.zab v\n", b"create /p/.zab/x v\n", b"create /../x v\n", b"mkdir /.zab/ephemeral/x\n"],
    "ENOENT": [b"create /none/x v\n", b"create none/x v\n", b"set /p/x v\n", b"delete /p/x\n", b"check /p/x\n", b"check /p/x version=0\n"],
    "EEXIST": [b"create / v\n", b'create "" v\n', b"mkdir /\n", b"mkdir /p\n", b"create /m/f v\n", b"mkdir //m///f\n", b"check /p absent\n"],
    "ENOTDIR": [b"create /m/f/x v\n", b"mkdir /m/f/x\n", b"delete /m/f/x\n"],
    "ENAMETOOLONG": [b"create /p/" + b"x" * 256 + b" v\n", b"create /p/" + b"x" * 246 + b" v sequence\n", b"create /" + b"p/" * 2048 + b"x v\n",
                     b"check /" + b"x" * 4096 + b" absent\n"],
}


def wrong_transactions():
    for wanted, texts in WRONG_TEXT.items():
        for text in texts:
            said, answer = ask(b"txn", text)
            yield from expect("%r" % text[:60], said, wanted)
            yield from expect("%r says why" % text[:60], answer[:6 + len(wanted)], b"error " + wanted.encode())
            said, answer = ask(b"txn", b"create /p/before v\n" + text)
            yield from expect("%r, behind another" % text[:60], said, wanted)
            said, answer = ask(b"stream", text)
            yield from expect("stream: %r" % text[:60], said, "none")
            yield from expect("stream: %r says why" % text[:60], answer[:6 + len(wanted)], b"error " + wanted.encode())
    sync()
    yield from expect("what is left", os.listdir(b"B/p"), [])


def cut_off():
    for text in b"create /p/x v", b"create /p/x v\nmkdir /p/y", b"c", b"create /p/x \"a", b"# nothing":
        yield from expect("%r" % text, ask(b"txn", text)[0], "EINVAL")
        fd = os.open(b"A/.zab/stream", os.O_WRONLY)
        os.write(fd, text.rpartition(b"\n")[2])
        os.fsync(fd)
        yield from expect("stream: %r, at its end" % text, err(os.close, fd), "EINVAL")
    yield from expect("nothing was made", os.listdir(b"A/p"), [])
    fd = os.open(b"A/.zab/stream", os.O_WRONLY)
    for byte in b'create "/p/in pieces" v\n':
        os.write(fd, bytes([byte]))
    os.close(fd)
    yield from expect("a line in pieces", get(b"B/p/in pieces"), b"v")
    os.unlink(b"A/p/in pieces")


def many_lines():
    lines = 100000
    said, answer = ask(b"txn", b"check /p\n" * lines)
    yield from expect("operations", (said, answer), ("EFBIG", b"error EFBIG line 2049: more than 2048 operations\n"))
    yield from expect("the most", ask(b"txn", b"check /p\n" * 2048), ("none", b"ok check /p\n" * 2048))
    yield from expect("one more", ask(b"txn", b"create /p/x v\n" + b"check /p\n" * 2048)[0], "EFBIG")
    yield from expect("in one line", ask(b"txn", b" ; ".join([b"check /p"] * 2049) + b"\n")[0], "EFBIG")
    yield from expect("blank lines", ask(b"txn", b"\n" * lines + b"check /p\n"), ("none", b"ok check /p\n"))
    yield from expect("comments", ask(b"txn", b"# x y z\n" * lines + b"check /p\n"), ("none", b"ok check /p\n"))
    yield from expect("nothing was made", os.listdir(b"A/p"), [])
    said, answer = ask(b"stream", b"nonsense\n" * lines + b"check /p\n")
    yield from expect("a stream of nonsense", said, "none")
    yield from expect("  has a result for each", answer, b"error EINVAL no such operation: nonsense\n" * lines + b"ok check /p\n")
    said, answer = ask(b"stream", b"\n" * lines + b"# x\n" * lines + b"check /p\n")
    yield from expect("a stream of nothing", (said, answer), ("none", b"ok check /p\n"))


def too_long():
    # So long that the kernel makes two writes of it, whose ends are ends of lines.
    for first in 1 << 20, (1 << 20) - 4096 + 1, LIMIT + 1:
        text = b"create /p/one v\n"
        text += b"#" * (first - len(text) - 1) + b"\ncreate /p/two v\n"
        yield from expect("a text of %d bytes" % len(text), ask(b"txn", text)[0], "EFBIG")
    yield from expect("nothing was made", os.listdir(b"A/p"), [])
    yield from expect("the longest text", ask(b"txn", b"#" * (LIMIT - 1) + b"\n")[0], "none")
    for size in LIMIT, LIMIT + 1, 1 << 20, 3 << 20:
        text = b"#\n" * ((size - 20) // 2)
        text += b"check /p\n".rjust(size - len(text))
        yield from expect("a stream of %d bytes" % size, ask(b"stream", text), ("none", b"ok check /p\n"))
    fd = os.open(b"A/.zab/stream", os.O_RDWR)
    os.write(fd, b"x" * LIMIT)
    yield from expect("a line that goes on", err(os.write, fd, b"x"), "EFBIG")
    yield from expect("a line that goes on, and ends", err(os.write, fd, b"x\n"), "EFBIG")
    os.write(fd, b"\ncreate /p/x v\n")
    yield from expect("  its end", os.read(fd, 1000)[:13], b"error EINVAL ")
    yield from expect("  the next one", os.read(fd, 1000), b"ok create /p/x\n")
    err(os.close, fd)
    os.unlink(b"A/p/x")


# Values. name -> (path to be written, path of the value)

def values_of_the_limit():
    ways = {b"plain": b"plain", b"version": b".zab/version=0/there", b"data": b".zab/data", b"async": b".zab/async/a",
            b"ephemeral": b".zab/ephemeral/e", b"held": b".zab/held/h", b"ttl": b".zab/ttl=1h/t",
            b"sequence": b".zab/sequence/s", b"sequence,held": b".zab/sequence,held/s"}
    os.mkdir(b"A/l")
    put(b"A/l/there", b"", os.O_CREAT)
    for what, path in ways.items():
        value = os.path.basename(path) if what != b"data" else path
        fd = os.open(b"A/l/" + path, os.O_RDWR | os.O_CREAT, 0o644)
        if b"sequence" in what:
            value = os.read(fd, 300)[:-1]
        yield from expect("%r, one byte more" % what, err(os.pwrite, fd, b"x" * (LIMIT + 1), 0), "EFBIG")
        # Through a sequence a write goes on where the last one ended.
        if b"sequence" not in what:
            yield from expect("%r, a byte behind it" % what, err(os.pwrite, fd, b"x", LIMIT), "EFBIG")
            yield from expect("%r, far behind it" % what, err(os.pwrite, fd, b"x", 1 << 40), "EFBIG")
        yield from expect("%r, the limit" % what, err(os.pwrite, fd, b"y" * LIMIT, 0), "none")
        if b"sequence" in what:
            yield from expect("%r, then a byte" % what, err(os.write, fd, b"x"), "EFBIG")
        yield from expect("%r, fsync" % what, err(os.fsync, fd), "none")
        sync()
        yield from expect("%r, on the other mount" % what, get(b"B/l/" + value) == b"y" * LIMIT, True)
        os.close(fd)
    for what in b"plain", b"data":
        path = b"A/l/" + ways[what]
        end = os.open(path, os.O_WRONLY | os.O_APPEND)
        yield from expect("%r, appended" % what, err(os.write, end, b"x"), "EFBIG")
        os.close(end)
        yield from expect("%r, truncated" % what, err(os.truncate, path, LIMIT + 1), "EFBIG")
        yield from expect("%r, truncated to the limit" % what, err(os.truncate, path, LIMIT), "none")
    end = os.open(b"A/l/.zab/async/plain", os.O_WRONLY | os.O_APPEND)
    os.write(end, b"x")
    yield from expect("async, appended", err(os.fsync, end), "EFBIG")
    os.close(end)
    yield from expect("what was there", get(b"B/l/plain") == b"y" * LIMIT, True)


def values_in_transactions():
    put(b"A/l/set", b"old")
    for file in b"txn", b"stream":
        for word in b"set /l/set", b"create /l/new":
            for size, wanted in (LIMIT + 1, b"EFBIG"), (LIMIT, b"EFBIG"), (LIMIT - 200, b"ok"):
                what = "%r: %r of %d bytes" % (file, word, size)
                said, answer = ask(file, word + b" " + b"z" * size + b"\n")
                if file == b"txn" or size > LIMIT - 100:
                    yield from expect(what, said, "none" if wanted == b"ok" else "EFBIG")
                if wanted == b"ok":
                    yield from expect(what, answer[:3], b"ok ")
                    yield from expect(what, len(get(b"B/.zab/sync")) != 0 and get(b"B/" + word[word.index(b"/") + 1:]) == b"z" * size, True)
                else:
                    yield from expect(what, get(b"A/l/set") in (b"old", b"z" * (LIMIT - 200)), True)
                    yield from expect(what, os.path.exists(b"A/l/new"), False)
        os.unlink(b"A/l/new")


def words_to_the_leader():
    for text in b"\n", b"x\n", b"0\n", b"-1\n", b"+1\n", b"0x1\n", b"1 1\n", b"1\0\n", b"99\n", b"4294967297\n", b"18446744073709551617\n", b"1" * 5000, b"\xff":
        yield from expect("%r" % text[:40], err(put, b"A/.zab/cluster/leader", text, 0), "EINVAL")


def names_in_events():
    names = list(EXACT.values()) + [b"\xff" * 255]
    events = os.open(b"B/.zab/events", os.O_RDONLY)
    for name in names:
        put(b"A/p/" + name)
        os.unlink(b"A/p/" + name)
    for name in names:
        for word in b"create", b"set", b"delete":
            line = os.read(events, 4096)
            told = line[:-1].split(b" ")
            yield from expect("%r, %s" % (name, word.decode()), (line[-1:], len(told), told[1]), (b"\n", 4, word))
            path = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), told[2])
            yield from expect("%r, %s" % (name, word.decode()), path, b"/p/" + name)
    os.close(events)


GROUPS = [wrong_arguments, names_through_modifiers, other_kinds_through_modifiers, names_that_are_none, plain_names, paths_in_transactions, wrong_transactions,
          cut_off, many_lines, too_long, values_of_the_limit, values_in_transactions, words_to_the_leader, names_in_events]

if __name__ == "__main__":
    os.mkdir(b"A/m")
    os.mkdir(b"A/p")
    put(b"A/m/f")
    for group in GROUPS:
        try:
            wrong = list(group())
        except Exception as e:  # one group's end is not the others'
            wrong = ["%s: %r, line %d" % (type(e).__name__, e, sys.exc_info()[2].tb_next.tb_lineno)]
        print("%s\t%s" % (group.__name__.replace("_", " "), "; ".join(w.replace("\n", "\\n") for w in wrong[:8])), flush=True)
    print("all of them\t", flush=True)
