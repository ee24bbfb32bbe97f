"""What goes wrong on the way to a daemon, in words of our own, whichever library raised the error.

Does no I/O. The words hold nothing that changes by chance, such as the address of an object, because a
host's trouble is compared from tick to tick.
"""

from collections.abc import Iterator
from http.client import IncompleteRead

import urllib3.exceptions

MAX_SAID_CHARS = 300


class Trouble(Exception):
    """What is wrong, in words that continue `the Engine at URL …`; `stuck` means that the time was up."""

    def __init__(self, reason: str, *, stuck: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.stuck = stuck


_TIMEOUTS = (urllib3.exceptions.ReadTimeoutError, TimeoutError)
_BROKEN_OFF = (IncompleteRead, urllib3.exceptions.IncompleteRead)


def reason_of(error: BaseException, timeout_seconds: float) -> str:
    """Return in words what an exception means."""
    links = list(chain(error))
    for link in links:
        if reason := _known_reason(link, timeout_seconds):
            return reason
    return f"failed: {type(links[-1]).__name__}: {one_line(str(links[-1]))}"


def one_line(text: str) -> str:
    """Return the beginning of somebody else's text on one line, in a form that can be stored and read."""
    text = " ".join(text[: 4 * MAX_SAID_CHARS].split())[:MAX_SAID_CHARS]
    return text if text.isprintable() else ascii(text)[1:-1]


def is_stuck(error: BaseException) -> bool:
    """Tell whether an exception means that the time for an answer was up."""
    return any(link.stuck if isinstance(link, Trouble) else isinstance(link, _TIMEOUTS) for link in chain(error))


def is_hang_up(error: BaseException) -> bool:
    """Tell whether an exception means that the other side closed the connection without an answer."""
    return any(isinstance(link, (ConnectionResetError, BrokenPipeError)) for link in chain(error))


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, and every exception that it was made from."""
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    while pending:
        link = pending.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        causes = [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
        pending += [cause for cause in causes if isinstance(cause, BaseException)]


def _known_reason(link: BaseException, timeout_seconds: float) -> str | None:
    """Return in words what this one exception means, or None if it says nothing that we know."""
    reasons: tuple[tuple[bool, str], ...] = (
        (isinstance(link, Trouble), getattr(link, "reason", "")),
        (isinstance(link, _TIMEOUTS), f"sent nothing for {timeout_seconds:g} s"),
        (isinstance(link, _BROKEN_OFF), "broke off its answer"),
        (isinstance(link, (ConnectionResetError, BrokenPipeError)), "hung up without an answer"),
        (isinstance(link, OSError) and bool(link.errno), f"cannot be reached: {getattr(link, 'strerror', '')}".lower()),
    )
    return next((reason for applies, reason in reasons if applies), None)
