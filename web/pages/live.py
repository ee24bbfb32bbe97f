"""Pages in parts: served whole to whoever opens one, and part by part, as far as they changed, to whoever follows it.

Many look at the same page, so a rendering is shared for a moment: the longer it took, the longer it is kept. So a page
that is looked at all the time keeps a process busy for a fifth of its time at most, and for a twentieth while changes
come one after the other.
"""

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.levels import Level
from web.newest import newest_entry

KEPT_FACTOR = 5
"""A rendering is kept for so many times the time that it took."""
CROWDED_FACTOR = 4
"""And for so many times that, from the second on of those that were made because of changes without a rest between."""
KEPT_SECONDS = 5.0
"""How long a rendering is kept at most. Nothing need have happened in the feed: rows become unknown as time passes."""
MOST_KEPT = 64
_PASSING = re.compile(r'(<time[^>]*>|<span class="share">)[^<]*|<svg class="timeline".*?</svg>', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a page holds: HTML by the ids of its parts, and what its tab and a screen reader say of it."""

    title: str
    level: Level
    says: str
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A page as of a moment, up to an entry of the feed. Each part has a tag of what it says."""

    content: Content
    as_of: datetime
    position: int
    begun: float
    took: float
    tags: Mapping[str, str]
    in_a_row: int = 0
    """How many renderings in a row, this one included, were made because of changes."""

    @property
    def etag(self) -> str:
        """The tag of the whole page, which says when it was made and names the tags of its parts."""
        tags = {"at": self._moment, **self.tags}
        return f'W/"{",".join(f"{name}:{tag}" for name, tag in tags.items())}"'

    @property
    def _moment(self) -> int:
        return round(self.as_of.timestamp() * 1000)

    def kept_seconds(self) -> float:
        """Return how long it may be shown although something has changed."""
        factor = KEPT_FACTOR * (CROWDED_FACTOR if self.in_a_row > 1 else 1)
        return min(KEPT_SECONDS, factor * self.took)

    def changed_since(self, etag: str) -> dict[str, str]:
        """Return the parts that are others than those that a tag names.

        These are none if the tag is of a newer page, which another process has made: no page goes back in time.
        """
        had = _tags_in(etag)
        moments = [tag.removeprefix("at:") for tag in had if tag.startswith("at:")]
        if any(moment.isdecimal() and int(moment) > self._moment for moment in moments):
            return {}
        return {name: html for name, html in self.content.parts.items() if f"{name}:{self.tags[name]}" not in had}


@dataclass(slots=True)
class _Place:
    lock: threading.Lock = field(default_factory=threading.Lock)
    rendering: Rendering | None = None


class Renderings:
    """The renderings of this process, by what they depend on. What nobody has asked for lately is forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()

    def get(
        self, key: Hashable, at: datetime, make: Callable[[datetime], Content], *, polls: bool = True
    ) -> tuple[Rendering, float]:
        """Return a rendering, and in how many seconds a newer one may be had; 0 if nothing has changed since it.

        Who polls is content with one that is some seconds old, as long as the feed tells nothing new.
        """
        place = self._place(key)
        with place.lock:
            newest = newest_entry()
            kept, in_a_row = place.rendering, 0
            if kept is not None:
                age = time.monotonic() - kept.begun
                if age < (KEPT_SECONDS if polls and kept.position == newest else kept.kept_seconds()):
                    return kept, max(0.05, kept.kept_seconds() - age) if kept.position != newest else 0.0
                in_a_row = kept.in_a_row + 1 if kept.position != newest and age < KEPT_SECONDS else 0
            place.rendering = replace(rendered(newest, at, make), in_a_row=in_a_row)
            return place.rendering, 0.0

    def forget(self) -> None:
        """Forget everything, as tests want it."""
        with self._lock:
            self._places.clear()

    def _place(self, key: Hashable) -> _Place:
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            while len(self._places) > MOST_KEPT:
                self._places.popitem(last=False)
            return place


def rendered(position: int, at: datetime, make: Callable[[datetime], Content]) -> Rendering:
    """Render a page; everything up to this position of the feed is in it."""
    begun = time.monotonic()
    content = make(at)
    return Rendering(
        content=content,
        as_of=at,
        position=position,
        begun=begun,
        took=time.monotonic() - begun,
        tags={name: _tag(html) for name, html in content.parts.items()},
    )


def _tags_in(etag: str) -> set[str]:
    return set(etag.removeprefix("W/").strip('"').split(","))


def _tag(html: str) -> str:
    """Return a tag of what a part says, but for ages and timelines: these change with each second.

    A timeline has its marker beside it, which changes every few minutes.
    """
    return hashlib.sha256(_PASSING.sub(r"\1", html).encode()).hexdigest()[:16]


RENDERINGS = Renderings()
