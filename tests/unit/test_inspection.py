"""What an inspect says of a container, in our own terms, whatever bytes come."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.inspection import BadInspection, decode_details
from reconciler.core.observation import Details

NEVER = "0001-01-01T00:00:00Z"
STARTED, FINISHED = "2026-11-24T06:00:00.123456789Z", "2026-11-24T07:00:00Z"
RUNNING = {"Running": True, "StartedAt": STARTED, "FinishedAt": NEVER}
EXITED = {"Running": False, "StartedAt": STARTED, "FinishedAt": FINISHED}


def inspected(state: dict[str, Any], **fields: Any) -> Details:
    return decode_details(json.dumps({"Id": "a" * 64, "State": state, **fields}).encode())


def started_at(text: str) -> datetime | None:
    return inspected(RUNNING | {"StartedAt": text}).started_at


def test_a_container_that_runs_has_a_beginning_and_no_end() -> None:
    assert inspected(RUNNING | {"ExitCode": 0}, RestartCount=3) == Details(
        exit_code=None,
        oom_killed=False,
        restart_count=3,
        started_at=datetime(2026, 11, 24, 6, 0, 0, 123456, UTC),
        finished_at=None,
    )


def test_a_container_that_was_killed_says_when_and_how() -> None:
    seen = inspected(EXITED | {"ExitCode": 137, "OOMKilled": True})
    assert (seen.exit_code, seen.oom_killed, seen.finished_at) == (137, True, datetime(2026, 11, 24, 7, tzinfo=UTC))


@pytest.mark.parametrize(
    ("state", "exit_code"),
    [
        (RUNNING | {"ExitCode": 1}, None),
        (RUNNING | {"Paused": True, "ExitCode": 1}, None),
        (RUNNING | {"Restarting": True, "ExitCode": 1}, 1),
        (EXITED | {"Restarting": True, "ExitCode": 1}, 1),
        (EXITED | {"Status": "stopping", "ExitCode": 0}, None),
        (EXITED | {"ExitCode": 0}, 0),
        (EXITED | {"ExitCode": -1}, -1),
        (EXITED, 0),
        ({"Running": False, "StartedAt": NEVER, "FinishedAt": NEVER, "ExitCode": 0}, None),
        ({"Running": False, "ExitCode": 0}, None),
        ({"Running": False, "StartedAt": NEVER, "FinishedAt": NEVER, "ExitCode": 127}, 127),
    ],
)
def test_only_a_container_that_has_ended_has_an_exit_code(state: dict[str, Any], exit_code: int | None) -> None:
    assert inspected(state).exit_code == exit_code


@pytest.mark.parametrize(
    ("said", "health"),
    [({"Status": "unhealthy"}, "unhealthy"), ({"Status": "none"}, ""), ({"Status": "odd"}, ""), ({}, ""), (None, "")],
)
def test_an_inspect_tells_what_the_health_check_found(said: object, health: str) -> None:
    assert inspected(RUNNING | {"Health": said}).health == health


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1969-12-31T23:59:59Z", None),
        ("1970-01-01T00:00:00+01:00", None),
        ("1970-01-01T01:00:00+01:00", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_before_1970_is_none(text: str, moment: datetime | None) -> None:
    assert started_at(text) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T06:00:00Z", datetime(2026, 11, 24, 6, tzinfo=UTC)),
        ("2026-11-24T06:00:00.5Z", datetime(2026, 11, 24, 6, 0, 0, 500_000, UTC)),
        ("2026-11-24T06:00:00.999999999Z", datetime(2026, 11, 24, 6, 0, 0, 999_999, UTC)),
        ("2026-11-24T06:00:00.123456789+05:30", datetime(2026, 11, 24, 0, 30, 0, 123_456, UTC)),
        ("2026-11-24T06:00:00-08:00", datetime(2026, 11, 24, 14, tzinfo=UTC)),
    ],
)
def test_moments_are_read_with_any_decimals_and_offset(text: str, moment: datetime) -> None:
    seen = started_at(text)
    assert seen == moment
    assert seen.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text", ["", None, NEVER, "0000-00-00T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00"]
)
def test_a_zero_time_is_read_as_no_moment(text: str) -> None:
    assert started_at(text) is None


@pytest.mark.parametrize(
    ("state", "fields", "named"),
    [
        (EXITED | {"ExitCode": 2**31}, {}, "State.ExitCode"),
        (EXITED | {"ExitCode": -(2**31)}, {}, "State.ExitCode"),
        (RUNNING, {"RestartCount": 2**31}, "RestartCount"),
        (RUNNING, {"RestartCount": -1}, "RestartCount"),
        (EXITED | {"ExitCode": 10**30}, {}, "ExitCode"),
        (EXITED | {"ExitCode": "1"}, {}, "ExitCode"),
        (RUNNING | {"OOMKilled": "no"}, {}, "OOMKilled"),
        (RUNNING | {"StartedAt": "yesterday"}, {}, "State.StartedAt"),
        (RUNNING | {"StartedAt": "2026-11-24"}, {}, "State.StartedAt"),
        (RUNNING | {"StartedAt": "2026-11-24T06:00:00"}, {}, "State.StartedAt"),
        (RUNNING | {"StartedAt": "2026-02-30T06:00:00Z"}, {}, "State.StartedAt"),
        (RUNNING | {"StartedAt": "9999-12-31T23:00:00-08:00"}, {}, "State.StartedAt"),
        (RUNNING | {"FinishedAt": 0}, {}, "FinishedAt"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(state: dict[str, Any], fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInspection, match=named):
        inspected(state, **fields)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"State": null}',
        b'{"message": "no"}',
        b"\xff",
        b"[" * 9999,
        b'{"x": ' + b"[" * 99_999,
    ],
)
def test_what_is_no_container_is_refused(body: bytes) -> None:
    with pytest.raises(BadInspection, match="unusable"):
        decode_details(body)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([STARTED, NEVER])
STATES = st.dictionaries(
    st.sampled_from(["Running", "Restarting", "OOMKilled", "ExitCode", "StartedAt", "FinishedAt"]), VALUES
)
BODIES = st.binary() | st.builds(
    lambda state, count: json.dumps({"State": state, "RestartCount": count}).encode(), STATES | VALUES, VALUES
)


@given(BODIES)
def test_any_bytes_are_details_that_can_be_stored_or_a_refusal(body: bytes) -> None:
    try:
        seen = decode_details(body)
    except BadInspection:
        return
    assert 0 <= seen.restart_count < 2**31
    assert seen.exit_code is None or -(2**31) < seen.exit_code < 2**31
    assert all(moment is None or moment.year >= 1970 for moment in (seen.started_at, seen.finished_at))
