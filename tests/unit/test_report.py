"""What a report says of its pass."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.observation import Reason, Skip
from reconciler.core.plan import Change, Kind
from reconciler.core.report import Outcome, Report, Trigger, served
from tests.builders import row

AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def change(kind: Kind, name: str) -> Change:
    return Change(kind, None, row(name, name), False, "a cause")


def report(outcome: Outcome = Outcome.APPLIED, **told: object) -> Report:
    return Report(host="local", trigger=Trigger.EVENT, outcome=outcome, **told)  # type: ignore[arg-type]


def test_a_report_counts_its_changes_by_kind() -> None:
    kinds = [Kind.CREATE, Kind.UPDATE, Kind.UPDATE, Kind.MISSING, Kind.RESTART]
    told = report(changes=tuple(change(kind, f"shop:{number}") for number, kind in enumerate(kinds)))
    assert (told.created, told.updated, told.missing, told.restarted) == (1, 2, 1, 1)


def test_new_details_alone_are_no_change_of_what_is_served() -> None:
    update = change(Kind.UPDATE, "a")
    assert served([change(Kind.DETAIL, "b"), update]) == (update,)


@pytest.mark.parametrize(("event_ms_earlier", "latency_ms"), [(40, 65.0), (-3000, 0.0)])
def test_latency_is_from_the_event_to_the_end_of_the_pass_and_never_negative(
    event_ms_earlier: int, latency_ms: float
) -> None:
    event_at = AT - timedelta(milliseconds=event_ms_earlier)
    told = report(started_at=AT, seconds=0.025, event_at=event_at, changes=(change(Kind.UPDATE, "a"),))
    assert told.latency_ms == latency_ms


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.APPLIED}))
def test_a_pass_that_applied_nothing_has_no_latency(outcome: Outcome) -> None:
    assert report(outcome, started_at=AT, event_at=AT, changes=(change(Kind.UPDATE, "a"),)).latency_ms is None


def test_a_pass_that_answers_no_event_has_no_latency() -> None:
    assert report(started_at=AT, changes=(change(Kind.UPDATE, "a"),)).latency_ms is None


def test_a_look_that_came_too_early_to_show_its_event_has_no_latency() -> None:
    """An Engine may announce an event before its listing shows it; the look that finds the change counts."""
    assert report(started_at=AT, event_at=AT).latency_ms is None


def test_json_leaves_out_nothing_that_a_report_holds() -> None:
    assert {field.name for field in fields(Report)} <= report().as_dict().keys()


def test_a_report_is_one_line_for_the_log() -> None:
    told = report(started_at=AT, seconds=0.5, listed=3, managed=2, unchanged=1, changes=(change(Kind.CREATE, "a"),))
    assert str(told) == (
        "host local: applied, 3 listed, 2 ours: 1 created, 0 updated, 0 missing, 1 unchanged, 0 conflicts, 0 skipped "
        "(event, 0.500000 s from 2026-11-24T06:00:00+00:00)"
    )


def test_what_is_held_is_in_the_line_with_its_reason() -> None:
    assert "9 held (9 of 9 rows would go missing), " in str(report(held=9, hold_reason="9 of 9 rows would go missing"))


def test_a_report_that_has_not_begun_says_no_moment() -> None:
    assert str(report()).endswith(" 0.000000 s from ?)")


def test_moments_changes_and_skips_are_plain_in_json() -> None:
    skip = Skip("c" * 64, "web", Reason.ONE_OFF, "a one-off")
    told = report(started_at=AT, changes=(change(Kind.CREATE, "a"),), skips=(skip,)).as_dict()
    assert (told["started_at"], told["event_at"]) == ("2026-11-24T06:00:00+00:00", None)
    assert told["changes"] == [{"row": "a", "kind": "create", "cause": "a cause"}]
    assert told["skips"] == [{"container_id": "c" * 64, "name": "web", "reason": "one_off", "detail": "a one-off"}]
