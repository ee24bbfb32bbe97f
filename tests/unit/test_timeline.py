"""Timelines show what was up, down and not known, and their figures never claim more than is true."""

import re
from datetime import timedelta

import pytest

from reconciler.models import Piece, Span, Status
from tests.pages import AT
from web.pages.timeline import Drawn, drawn, last, percent

DAY = last("24 hours", AT)


def piece(begin_hours_ago: float, end_hours_ago: float, status: Status) -> Piece:
    return Piece(Span(AT - timedelta(hours=begin_hours_ago), AT - timedelta(hours=end_hours_ago)), status)


def shapes(shown: Drawn) -> list[tuple[str, float, float]]:
    """Return what is drawn, from where on, and how wide."""
    found = re.findall(r'<rect class="tl-(up|down|unknown)" x="([\d.]+)" y="\d+" width="([\d.]+)"', shown.svg)
    return [(css, float(x), float(width)) for css, x, width in found]


def test_each_piece_is_drawn_as_wide_as_it_lasted() -> None:
    shown = drawn("24 hours", [piece(24, 12, Status.UP), piece(12, 6, Status.DOWN), piece(6, 0, Status.UNKNOWN)], DAY)
    assert shapes(shown) == [("up", 0, 120), ("down", 120, 60), ("unknown", 180, 60)]
    assert (shown.available, shown.known) == ("66.67 %", "75 %")


def test_what_is_not_known_is_hatched() -> None:
    assert 'fill="url(#hatch)"' in drawn("24 hours", [piece(24, 0, Status.UNKNOWN)], DAY).svg


def test_what_was_down_for_a_moment_can_be_seen() -> None:
    blink = [piece(24, 12, Status.UP), piece(12, 11.999, Status.DOWN), piece(11.999, 0, Status.UP)]
    assert ("down", 120, 1.5) in shapes(drawn("24 hours", blink, DAY))


def test_what_is_down_since_a_moment_ago_can_be_seen() -> None:
    now = [piece(24, 0.001, Status.UP), piece(0.001, 0, Status.DOWN)]
    assert ("down", 238.5, 1.5) in shapes(drawn("24 hours", now, DAY))


def test_a_timeline_is_drawn_anew_when_something_new_begins() -> None:
    before = drawn("24 hours", [piece(24, 0, Status.UP)], DAY).marker
    after = drawn("24 hours", [piece(24, 1, Status.UP), piece(1, 0, Status.DOWN)], DAY).marker
    assert before != after


def test_pieces_outside_of_the_span_do_not_count() -> None:
    shown = drawn("24 hours", [piece(99, 24, Status.DOWN), piece(24, 0, Status.UP)], DAY)
    assert (shapes(shown), shown.available) == ([("up", 0, 240)], "100 %")


def test_deploys_within_the_span_are_marked() -> None:
    deploys = [AT - timedelta(hours=6), AT - timedelta(hours=30)]
    shown = drawn("24 hours", [piece(24, 0, Status.UP)], DAY, deploys)
    assert re.findall(r'<path class="tl-deploy" d="(.*?)"', shown.svg) == ["M180.00 0v22"]


def test_a_timeline_says_in_words_what_it_shows() -> None:
    shown = drawn("24 hours", [piece(24, 12, Status.UP), piece(12, 6, Status.DOWN), piece(6, 0, Status.UP)], DAY)
    assert 'aria-label="last 24 hours: available 75 %, down 1 time"' in shown.svg


def test_of_what_is_not_known_no_availability_is_told() -> None:
    shown = drawn("24 hours", [piece(24, 0, Status.UNKNOWN)], DAY)
    assert (shown.available, shown.known) == ("—", "0 %")
    assert "nothing is known" in shown.svg


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100 %"), (0.999999, "99.99 %"), (0.0, "0 %"), (0.0000001, "0.01 %"), (0.9791, "97.91 %"), (0.5, "50 %")],
)
def test_what_is_not_quite_all_is_not_rounded_up_to_all(share: float, text: str) -> None:
    assert percent(share) == text
