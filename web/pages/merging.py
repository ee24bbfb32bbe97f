"""What is wrong and what people are told of, so that one trouble is one line. Pure: reads nothing, and no clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from alerts.models import CONDITION_WORDS, Severity, SubjectKind
from alerts.models import Condition as Wrong
from reconciler import words
from reconciler.levels import Level
from reconciler.models import Trouble
from reconciler.models.trouble import WORST_FIRST
from web.pages.incident import Subject, Tellings, Told, is_obvious, standing
from web.pages.row import Row
from web.pages.things import LOGS, Thing, thing_of_row
from web.pages.verdict import number

BEHIND = len(WORST_FIRST) + 1
"""The place of what is in no trouble now: behind all that is."""
INDEX: Subject = (SubjectKind.INDEX, "")


def told_things_of_rows(rows: Iterable[Row], tellings: Tellings) -> list[Thing]:
    """Return a thing for each row that is in trouble, or that people are told of."""
    found = []
    for row in rows:
        told = tellings.get((SubjectKind.ROW, row.id), ())
        if row.trouble is not None:
            found.append(_told_row(thing_of_row(row), row, told))
        elif standing(told):
            found.append(_calm_row(row, standing(told)))
    return found


def told_things_of_hosts(things: Sequence[Thing], tellings: Tellings, dark: Mapping[str, int]) -> list[Thing]:
    """Return a thing for each host that wants somebody, or that people are told of, and for the index itself.

    `dark` counts the rows of hosts that cannot be seen which people were told of: their host stands for them.
    """
    index = [each for each in tellings.get(INDEX, ()) if each.stands]
    blind = _blind(things, tellings) if any(each.condition is Wrong.BLIND for each in index) else []
    found = [_told_host(thing, tellings, dark) for thing in things if thing not in blind]
    stale = next((n for n, thing in enumerate(found) if thing.is_stale), None)
    no_worker = [each for each in index if each.condition is Wrong.NO_WORKER]
    if stale is not None and no_worker:
        found[stale] = replace(found[stale], told=[*no_worker, *found[stale].told], named=True)
        index = [each for each in index if each not in no_worker]
    known = {thing.host for thing in things}
    calm = [
        _calm_host(name, standing(told))
        for (kind, name), told in tellings.items()
        if kind is SubjectKind.HOST and name not in known and standing(told)
    ]
    return [*(_of_the_index(each, blind) for each in index), *found, *calm]


def _told_row(thing: Thing, row: Row, told: Sequence[Told]) -> Thing:
    is_same = is_obvious(told, row.trouble)
    known = told[0].incident.since if is_same and row.trouble is not Trouble.ORPHAN else None
    return replace(thing, told=told, named=not is_same, since=thing.since or known)


def _told_host(thing: Thing, tellings: Tellings, dark: Mapping[str, int]) -> Thing:
    told = tellings.get((SubjectKind.HOST, thing.host), ()) if thing.host else ()
    is_seen = thing.level is not Level.UNKNOWN
    own = Wrong.HELD if is_seen else Wrong.HOST
    rows = 0 if is_seen else dark.get(thing.host, 0)
    frozen = [f"people were told of {number(rows, 'row')} there, of which nothing is known now"] if rows else []
    named = {each.condition for each in told} != {own}
    return replace(thing, told=told, named=named, facts=[*thing.facts, *frozen])


def _blind(things: Sequence[Thing], tellings: Tellings) -> list[Thing]:
    """Return the hosts that cannot be seen and that nobody is told of by themselves: the index itself stands for them.

    Hosts that nobody looks at are another matter.
    """
    unseen = [thing for thing in things if thing.level is Level.UNKNOWN and not thing.is_stale]
    return [thing for thing in unseen if not standing(tellings.get((SubjectKind.HOST, thing.host), ()))]


def _calm_row(row: Row, told: Sequence[Told]) -> Thing:
    """Return a row that is in no trouble now and that people are told of."""
    lead, has_container = told[0], bool(row.container_id)
    facts = [f"its state: {words.label(row.state)}{f', {row.health}' if row.health else ''}"]
    if row.is_deploying:
        facts.append("it is being deployed")
    return Thing(
        key=f"row:{row.id}",
        host=row.host_id,
        row=row.id,
        sign=words.sign(row.state),
        facts=[*_past(lead), *facts],
        advice=f"On {row.host_id}:" if has_container else "",
        command=LOGS.format(row.container_id[:12]) if has_container else "",
        **_calm(told),
    )


def _calm_host(name: str, told: Sequence[Told]) -> Thing:
    return Thing(key=f"host:{name}", host=name, sign="!", facts=_past(told[0]), **_calm(told))


def _calm(told: Sequence[Told]) -> dict[str, Any]:
    """Return what is the same for everything that is in no trouble now and that people are told of."""
    lead = told[0]
    if not lead.is_firing:
        return {"level": Level.WELL, "place": BEHIND, "says": "seems to be well again", "told": told, "named": True}
    level = Level.DOWN if lead.incident.severity == Severity.PAGE else Level.WARN
    says, since = lead.past_words, lead.incident.since
    return {"level": level, "place": BEHIND, "says": says, "since": since, "told": told, "named": len(told) > 1}


def _past(lead: Told) -> list[str]:
    """Return what else is known of what people are told of: how it ended, and why."""
    incident = lead.incident
    facts = [] if incident.exit_code is None else [words.exit_words(incident.exit_code)]
    return [*facts, incident.cause] if incident.cause and incident.subject_kind is SubjectKind.ROW else facts


def _of_the_index(told: Told, blind: Sequence[Thing]) -> Thing:
    """Return what is wrong with the index itself; `blind` are the hosts that it stands for if it cannot see."""
    blind = blind if told.condition is Wrong.BLIND else ()
    names = ", ".join(thing.host for thing in blind[:5])
    text = CONDITION_WORDS[told.condition]
    seen = f"{number(len(blind), 'host')}: {names}{', …' if len(blind) > 5 else ''}"
    facts = [told.incident.cause] if told.incident.cause else []
    return Thing(
        key=f"index:{told.condition}",
        level=Level.DOWN if told.is_firing else Level.WELL,
        place=-2 if told.is_firing else BEHIND,
        host="",
        says=text[0].upper() + text[1:] if told.is_firing else f"This seems to be over: {text}",
        sign="!",
        since=told.incident.since if told.is_firing else None,
        facts=[seen] if blind else facts,
        command="manage.py status" if told.is_firing else "",
        blinds=sum(thing.blinds for thing in blind),
        told=[told],
    )
