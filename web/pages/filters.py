"""What the address of a page asks for. Whatever it holds, a page is shown: what is not understood asks for nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from reconciler.models import UNKNOWN, Container, State, Trouble, WorkloadKind
from reconciler.models.container import ContainerQuerySet

MOST_CHARS = 200
MOST_PAGES = 100_000
MOST_DIGITS = 19
STATES = [str(state.label) for state in State if state is not State.GONE] + [UNKNOWN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which rows are wanted; empty: all. `page` begins with 1.

    `workload` and `before` are for changes: those of one workload, and those before one of them; 0: all.
    """

    search: str = ""
    kind: str = ""
    host: str = ""
    workload: str = ""
    state: str = ""
    trouble: str = ""
    page: int = 1
    before: int = 0

    @property
    def is_on(self) -> bool:
        """Tell whether some rows are not wanted."""
        return any((self.search, self.kind, self.host, self.workload, self.state, self.trouble))

    def address(self, **changed: Any) -> str:
        """Return the query of an address that asks for the same, but for what is changed; it begins with page 1."""
        names = ("kind", "host", "workload", "state", "trouble")
        asked = {"q": self.search} | {name: getattr(self, name) for name in names} | changed
        return f"?{urlencode({name: value for name, value in asked.items() if value})}"

    def rows(self, at: datetime) -> ContainerQuerySet:
        """Return the rows that are wanted, the kind aside."""
        rows = Container.objects.all()
        if self.host:
            rows = rows.filter(host=self.host)
        if self.state:
            stored = "" if self.state == State.PENDING.label else self.state
            rows = rows.with_effective_state(at).filter(effective_state=stored)  # type: ignore[misc]
        if self.trouble:
            rows = rows.in_trouble(Trouble(self.trouble), at)
        return rows.search(self.search) if self.search else rows


def read_filters(query: QueryDict) -> Filters:
    """Read what an address asks for."""
    return Filters(
        search=_text(query.get("q", "")),
        kind=_one_of(WorkloadKind.values, query.get("kind", "")),
        host=_text(query.get("host", "")),
        workload=_text(query.get("workload", "")),
        state=_one_of(STATES, query.get("state", "")),
        trouble=_one_of([*Trouble], query.get("trouble", "")),
        page=max(1, min(_number(query.get("page", "")), MOST_PAGES)),
        before=_number(query.get("before", "")),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < MOST_DIGITS else 0


def _text(text: str) -> str:
    # PostgreSQL refuses a NUL
    return text.replace("\0", "").strip()[:MOST_CHARS]


def _one_of(allowed: list[Any], text: str) -> str:
    return text if text in allowed else ""
