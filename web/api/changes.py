"""The feed: what has changed after a cursor, told at once, when there is something, or as a stream."""

import secrets
import time
from collections.abc import Generator
from typing import Annotated

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpResponseBase
from django.utils import timezone
from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler.api import BadCursor, CursorTooOld
from reconciler.models import Feed, Transition
from web.api import types
from web.api.columns import PENDING
from web.api.containers import containers_now
from web.api.endpoint import Call, Endpoint
from web.api.events import RETRY_MS, Events, event, stream
from web.api.reading import Text
from web.api.types import MOST_ITEMS, moment
from web.newest import Newest, let_connections_go
from web.places import Places
from web.problems import Problem, Refused, details_of

LONGEST_WAIT_SECONDS = 30
BOOKMARK_SECONDS = 15.0
STREAM_SECONDS = 300
"""How long a stream lasts at most: a fifth less or more, so that not all come again at the same time."""

NEWEST = Newest()
PLACES = Places(lambda: settings.FOLLOWERS_MOST)


class ChangeQuery(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which part of the feed is wanted, and for how long to wait for it."""

    after: Annotated[Text, Meta(description="A cursor; without one, only what changes from now on.")] | UnsetType = (
        UNSET
    )
    limit: Annotated[int, Meta(ge=1, le=MOST_ITEMS, description="How many changes to tell at most.")] = MOST_ITEMS
    wait: Annotated[
        int, Meta(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait for a change, if there is none yet.")
    ] = 0


def list_changes(call: Call[ChangeQuery]) -> types.ChangePage | HttpResponseBase:
    """Return what has changed after a cursor. Raises Refused."""
    feed = Feed.of_this_database()
    after = feed.newest() if call.query.after is UNSET else call.query.after
    if call.wants_events:
        return _stream(feed, call.last_event or after)
    page = _page(feed, after, call.query.limit)
    if page.items or not call.query.wait:
        return page
    _take_a_place()
    try:
        return _wait(feed, after, call.query)
    finally:
        PLACES.give_back()


def _page(feed: Feed, after: str, limit: int) -> types.ChangePage:
    """Return the first changes after a cursor. Raises Refused."""
    try:
        found = feed.changes_after(after, limit + 1)
    except BadCursor as error:
        raise Refused(Problem.BAD_REQUEST, str(error)) from error
    except CursorTooOld as error:
        raise Refused(Problem.CURSOR_TOO_OLD, str(error)) from error
    at, told = timezone.now(), found[:limit]
    rows = containers_now(sorted({str(entry.row_id) for entry in told if entry.row_id}), at)
    items = [_served(feed, entry, rows.get(str(entry.row_id))) for entry in told]
    cursor = items[-1].cursor if items else after
    return types.ChangePage(items, next=cursor if len(found) > limit else None, as_of=moment(at), cursor=cursor)


def _served(feed: Feed, entry: Transition, container: types.Container | None) -> types.Change:
    is_of_container = entry.kind == "container"
    return types.Change(
        cursor=feed.cursor(entry.pk),
        kind=entry.kind,  # type: ignore[arg-type]
        at=moment(entry.at),
        host=str(entry.host_id),
        row=str(entry.row_id),
        from_state=entry.from_state or None,
        to_state=entry.to_state or PENDING,
        from_health=entry.from_health,
        to_health=entry.to_health,
        container_id=entry.container_id,
        # the error of a host may name machines and files
        cause=entry.cause if is_of_container else "",
        trigger=entry.trigger,
        exit_code=entry.exit_code,
        oom_killed=entry.oom_killed,
        restarts=entry.restarts,
        container=container,
    )


def _take_a_place() -> None:
    if not PLACES.take():
        raise Refused(Problem.BUSY, "too many wait for changes here: ask again without waiting, or later")


def _wait(feed: Feed, after: str, query: ChangeQuery) -> types.ChangePage:
    """Return what has changed after a cursor, as soon as there is something, or nothing when the wait is over."""
    end = time.monotonic() + query.wait
    while True:
        known = NEWEST.known
        page = _page(feed, after, query.limit)
        left = end - time.monotonic()
        if page.items or left <= 0:
            return page
        NEWEST.wait_for_another(known, left)


def _stream(feed: Feed, after: str) -> HttpResponseBase:
    _page(feed, after, limit=1)
    _take_a_place()
    return stream(Events(_events(feed, after), PLACES.give_back))


def _events(feed: Feed, cursor: str) -> Generator[bytes]:
    """Yield what changes after a cursor, and a bookmark now and then, for some minutes."""
    end = time.monotonic() + STREAM_SECONDS * (0.8 + 0.4 * secrets.randbelow(1000) / 1000)
    bookmark_at = 0.0
    yield b"retry: %d\n\n" % RETRY_MS
    while (now := time.monotonic()) < end:
        known = NEWEST.known
        try:
            page = _page(feed, cursor, MOST_ITEMS)
        except Refused as refused:
            yield event("problem", cursor, details_of(refused.kind, refused.detail))
            return
        except (OperationalError, InterfaceError):
            # whoever comes again is told what is wrong
            return
        let_connections_go()
        cursor = page.cursor
        if page.items:
            yield b"".join(event("change", change.cursor, change) for change in page.items)
            bookmark_at = now + BOOKMARK_SECONDS
        elif now >= bookmark_at:
            yield event("bookmark", cursor, types.Bookmark(cursor, page.as_of))
            bookmark_at = now + BOOKMARK_SECONDS
        else:
            NEWEST.wait_for_another(known, min(bookmark_at, end) - now)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="changes",
        handler=list_changes,
        summary="What has changed after a cursor",
        query=ChangeQuery,
        answer=types.ChangePage,
        can_stream=True,
        problems=(Problem.CURSOR_TOO_OLD, Problem.BUSY),
    ),
)
