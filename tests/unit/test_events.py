"""Which of a daemon's events say *look now*."""

import json
import random

import pytest

from reconciler.core.events import MAX_LINE_BYTES, BadStream, Event, EventReader
from reconciler.watch.stream import BACKOFF_SECONDS, Backoff


def line(action: str, **fields: object) -> bytes:
    return json.dumps({"Type": "container", "Action": action, "timeNano": 5} | fields).encode() + b"\n"


def read(data: bytes) -> list[Event]:
    return EventReader().feed(data)


@pytest.mark.parametrize(
    "action",
    ["create", "start", "restart", "die", "stop", "pause", "unpause", "destroy", "rename", "health_status: unhealthy"],
)
def test_lifecycle_and_health_count(action: str) -> None:
    assert [event.at_ns for event in read(line(action))] == [5]


@pytest.mark.parametrize("action", ["died", "remove"])
def test_podmans_words_count(action: str) -> None:
    assert len(read(line(action, status=action))) == 1


@pytest.mark.parametrize("action", ["die", "died"])
def test_a_death_is_listed_a_moment_after_its_event(action: str) -> None:
    """Docker 20.10: by about 13 ms at the median."""
    (event,) = read(line(action))
    assert 0 < event.listed_after < 0.05


@pytest.mark.parametrize("action", ["start", "stop", "pause", "destroy", "health_status: healthy"])
def test_every_other_event_is_looked_at_at_once(action: str) -> None:
    (event,) = read(line(action))
    assert event.listed_after == 0


@pytest.mark.parametrize(
    "action",
    [
        "exec_create: sh",
        "exec_start: sh",
        "exec_die",
        "attach",
        "detach",
        "top",
        "resize",
        "kill",
        "export",
        "copy",
        "",
    ],
)
def test_no_other_action_of_a_container_counts(action: str) -> None:
    assert read(line(action)) == []


def test_events_of_other_things_than_containers_do_not_count() -> None:
    assert read(line("create", Type="network")) == []


def test_the_reduced_events_of_api_1_52_are_understood() -> None:
    reduced = {
        "Type": "container",
        "Action": "die",
        "Actor": {"ID": "c", "Attributes": {}},
        "scope": "local",
        "time": 7,
    }
    assert read(json.dumps(reduced | {"timeNano": 7_000_000_001}).encode() + b"\n") == [Event("die", 7_000_000_001)]


def test_an_event_without_nanoseconds_has_its_seconds() -> None:
    assert read(b'{"Type":"container","Action":"die","time":7}\n') == [Event("die", 7_000_000_000)]


@pytest.mark.parametrize(
    ("nanoseconds", "at_ns"), [((1 << 62) - 1, (1 << 62) - 1), (1 << 62, None), (0, None), (-1, None)]
)
def test_a_time_that_makes_no_sense_is_none(nanoseconds: int, at_ns: int | None) -> None:
    said = json.dumps({"Type": "container", "Action": "die", "timeNano": nanoseconds}).encode()
    assert read(said + b"\n") == [Event("die", at_ns)]


def test_events_are_found_wherever_the_chunks_are_cut() -> None:
    data = line("start") + b"\r\n" + line("die")
    for cut in range(len(data)):
        reader = EventReader()
        assert [e.action for e in [*reader.feed(data[:cut]), *reader.feed(data[cut:])]] == ["start", "die"]


@pytest.mark.parametrize("garbage", [b"<html>\n", b"\xff\xfe\n", b"[1]\n", b'{"Action": 5}\n', b"[" * 100_000 + b"\n"])
def test_garbage_is_an_error(garbage: bytes) -> None:
    with pytest.raises(BadStream):
        read(garbage)


def test_a_line_that_never_ends_is_an_error() -> None:
    """I19."""
    with pytest.raises(BadStream, match="longer than"):
        read(b"x" * (MAX_LINE_BYTES + 1))


def test_pauses_grow_with_jitter_and_stay_in_their_range() -> None:
    shortest, longest = BACKOFF_SECONDS
    for seed in range(200):
        backoff = Backoff(random.Random(seed))
        pauses = [backoff.after(0.0) for _ in range(12)]
        assert all(shortest <= pause <= longest for pause in pauses)
        assert pauses[0] <= 2


def test_pauses_of_failure_after_failure_grow_long() -> None:
    backoff = Backoff(random.Random(1))
    assert max([backoff.after(0.0) for _ in range(30)][6:]) > 15


def test_a_stream_that_lived_long_begins_the_pauses_anew() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(10):
        backoff.after(0.0)
    assert backoff.after(600.0) <= 2
