"""What a simulated daemon can do wrong, and when it does it. inflict.py makes it happen on the wire."""

import enum
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


class Failure(enum.Enum):
    """A way to fail."""

    REFUSED = "refused"
    HANG = "hang"
    ERROR = "error"
    TRUNCATED = "truncated"
    TRUNCATED_CHUNKED = "truncated_chunked"
    NOT_JSON = "not_json"
    NOT_A_LIST = "not_a_list"
    DRIP = "drip"
    SLOW = "slow"
    EMPTY = "empty"
    VERSION = "version"
    RANDOM_ERROR = "random_error"
    SILENT = "silent"
    ENDS = "ends"
    GARBAGE = "garbage"
    SKIP = "skip"


# Patterns of paths; the slash on either side of the star keeps listings out of the inspects.
EVERYTHING = "*"
LISTING = "/containers/json"
INSPECTS = "/containers/*/json"
EVENTS = "/events"

DEFAULT_PATHS = {
    Failure.REFUSED: EVERYTHING,
    Failure.SILENT: EVENTS,
    Failure.ENDS: EVENTS,
    Failure.GARBAGE: EVENTS,
    Failure.SKIP: EVENTS,
}
# These act on what a stream carries; the request for the stream itself is answered as usual.
ON_EVENTS = frozenset({Failure.SILENT, Failure.SKIP})


@dataclass(slots=True, kw_only=True)
class Rule:
    """One failure: where it strikes, how often, and its parameters."""

    failure: Failure
    path: str
    times: int | None = None
    status: int = 500
    message: str = "simulated failure"
    body: bytes = b'{"message": "this is no list"}'
    every: float = 0.2
    seconds: float = 1.0
    rate: float = 0.3
    seed: int = 0
    minimum: str = "1.44"
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - a repeatable sequence is wanted

    def strikes(self, path: str) -> bool:
        """Tell whether a request for this path is hit; a random failure draws a number for each request."""
        if not fnmatchcase(path, self.path):
            return False
        return self.failure is not Failure.RANDOM_ERROR or self.dice.random() < self.rate


class Rules:
    """The failures in force, the latest first. Thread-safe."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._held: list[Callable[[], None]] = []
        self.heals = 0
        self._lock = threading.Lock()

    def add(self, rule: Rule) -> None:
        """Let a failure strike from now on."""
        with self._lock:
            self._rules.insert(0, rule)

    def strike(self, path: str) -> Rule | None:
        """Return the failure that hits this request, counting it."""
        return self._take(lambda rule: rule.failure not in ON_EVENTS and rule.strikes(path))

    def refuse(self) -> bool:
        """Tell whether a new connection is refused, counting it."""
        return self._take(lambda rule: rule.failure is Failure.REFUSED and rule.path == EVERYTHING) is not None

    def skip(self) -> bool:
        """Tell whether an event is dropped, counting it."""
        return self._take(lambda rule: rule.failure is Failure.SKIP) is not None

    def silent(self) -> bool:
        """Tell whether streams carry nothing at present."""
        return any(rule.failure is Failure.SILENT for rule in self._rules)

    def hold(self, resume: Callable[[], None]) -> None:
        """Keep a hanging request until the failures are lifted."""
        with self._lock:
            self._held.append(resume)

    def heal(self) -> None:
        """Lift every failure, and answer the requests that hang."""
        with self._lock:
            held, self._held = self._held, []
            self._rules = []
            self.heals += 1
        for resume in held:
            resume()

    def _take(self, hit: Callable[[Rule], bool]) -> Rule | None:
        with self._lock:
            rule = next((rule for rule in self._rules if hit(rule)), None)
            if rule is not None and rule.times is not None:
                rule.times -= 1
                if rule.times <= 0:
                    self._rules = [other for other in self._rules if other is not rule]
            return rule
