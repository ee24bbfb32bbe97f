"""What has changed after a cursor: told at once, when there is something, or as a stream."""

import time
from typing import Annotated

from django.http import HttpResponseBase
from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler.models import Feed
from web.api import types
from web.api.change_types import ChangePage
from web.api.endpoint import Call, Endpoint
from web.api.feed import page_after
from web.api.reading import Text
from web.api.streams import follow
from web.newest import NEWEST
from web.places import PLACES
from web.problems import Problem, Refused

LONGEST_WAIT_SECONDS = 30


class ChangeQuery(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which part of the feed is wanted, and for how long to wait for it."""

    after: Annotated[Text, Meta(description="A cursor; without one, only what changes from now on.")] | UnsetType = (
        UNSET
    )
    limit: Annotated[int, Meta(ge=1, le=types.MOST_ITEMS, description="How many changes to tell at most.")] = 100
    wait: Annotated[
        int, Meta(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait for a change, if there is none yet.")
    ] = 0


def list_changes(call: Call[ChangeQuery]) -> ChangePage | HttpResponseBase:
    """Return what has changed after a cursor. Raises Refused."""
    feed = Feed.of_this_database()
    after = feed.newest() if call.query.after is UNSET else call.query.after
    if call.wants_events:
        after = call.last_event or after
        # whoever cannot be told all is refused, and not sent a stream that ends at once
        page_after(feed, after, limit=1)
        _take_a_place()
        return follow(feed, after, call.may_go_on)
    page = page_after(feed, after, call.query.limit)
    if page.items or not call.query.wait:
        return page
    _take_a_place()
    try:
        return _wait(feed, after, call.query)
    finally:
        PLACES.give_back()


def _take_a_place() -> None:
    if not PLACES.take():
        raise Refused(Problem.BUSY, "too many wait for changes here: ask without waiting, or come again later")


def _wait(feed: Feed, after: str, query: ChangeQuery) -> ChangePage:
    """Return what has changed after a cursor as soon as there is something, or nothing when the wait is over."""
    end = time.monotonic() + query.wait
    while True:
        known = NEWEST.known
        page = page_after(feed, after, query.limit)
        left = end - time.monotonic()
        if page.items or left <= 0 or NEWEST.is_ending():
            return page
        NEWEST.wait_for_another(known, left)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="changes",
        handler=list_changes,
        summary="What has changed after a cursor",
        query=ChangeQuery,
        answer=ChangePage,
        can_stream=True,
        problems=(Problem.CURSOR_TOO_OLD, Problem.BUSY),
    ),
)
