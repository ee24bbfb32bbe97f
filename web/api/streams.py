"""Streams of the feed: each follower has a thread of his own, and all that have come to the same place read as one."""

import secrets
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial

from django.db import InterfaceError, OperationalError
from django.http import HttpResponseBase

from reconciler.models import Feed
from web.api.change_types import Bookmark
from web.api.events import RETRY_MS, Events, event, stream
from web.api.feed import page_after
from web.api.types import MOST_ITEMS
from web.newest import NEWEST, let_connections_go
from web.places import PLACES
from web.problems import Problem, Refused, details_of
from web.shared import Shared

BOOKMARK_SECONDS = 15.0
STREAM_SECONDS = 300.0
"""How long a stream lasts: up to a fifth less or more, so that not all followers come again at the same time."""


@dataclass(frozen=True, slots=True)
class Told:
    """What all streams tell that have come to the same place: changes, or a bookmark if there are none.

    `is_all`: nothing else had changed when this was read.
    """

    cursor: str
    is_news: bool
    is_all: bool
    events: bytes


_TOLD: Shared[Told] = Shared()


def follow(feed: Feed, cursor: str, may_go_on: Callable[[], bool]) -> HttpResponseBase:
    """Return a stream of what changes after a cursor, in a place that is taken already; its end gives that back.

    It ends soon after its reader may not go on: somebody has removed a token, or logged out.
    """
    return stream(Events(_events(feed, cursor, may_go_on), PLACES.give_back))


def _events(feed: Feed, cursor: str, may_go_on: Callable[[], bool]) -> Generator[bytes]:
    """Yield what changes after a cursor, and a bookmark now and then, for some minutes."""
    began = time.monotonic()
    end = began + STREAM_SECONDS * (0.8 + 0.4 * secrets.randbelow(1000) / 1000)
    bookmark_at, check_at = 0.0, began + BOOKMARK_SECONDS
    # whoever waits for another's reading must not hold the connection that the other waits for
    let_connections_go()
    yield b"retry: %d\n\n" % RETRY_MS
    while (now := time.monotonic()) < end and not NEWEST.is_ending():
        known = NEWEST.known
        try:
            if now >= check_at:
                _refuse_unless(may_go_on)
                check_at = now + BOOKMARK_SECONDS
            # with what is known in the key, nobody is given what was read before he was woken
            told = _TOLD.get((feed.epoch, cursor, known), partial(_read_on, feed, cursor))
        except Refused as refused:
            yield event("problem", cursor, details_of(refused.kind, refused.detail))
            return
        except (OperationalError, InterfaceError):
            # whoever comes again is told what is wrong
            return
        if told.is_news or now >= bookmark_at:
            yield told.events
            cursor, bookmark_at = told.cursor, now + BOOKMARK_SECONDS
        if told.is_all:
            NEWEST.wait_for_another(known, min(bookmark_at, check_at, end) - now)


def _refuse_unless(may_go_on: Callable[[], bool]) -> None:
    """Raise Refused if a reader who was let in once would not be let in now."""
    try:
        if not may_go_on():
            raise Refused(Problem.UNAUTHORIZED, "you may not read this any longer")
    finally:
        let_connections_go()


def _read_on(feed: Feed, cursor: str) -> Told:
    """Read on after a cursor. Raises Refused."""
    try:
        page = page_after(feed, cursor, MOST_ITEMS)
    finally:
        let_connections_go()
    if not page.items:
        return Told(cursor, False, True, event("bookmark", cursor, Bookmark(cursor, page.as_of)))
    events = b"".join(event("change", change.cursor, change) for change in page.items)
    return Told(page.cursor, True, page.next is None, events)
