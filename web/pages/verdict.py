"""The verdict: how everything is, in one sentence. Pure: reads nothing, and no clock."""

from dataclasses import dataclass

from reconciler.levels import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What there is. `wrong` rows are known to be in trouble.

    `things` are these, hosts that want somebody, and what else people are told of. Of what is `over` people are told,
    too, but it seems to be well again.
    """

    hosts: int
    containers: int
    wrong: int
    unknown: int
    waiting: int
    things: int
    over: int = 0

    @property
    def well(self) -> int:
        """How many are as they should be: neither in trouble, nor unknown, nor being deployed."""
        return self.containers - self.wrong - self.unknown - self.waiting


@dataclass(frozen=True, slots=True)
class Verdict:
    """How everything is: a sentence for the page, and few words for the title of its tab."""

    level: Level
    sentence: str
    title: str


def verdict(counts: Counts, worst: Level) -> Verdict:
    """Return the verdict. What is not known is never counted as well."""
    if counts.things:
        want = "1 thing wants you." if counts.things == 1 else f"{counts.things:,} things want you."
        return Verdict(worst, _sentence(want, _over(counts), _known(counts)), f"{counts.things:,} wrong")
    if counts.over:
        return Verdict(Level.WARN, _sentence(_over(counts), _known(counts)), f"{counts.over:,} clearing")
    if counts.unknown:
        return Verdict(Level.UNKNOWN, _known(counts), f"{counts.unknown:,} unknown")
    if not counts.containers:
        return Verdict(Level.WELL, f"No container is known yet on {number(counts.hosts, 'host')}.", "Nothing yet")
    return Verdict(Level.WELL, _all_well(counts), "All well")


def number(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _sentence(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _over(counts: Counts) -> str:
    """Return how much of what people are told of seems to be well again."""
    if not counts.over:
        return ""
    return "1 thing seems to be well again." if counts.over == 1 else f"{counts.over:,} things seem to be well again."


def _all_well(counts: Counts) -> str:
    where = f"on {number(counts.hosts, 'host')}"
    if not counts.waiting:
        one = counts.containers == 1
        what = "The only container" if one else f"All {counts.containers:,} containers"
        return f"{what} {where} {'is as it' if one else 'are as they'} should be."
    return f"{_known(counts)[:-1]} {where}." if counts.well else f"{_known(counts)}"


def _known(counts: Counts) -> str:
    """Return how many are as they should be, are not known, and are being deployed."""
    well, unknown, waiting = counts.well, counts.unknown, counts.waiting
    parts = []
    if well or not (unknown or waiting):
        nouns = "1 container is as it should be" if well == 1 else f"{well:,} containers are as they should be"
        parts.append(nouns)
    if unknown:
        parts.append(f"{unknown:,} {'is' if unknown == 1 else 'are'} not known")
    if waiting:
        parts.append(f"{waiting:,} {'is' if waiting == 1 else 'are'} being deployed")
    return f"{', '.join(parts)}."
