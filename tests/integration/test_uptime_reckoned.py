"""What the database says of uptime is what a slow and obvious reference says, whatever the history (I16)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler import feed
from reconciler.core.uptime import Step, merged, pieces_of, together
from reconciler.models import (
    Container,
    Host,
    Outage,
    Piece,
    Span,
    Transition,
    Uptime,
    timelines_of_rows,
    timelines_of_workloads,
    uptime_of,
    uptime_of_all_rows,
    uptime_of_rows,
    uptime_of_workload,
)

# a count of lines would cost as much as the tests, and others reach the same lines
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

NOW = timezone.now().replace(microsecond=0)
BEGIN = NOW - timedelta(seconds=4000)
ROWS = {"a": "shop", "b": "shop", "c": "mall"}
HOSTS = ["local", "west"]
MOMENTS = st.integers(-500, 4500)
STATES = st.sampled_from(["running", "running", "stopped", "missing", "moved", "", "odd"])


def after(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


@dataclass
class World:
    """Histories, the rows that are still there, when hosts could not be seen, and when they were seen last."""

    steps: list[tuple[str, Step]]
    there: set[str]
    dark: list[tuple[str, Span]]
    last_success: float

    def write(self) -> None:
        """Put it into the database; each row that is not there has ended."""
        for model in (Transition, Outage, Container, Host):
            model.objects.all().delete()
        Host.objects.bulk_create(Host(name=name, last_success_at=after(self.last_success)) for name in HOSTS)
        Container.objects.bulk_create(Container(id=each, workload_id=ROWS[each]) for each in sorted(self.there))
        feed.append([self._entry(row_id, step) for row_id, step in self.whole()])
        Outage.objects.bulk_create(
            Outage(host_id=host, kind="unreachable", began_at=span.begin, noticed_at=span.end, ended_at=span.end)
            for host, span in self.dark
        )

    def whole(self) -> list[tuple[str, Step]]:
        """Return all steps, in the order of their commits."""
        ends = [(each, Step(after(3900), "local", "gone")) for each in ROWS if each not in self.there]
        return [*self.steps, *ends]

    def shown(self, row_id: str, span: Span) -> list[Piece]:
        """Return what a row showed, by the reference."""
        lasting = [(host, span) for host, span in self.dark if span.begin < span.end]
        blind = {name: [span for host, span in lasting if host == name] for name in HOSTS}
        if self.last_success < 4000 - 90:
            blind = {name: [*spans, Span(after(self.last_success), NOW)] for name, spans in blind.items()}
        steps = [step for each, step in self.whole() if each == row_id]
        return pieces_of(steps, {name: merged(spans) for name, spans in blind.items()}, span)

    @staticmethod
    def _entry(row_id: str, step: Step) -> Transition:
        return Transition(row_id=row_id, workload_id=ROWS[row_id], host_id=step.host, to_state=step.state, at=step.at)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds in which the clocks of some steps were wrong."""
    wrong = st.sampled_from([0, 0, 0, 0, 0, -3000, 3000, 1, -1])
    hosts = st.sampled_from(["local", "local", "local", "west"])
    moments = sorted(draw(st.lists(MOMENTS, max_size=20)))
    steps = [
        (draw(st.sampled_from(sorted(ROWS))), Step(after(moment + draw(wrong)), draw(hosts), draw(STATES)))
        for moment in moments
    ]
    spans = st.tuples(MOMENTS, MOMENTS).map(lambda pair: Span(after(min(pair)), after(max(pair))))
    dark = draw(st.lists(st.tuples(st.sampled_from(HOSTS), spans), max_size=5))
    there = draw(st.sets(st.sampled_from(sorted(ROWS))))
    return World(steps, there, dark, draw(st.sampled_from([100, 3500, 4000])))


def told(found: Uptime) -> tuple[float, float, float]:
    return found.up.total_seconds(), found.down.total_seconds(), found.unknown.total_seconds()


def assert_same(found: Mapping[str, Uptime], expected: Mapping[str, Uptime]) -> None:
    assert set(found) == set(expected)
    for name, uptime in expected.items():
        assert told(found[name]) == pytest.approx(told(uptime), abs=1e-5), name


def assert_covers(pieces: Sequence[Piece], span: Span) -> None:
    """Fail unless the pieces cover the span without a gap or an overlap."""
    moments = [span.begin, *(piece.span.end for piece in pieces)]
    assert [piece.span.begin for piece in pieces] == moments[:-1]
    assert moments[-1] == span.end


any_world = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WHOLE, PART = Span(after(0), after(3600)), Span(after(1200), after(2400))


@any_world
@given(worlds())
def test_the_uptime_of_rows_is_as_the_reference_says(world: World) -> None:
    """I16."""
    world.write()
    with mock.patch("django.utils.timezone.now", return_value=NOW):
        every, some = uptime_of_all_rows(*WHOLE), uptime_of_rows(list(ROWS), *WHOLE)
    expected = {each: uptime_of(world.shown(each, WHOLE), WHOLE) for each in ROWS}
    assert_same(every, expected)
    assert_same(some, expected)


@any_world
@given(worlds())
def test_a_timeline_never_disagrees_with_the_uptime_also_of_a_part_of_it(world: World) -> None:
    """I16."""
    world.write()
    with mock.patch("django.utils.timezone.now", return_value=NOW):
        timelines = timelines_of_rows(list(ROWS), *WHOLE)
        uptime = {span: uptime_of_rows(list(ROWS), *span) for span in (WHOLE, PART)}
    for pieces in timelines.values():
        assert_covers(pieces, WHOLE)
    for span, expected in uptime.items():
        assert_same({each: uptime_of(pieces, span) for each, pieces in timelines.items()}, expected)


@any_world
@given(worlds())
def test_the_uptime_of_workloads_is_as_the_reference_says(world: World) -> None:
    """I16."""
    world.write()
    with mock.patch("django.utils.timezone.now", return_value=NOW):
        timelines = timelines_of_workloads(["shop", "mall"], *WHOLE)
        found = {each: uptime_of_workload(each, *WHOLE) for each in ("shop", "mall")}
    pieces = {each: world.shown(each, WHOLE) for each in ROWS}
    expected = {"shop": together([*pieces["a"], *pieces["b"]]), "mall": together(pieces["c"])}
    assert_same(found, {name: uptime_of(shown, WHOLE) for name, shown in expected.items()})
    for name, shown in timelines.items():
        assert_covers(shown, WHOLE)
        assert told(uptime_of(shown, WHOLE)) == told(found[name])


def test_any_number_of_rows_takes_the_same_number_of_queries(local: Host) -> None:
    """I11."""
    counts = []
    for rows in (1, 50):
        ids = [f"shop:{number}" for number in range(rows)]
        Container.objects.bulk_create(
            (Container(id=each, workload_id=each, state="running") for each in ids), ignore_conflicts=True
        )
        feed.append([Transition(row_id=each, host_id="local", to_state="running", at=BEGIN) for each in ids])
        with CaptureQueriesContext(connection) as queries:
            for reckoned in (
                uptime_of_all_rows(BEGIN, NOW),
                timelines_of_rows(ids, BEGIN, NOW),
                timelines_of_workloads(ids, BEGIN, NOW),
            ):
                assert len(reckoned) == rows
        counts.append(len(queries))
    assert counts[0] == counts[1]
