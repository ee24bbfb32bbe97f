"""Makes Ctrl-C reach only `make up`, which then ends everything in order."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LOOK_SECONDS = 1.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A person or the system has asked us to end."""


def stop_on_signals() -> None:
    """Raise Stopped at the first signal to end, and ignore further ones: the clearing up is bounded."""

    def stop(*_: object) -> None:
        ignore_stop_signals()
        raise Stopped

    for number in STOP_SIGNALS:
        signal.signal(number, stop)


def ignore_stop_signals() -> None:
    """Let nothing interrupt the clearing up."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def stop_if_hung_up() -> None:
    """Raise Stopped if the terminal has been closed: in the foreground of `make`, only `make` gets that signal."""
    try:
        os.tcgetpgrp(sys.stdin.fileno())
    except OSError:
        raise Stopped from None


def wait_for_the_end(*, has_terminal: bool) -> None:
    """Wait until somebody asks us to end, which raises Stopped."""
    while True:
        time.sleep(LOOK_SECONDS)
        if has_terminal:
            stop_if_hung_up()


@contextmanager
def foreground() -> Iterator[bool]:
    """Be the terminal's foreground process group if there is one and `make` holds it; tell whether so.

    Otherwise a Ctrl-C would reach make, too, which then reports an error however orderly we end.
    """
    group = os.getpgrp()
    if not sys.stdin.isatty() or os.getpid() == group or os.tcgetpgrp(sys.stdin.fileno()) != group:
        yield False
        return
    # Changing the foreground group from a background one would stop us.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    # Nobody could wake us up: the shell does not know our group.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
    try:
        yield True
    finally:
        with suppress(OSError):
            os.tcsetpgrp(sys.stdin.fileno(), group)
