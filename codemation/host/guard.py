"""Starts a program that does not outlive whoever wanted it, however that one ends.

It is executed as a file by `python -I -S`, so it imports next to nothing. It leaves a small process behind that waits
for the other end of a pipe to close, which the kernel does when its holder ends, `kill -9` included, and becomes the
program itself: same process, same group. At the end of the pipe the group is asked to end, and after a grace it has to.

Usage: guard.py <descriptor of the pipe> <seconds of grace> <program> <argument>…
"""

from __future__ import annotations

import os
import signal
import sys
import time


def main() -> None:
    """Guard a program, and become it."""
    descriptor, grace, program = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    guarded = os.getpid()
    if os.fork() == 0:
        _watch(descriptor, guarded, grace)
        os._exit(0)
    os.close(descriptor)
    os.execv(program[0], program)  # noqa: S606 - the program and its arguments are given one by one


def _watch(descriptor: int, guarded: int, grace: float) -> None:
    """Wait until nobody wants the program any more, and end what is left of its group."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # whoever reads what the program says shall see its end
        os.dup2(nothing, stream)
    while os.read(descriptor, 64):
        pass
    until = time.monotonic() + grace
    while os.getppid() == guarded and time.monotonic() < until:
        os.killpg(guarded, signal.SIGTERM)
        time.sleep(min(0.2, grace))
    os.killpg(os.getpgrp(), signal.SIGKILL)  # this process is in it as well


if __name__ == "__main__":
    main()
