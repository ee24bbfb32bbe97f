"""Lists, page by page: each page says after which key the next one begins, so that none is missed or told twice."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from django.db.models import Model, QuerySet
from msgspec import UNSET, Meta, Struct, UnsetType

from web.api.reading import Text
from web.api.types import MOST_ITEMS

Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item")


Number = Annotated[str, Meta(pattern="^[0-9]{1,18}$", description="What `next` was on the page before.")]
"""After which number the next page of what is numbered begins."""


class PageQuery(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which part of a list is wanted."""

    limit: Annotated[int, Meta(ge=1, le=MOST_ITEMS, description="How many items a page has at most.")] = 100
    after: Annotated[Text, Meta(description="What `next` was on the page before.")] | UnsetType = UNSET


def number_of(key: str) -> int:
    """Return the number that a path names; 0, which nothing has, if it names none."""
    return int(key) if re.fullmatch("[0-9]{1,18}", key) else 0


def part_of(rows: "QuerySet[Row]", query: PageQuery) -> "QuerySet[Row]":
    """Return the rows of a page in the order of their keys, and one more, which tells that there is a next page."""
    if query.after is not UNSET:
        rows = rows.filter(pk__gt=query.after)
    return rows.order_by("pk")[: query.limit + 1]


def cut(found: Sequence[Item], limit: int, key: Callable[[Item], str]) -> tuple[Sequence[Item], str | None]:
    """Return the items of a page, and after which key the next one begins; None if this is the last."""
    items = found[:limit]
    return items, key(items[-1]) if len(found) > limit else None
