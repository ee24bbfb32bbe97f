"""An endpoint of the API: what it takes and gives. From endpoints come both the routes and the OpenAPI document."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.contrib.auth.models import AbstractBaseUser
from msgspec import Struct

from web.api.types import Answer
from web.models import Scope, Token
from web.problems import Problem

QueryType = TypeVar("QueryType", bound=Struct)
MOST_KEY_CHARS = 512


class NoQuery(Struct, forbid_unknown_fields=True):
    """The query of an endpoint that takes no parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[QueryType]):
    """A request that may be answered: who asks, when, and for what. `key` is the id or name in the path.

    Who wants events wants a stream of them, from the one with the id `last_event` on if he has had some, for as long as
    he `may_go_on`.
    """

    who: "Token | AbstractBaseUser | None"
    at: datetime
    address: str
    key: str
    query: QueryType
    body: Any = None
    wants_events: bool = False
    last_event: str = ""
    may_go_on: Callable[[], bool] = lambda: True

    @property
    def by(self) -> str:
        """Return who asks, for people to read in the history."""
        return f"token {self.who.name}" if isinstance(self.who, Token) else str(self.who or "")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A method on a path. A scope of None lets everybody in; `problems` are those that not every endpoint has.

    One that can stream answers with events to whoever accepts them.
    """

    method: str
    path: str
    handler: Callable[[Call[Any]], Any]
    summary: str
    answer: Any
    query: type[Struct] = NoQuery
    body: type[Struct] | None = None
    scope: Scope | None = Scope.READ
    status: int = 200
    can_stream: bool = False
    problems: tuple[Problem, ...] = ()

    @cached_property
    def key_name(self) -> str:
        """What the path calls its key; empty if it has none."""
        found = re.search(r"{(\w+)}", self.path)
        return found[1] if found else ""

    @property
    def is_tagged(self) -> bool:
        """Tell whether answers have a tag of their content."""
        return self.method == "GET" and isinstance(self.answer, type) and issubclass(self.answer, Answer)

    def key_in(self, path: str) -> str | None:
        """Return the key that a path holds, empty if the endpoint has none; None if this is not its path."""
        found = self._pattern.fullmatch(path)
        return (found["key"] if self.key_name else "") if found else None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        before, _, after = re.escape(self.path).partition(re.escape(f"{{{self.key_name}}}"))
        # ids come from labels, so they may hold slashes, and names may not; NUL no database can look for
        allowed = r"[^\0]" if self.key_name == "id" else r"[^\0/]"
        key = f"(?P<key>{allowed}{{1,{MOST_KEY_CHARS}}})" if self.key_name else ""
        return re.compile(f"{before}{key}{after}", re.DOTALL)
