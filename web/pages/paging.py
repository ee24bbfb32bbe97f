"""A list, page by page, with the addresses of the pages beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

from web.pages.filters import Filters

Item = TypeVar("Item")
ModelType = TypeVar("ModelType", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """A part of a list of `total` items; `first` and `last` number its own, from 1 on."""

    items: Sequence[Item]
    total: int
    first: int
    newer: str
    older: str

    @property
    def last(self) -> int:
        """The number of the last item of this page."""
        return self.first + len(self.items) - 1


def part(rows: "QuerySet[ModelType]", filters: Filters, size: int) -> "tuple[QuerySet[ModelType], int, int]":
    """Return the rows of a page, how many there are in all, and the page's number, at most the last one's."""
    total = rows.count()
    number = max(1, min(filters.page, -(-total // size)))
    return rows[(number - 1) * size : number * size], total, number


def made(items: Sequence[Item], filters: Filters, size: int, place: tuple[int, int]) -> Page[Item]:
    """Return a page; `place` is how many items there are in all, and the number of the page."""
    total, number = place
    return Page(
        items=items,
        total=total,
        first=(number - 1) * size + 1,
        newer=filters.address(page=number - 1) if number > 1 else "",
        older=filters.address(page=number + 1) if number * size < total else "",
    )
