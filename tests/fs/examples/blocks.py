"""The examples of README.md and of the manual pages, taken out: what is indented there, and what stands
between .Bd and .Ed, or behind .Dl. `blocks.py SOURCE DIR` writes each into a file of DIR, named by a
number, and prints number, file and first line, separated by tabs.
"""
import glob
import os
import re
import sys


def of_markdown(text):
    block, blank = [], 0
    for line in text.split("\n") + ["end"]:
        if line.startswith("    "):
            block += [""] * (blank if block else 0) + [line[4:]]
            blank = 0
        elif not line.strip():
            blank += 1
        else:
            if block:
                yield block
            block, blank = [], 0


def plain(line):
    """As mandoc shows it."""
    for escaped, shown in ((r"\e", "\\"), (r"\(dq", '"'), (r"\&", ""), (r"\-", "-")):
        line = line.replace(escaped, shown)
    return line


def of_manual(text):
    block = None
    for line in text.split("\n"):
        if line.startswith(".Bd"):
            block = []
        elif line.startswith(".Ed"):
            yield block
            block = None
        elif block is not None:
            block.append(plain(line))
        elif re.match(r"\.D[l1] ", line):
            yield [plain(line[4:])]


def blocks(source):
    paths = [os.path.join(source, "README.md")] + sorted(glob.glob(os.path.join(source, "man", "*.[1-9]")))
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for block in (of_markdown if path.endswith(".md") else of_manual)(text):
            yield os.path.basename(path), block


if __name__ == "__main__":
    for number, (name, lines) in enumerate(blocks(sys.argv[1])):
        with open(os.path.join(sys.argv[2], "%03d" % number), "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        print("%03d\t%s\t%s" % (number, name, lines[0]))
