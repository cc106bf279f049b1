"""A terminal session, repeated: `session.py TMP BLOCK…` types each line of the blocks that begins with
`# ` into one bash on a terminal, in the current folder, and compares what comes with the lines below
it. /tmp is TMP. Of what no two runs have in common (times, process and transaction numbers, which
member leads) only the form is compared. A command that just looks is tried again for a while.
Prints what was typed, what was wanted and what came, where they differ.
"""
import glob
import os
import pty
import re
import select
import sys
import time

PROMPT = "<<ready>>"
DEADLINE_S, AGAIN_S = 60, 20
FORMS = [
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"), (r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d", "TIME"), (r"\b0m[\d.]+s", "0mTIMEs"),
    (r"\[\d{2,}\]", "[PID]"), (r"\bpid=\d+", "pid=PID"), (r"\b0x[0-9a-f]+\b", "ZXID"), (r"\bepoch=\d+", "epoch=N"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"), (r"root root \d+", "root root SIZE"), (r"\b(leader|follower) ", "MEMBER "),
    (r"\bleader=\d", "leader=ID"), (r"\breplica \d", "replica ID"), (r"[ \t]+", " "),
]


def form(text):
    """Without a job's comings and goings, which bash tells when it comes to it."""
    lines = [line for line in text.split("\n") if not re.match(r"\[\d\][-+ ]", line)]
    text = "\n".join(lines).rstrip()
    for pattern, name in FORMS:
        text = re.sub(pattern, name, text)
    return text


def commands(lines):
    """(command, what is shown below it)"""
    command, shown = None, []
    for line in lines:
        if line.startswith("# ") and not line.startswith("# ID "):
            if command is not None:
                yield command, "\n".join(shown)
            command, shown = line[2:], []
        else:
            shown.append(line)
    if command is not None:
        yield command, "\n".join(shown)


def looks(command):
    return ">" not in command and all(re.match(r"\s*(cat|cut|grep|ls|sync|tail)\b", part) for part in command.split(";"))


class Terminal:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
        self.got = ""
        self.run("stty -echo -onlcr cols 80; PS1='%s''%s'; umask 022; cd ." % (PROMPT[:4], PROMPT[4:]))

    def run(self, command):
        os.write(self.fd, command.encode() + b"\n")
        end = time.time() + DEADLINE_S
        while PROMPT not in self.got:
            if not select.select([self.fd], [], [], max(0, end - time.time()))[0]:
                raise TimeoutError(command + ": no end: " + self.got)
            self.got += os.read(self.fd, 65536).decode()
        shown, self.got = self.got.split(PROMPT, 1)
        return shown

    def watches(self):
        """Whether the inotifywait that was started has come to watch: who types takes his time."""
        try:
            children = open("/proc/%d/task/%d/children" % (self.pid, self.pid)).read().split()
            return any("inotify wd" in open(info).read()
                       for child in children for info in glob.glob("/proc/%s/fdinfo/*" % child))
        except FileNotFoundError:  # closed, or gone
            return False


def leader():
    """As node 1 knows it: who types the next command does so when the others' end has been noticed."""
    with open("run/1/mnt/.zab/cluster/leader") as file:
        return file.read()


def repeat(terminal, tmp, command, wanted):
    """None, or what came instead."""
    typed = command.replace("/tmp/", tmp + "/")
    # The machine may be busy: what waits for a while waits longer.
    typed = typed.replace("timeout 2 ", "timeout 10 ").replace("sleep 1;", "sleep 3;")
    end = time.time() + AGAIN_S
    kills = command.startswith("kill -9") and "run/1/" not in command
    before = leader() if kills else None
    while True:
        got = terminal.run(typed).replace(tmp, "/tmp")
        while command.startswith("inotifywait") and not terminal.watches() and time.time() < end:
            time.sleep(0.01)
        while kills and leader() == before and time.time() < end:
            time.sleep(0.01)
        if form(got) == form(wanted):
            return None
        if not looks(command) or time.time() > end:
            return got
        time.sleep(0.1)


def main(tmp, *paths):
    terminal = Terminal()
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines = file.read().rstrip("\n").split("\n")
        for command, wanted in commands(lines):
            got = repeat(terminal, tmp, command, wanted)
            if got is not None:
                print("# %s\nwanted:\n%s\ngot:\n%s" % (command, form(wanted), form(got)))
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
