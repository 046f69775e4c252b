#!/usr/bin/env python3
"""How long after Ctrl-C the prompt of `vnetkvm shell` is back, and how long Tab takes.

    benches/shell_keys.py PROGRAM KERNEL CORE [RUNS]

It starts the shell on a terminal of its own. Each line is interrupted at a random time
within its first 0.8 s, as long as its answer is not there yet or is between two pages.
Then each unfinished line is completed: the first time, and five times more.
docs/performance.md keeps the numbers.
"""

import fcntl
import os
import pty
import random
import re
import select
import statistics
import struct
import sys
import tempfile
import termios
import time

LINES = [
    "print sum(V_ifnet[*].if_flags)",
    "print --all-vnets V_ifnet",
    "print --all-vnets count(V_ifnet[*])",
    "vars --all-vnets",
    "interfaces --all-vnets",
    "sockets --all-vnets",
    "routes --all-vnets",
    "neighbors --all-vnets",
    "topology",
    "check",
    "vnets --scan",
]

# With what Tab writes: the longer line, or a beep if there are several.
UNFINISHED = [
    ("1 + ip_deft", "ip_defttl"),
    ("V_ifnet.cstqh_first->if_xn", "if_xname"),
    ("(struct ifneth", "ifnethead"),
    ("jail j999", "\a"),
    ("interfaces epair", "epair1b"),
    ("sysctl net.inet.ip.tt", "net.inet.ip.ttl"),
]

PROMPT = re.compile(rb"vnet(kvm| \d+[^\r\n>]*)> (\r?\x1b\[[0-9;?]*[a-zA-Z])*$")

# In seconds. The longest that anything may take, and the silence that ends what is written.
PATIENCE = 120
SILENCE = 0.05


class Shell:
    def __init__(self, program, kernel, core, state):
        self.seen = b""
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm-256color", NO_COLOR="1", XDG_STATE_HOME=state)
            os.execv(program, [program, "-N", kernel, "-M", core, "--vnet", "1", "shell"])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.until(self.is_at_prompt)

    def types(self, keys):
        os.write(self.terminal, keys)

    def reads(self, wait):
        ready, _, _ = select.select([self.terminal], [], [], wait)
        if ready:
            self.seen += os.read(self.terminal, 1 << 16)
        return bool(ready)

    def until(self, done):
        start = time.monotonic()
        while not done():
            if time.monotonic() - start > PATIENCE:
                sys.exit(f"after {PATIENCE} s there is {self.seen[-200:]!r}")
            self.reads(SILENCE)
        return time.monotonic() - start

    def forgets(self):
        while self.reads(SILENCE):
            pass
        self.seen = b""

    def is_at_prompt(self):
        return PROMPT.search(self.seen) is not None

    def interrupted(self, line):
        """Seconds from Ctrl-C to the prompt; None if the answer was there before."""
        self.forgets()
        self.types(line.encode() + b"\r")
        end = time.monotonic() + random.uniform(0.02, 0.8)
        while (left := end - time.monotonic()) > 0:
            self.reads(left)
        if self.is_at_prompt():
            return None
        self.seen = b""
        self.types(b"\x03")
        return self.until(self.is_at_prompt)

    def completed(self, line, longer):
        """Seconds from Tab to what it writes."""
        self.forgets()
        self.types(line.encode())
        self.until(lambda: line.encode() in self.seen)
        self.forgets()
        self.types(b"\t")
        took = self.until(lambda: longer.encode() in self.seen)
        self.forgets()
        self.types(b"\x15")
        return took


def main():
    program, kernel, core = sys.argv[1:4]
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else 12
    with tempfile.TemporaryDirectory() as state:
        shell = Shell(program, kernel, core, state)
        for line, longer in UNFINISHED:
            first, *others = [1000 * shell.completed(line, longer) for _ in range(6)]
            then = statistics.median(others)
            print(f"Tab behind {line}: {first:.1f} ms, then {then:.1f} ms", flush=True)
        for line in LINES:
            times = [shell.interrupted(line) for _ in range(runs)]
            times = [1000 * seconds for seconds in times if seconds is not None]
            if times:
                said = f"{statistics.median(times):.0f} ms, most {max(times):.0f} ms"
            else:
                said = "answered before"
            print(f"{line}: {said} ({len(times)} of {runs})", flush=True)
        shell.types(b"\x04")


main()
