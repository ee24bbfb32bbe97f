"""For how long something was up, was down, or was not known (I16), beside what each second shows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.uptime import (
    Piece,
    Span,
    Status,
    Step,
    Uptime,
    cut_to,
    host_pieces,
    merged,
    pieces_of,
    thinned,
    timeline,
    together,
    uptime_of,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECONDS = 40
STATES = ["running", "stopped", "missing", "moved", "gone", "", "odd"]
HOSTS = ["local", "west"]
whole = st.integers(-5, SECONDS + 5)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def span(begin: float, end: float) -> Span:
    return Span(at(begin), at(end))


def told(up: float, down: float, unknown: float) -> Uptime:
    return Uptime(up=timedelta(seconds=up), down=timedelta(seconds=down), unknown=timedelta(seconds=unknown))


def uptime(steps: Sequence[Step], blind: Mapping[str, Sequence[Span]] | None = None) -> Uptime:
    return uptime_of(pieces_of(steps, blind or {}, span(0, SECONDS)), span(0, SECONDS))


RUNS = Step(at(-100), "local", "running")


def test_what_runs_is_up_and_what_does_not_is_down() -> None:
    steps = [RUNS, Step(at(10), "local", "stopped"), Step(at(15), "local", "running"), Step(at(35), "local", "missing")]
    assert uptime(steps) == told(30, 10, 0)


def test_before_the_first_sight_and_after_the_end_nothing_is_known() -> None:
    assert uptime([Step(at(10), "local", "running"), Step(at(30), "local", "gone")]) == told(20, 0, 20)


def test_while_no_container_stands_for_a_row_nothing_is_known() -> None:
    assert uptime([Step(at(-1), "local", ""), Step(at(10), "local", "running"), Step(at(15), "local", "moved")]) == (
        told(5, 0, 35)
    )


def test_without_a_history_nothing_is_known() -> None:
    assert uptime([]) == told(0, 0, SECONDS)


def test_while_its_host_cannot_be_seen_nothing_is_known_of_a_row() -> None:
    steps = [RUNS, Step(at(20), "local", "stopped")]
    blind = {"local": [span(-9, 5), span(10, 25), span(38, 99)], "west": [span(0, 99)]}
    assert uptime(steps, blind) == told(5, 13, 22)


def test_a_restart_between_two_looks_is_no_time_down() -> None:
    assert uptime([RUNS, Step(at(10), "local", "running")]) == told(SECONDS, 0, 0)


def test_one_clock_that_was_wrong_moves_no_step_but_its_own() -> None:
    """I16."""
    steps = [RUNS, Step(at(86_400), "local", "stopped"), Step(at(20), "local", "running")]
    assert uptime(steps) == told(40, 0, 0)


def test_availability_is_of_what_is_known_and_coverage_of_the_span() -> None:
    found = told(30, 10, 40)
    assert (found.availability, found.coverage) == (0.75, 0.5)


def test_of_what_is_not_known_there_is_no_availability() -> None:
    assert (told(0, 0, 9).availability, told(0, 0, 9).coverage) == (None, 0)
    assert told(0, 0, 0).coverage is None


def test_several_rows_are_up_while_one_is_up() -> None:
    rows = [
        Piece(span(0, 10), Status.UP),
        Piece(span(10, 40), Status.DOWN),
        Piece(span(5, 20), Status.UP),
        Piece(span(20, 30), Status.UNKNOWN),
    ]
    assert uptime_of(together(rows), span(0, 40)) == told(20, 10, 10)


def test_of_several_rows_the_state_is_that_of_one_that_decides() -> None:
    rows = [Piece(span(0, 20), Status.DOWN, "stopped"), Piece(span(10, 40), Status.UP, "running")]
    assert together(rows) == [
        Piece(span(0, 10), Status.DOWN, "stopped"),
        Piece(span(10, 20), Status.UP, "running"),
        Piece(span(20, 40), Status.UP, "running"),
    ]


def test_a_timeline_covers_the_span_in_as_few_pieces_as_possible() -> None:
    up, down = Piece(span(10, 20), Status.UP, "running"), Piece(span(30, 35), Status.DOWN, "stopped")
    pieces = [up, Piece(span(20, 30), Status.UP, "running"), down, Piece(span(35, 38), Status.UNKNOWN, "stopped")]
    assert timeline(pieces, span(0, 40)) == [
        Piece(span(0, 10), Status.UNKNOWN),
        Piece(span(10, 30), Status.UP, "running"),
        down,
        Piece(span(35, 38), Status.UNKNOWN, "stopped"),
        Piece(span(38, 40), Status.UNKNOWN),
    ]


def test_a_timeline_of_nothing_is_not_known() -> None:
    assert timeline([], span(0, 40)) == [Piece(span(0, 40), Status.UNKNOWN)]
    assert timeline([], span(0, 0)) == []


def test_a_timeline_with_few_pieces_is_drawn_as_it_is() -> None:
    pieces = [Piece(span(0, 39), Status.UP), Piece(span(39, 40), Status.DOWN)]
    assert thinned(pieces, span(0, 40), 2) == pieces


def test_of_a_timeline_with_many_pieces_the_worst_is_drawn_however_short() -> None:
    pieces = [
        Piece(span(0, 11), Status.UP, "running"),
        Piece(span(11, 12), Status.DOWN, "stopped"),
        Piece(span(12, 20), Status.UP, "running"),
        Piece(span(20, 22), Status.UNKNOWN, "running"),
        Piece(span(22, 40), Status.UP, "running"),
    ]
    assert thinned(pieces, span(0, 40), 4) == [
        Piece(span(0, 10), Status.UP, "running"),
        Piece(span(10, 20), Status.DOWN, "stopped"),
        Piece(span(20, 30), Status.UNKNOWN, "running"),
        Piece(span(30, 40), Status.UP, "running"),
    ]


def test_what_lies_outside_of_a_span_does_not_count() -> None:
    assert uptime_of([Piece(span(-10, 10), Status.UP), Piece(span(10, 60), Status.DOWN)], span(0, 40)) == told(
        10, 30, 0
    )


def test_pieces_are_cut_to_a_part_of_their_span() -> None:
    pieces = [Piece(span(0, 10), Status.UP), Piece(span(10, 20), Status.DOWN), Piece(span(20, 30), Status.UP)]
    assert cut_to(pieces, span(5, 15)) == [Piece(span(5, 10), Status.UP), Piece(span(10, 15), Status.DOWN)]
    assert cut_to(pieces, span(12, 14)) == [Piece(span(12, 14), Status.DOWN)]


def test_of_a_part_without_pieces_nothing_is_shown() -> None:
    assert cut_to([Piece(span(0, 10), Status.UP)], span(20, 30)) == []
    assert cut_to([], span(0, 10)) == []


# any history


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Steps of which one may be by a clock that is wrong, and none of the others."""
    moments = sorted(draw(st.lists(whole, max_size=8)))
    return [Step(at(moment), draw(st.sampled_from(HOSTS)), draw(st.sampled_from(STATES))) for moment in moments]


@st.composite
def blindness(draw: st.DrawFn) -> dict[str, list[Span]]:
    pairs = st.tuples(whole, whole).map(sorted).filter(lambda pair: pair[0] < pair[1])
    spans = st.lists(pairs.map(lambda pair: span(*pair)), max_size=4).map(merged)
    return {host: draw(spans) for host in HOSTS}


def shown(steps: Sequence[Step], blind: Mapping[str, Sequence[Span]], second: int) -> str:
    """Return what a row shows in the middle of a second."""
    now = at(second + 0.5)
    last = [step for step in steps if step.at <= now][-1:]
    if not last or last[0].state in ("", "moved", "gone"):
        return "absent"
    if any(dark.begin <= now < dark.end for dark in blind[last[0].host]):
        return "unknown"
    return "up" if last[0].state == "running" else "down"


def counted(seconds: Sequence[str]) -> Uptime:
    count = Counter(seconds)
    return told(count["up"], count["down"], SECONDS - count["up"] - count["down"])


@given(histories(), blindness())
def test_a_rows_uptime_is_what_each_second_shows(steps: list[Step], blind: dict[str, list[Span]]) -> None:
    """I16."""
    assert uptime(steps, blind) == counted([shown(steps, blind, second) for second in range(SECONDS)])


@given(st.lists(histories(), max_size=4), blindness())
@settings(max_examples=60)
def test_a_workloads_uptime_is_what_each_second_shows_of_its_rows(
    rows: list[list[Step]], blind: dict[str, list[Span]]
) -> None:
    """I16."""

    def of_all(second: int) -> str:
        found = {shown(steps, blind, second) for steps in rows}
        return next((status for status in ("up", "unknown", "down") if status in found), "absent")

    pieces = [piece for steps in rows for piece in pieces_of(steps, blind, span(0, SECONDS))]
    assert uptime_of(together(pieces), span(0, SECONDS)) == counted([of_all(second) for second in range(SECONDS)])


@given(histories(), blindness(), st.integers(1, 9))
def test_a_thinned_timeline_is_bounded_and_covers_the_span(
    steps: list[Step], blind: dict[str, list[Span]], most: int
) -> None:
    """I19."""
    pieces = timeline(pieces_of(steps, blind, span(0, SECONDS)), span(0, SECONDS))
    drawn = thinned(pieces, span(0, SECONDS), most)
    assert len(drawn) <= most
    assert [piece.span.begin for piece in drawn] == [at(0), *(piece.span.end for piece in drawn[:-1])]
    assert drawn[-1].span.end == at(SECONDS)
    downs = [piece.span for piece in drawn if piece.status == Status.DOWN]
    assert all(any(down.within(piece.span) for down in downs) for piece in pieces if piece.status == Status.DOWN)


@given(st.lists(st.tuples(whole, whole).map(sorted), max_size=6))
def test_merged_spans_are_in_order_and_hold_what_they_held(pairs: list[list[int]]) -> None:
    found = merged(span(begin, end) for begin, end in pairs)
    seconds = {second for begin, end in pairs for second in range(begin, end)}
    held = {second for second in range(-9, SECONDS + 9) if any(each.begin <= at(second) < each.end for each in found)}
    assert held == seconds
    assert all(before.end < after.begin for before, after in pairwise(found))


def test_a_host_is_down_while_passes_fail_and_not_known_while_nobody_looks() -> None:
    failing, idle = [span(5, 10), span(8, 12)], [span(11, 15), span(30, 99)]
    shown = host_pieces(span(2, SECONDS), failing, [*failing, *idle])
    assert [(piece.span, piece.status) for piece in shown] == [
        (span(2, 5), Status.UP),
        (span(5, 12), Status.DOWN),
        (span(12, 15), Status.UNKNOWN),
        (span(15, 30), Status.UP),
        (span(30, SECONDS), Status.UNKNOWN),
    ]
