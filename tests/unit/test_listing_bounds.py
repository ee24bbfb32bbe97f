"""What one answer of an Engine may cost: depth, number of items, and what is kept of a refused one."""

import json
from collections.abc import Callable

import pytest

from reconciler.core.events import BadStream, EventReader
from reconciler.core.inspection import BadInspection, decode_details
from reconciler.core.listing import MAX_CONTAINERS, MAX_SLOW_BYTES, MAX_VALUES, BadListing, decode_listing
from reconciler.core.observation import Reason, read_status
from reconciler.engine.answers import decode_engine_id, decode_version, said
from reconciler.engine.errors import Trouble

# around what a Python of today reads, and far beyond it
DEPTHS = [*range(800, 1_100), 100_000]


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def item(name: str, more: bytes = b"") -> bytes:
    return b'{"Id":"%s","State":"running"%s}' % (name.encode(), more)


@pytest.mark.parametrize("created", [b"1", b'"x"'], ids=["sound", "malformed"])
@pytest.mark.parametrize("text", [b"", b',"Image":"\\ud800"'], ids=["text", "no-text"])
def test_an_item_nested_at_any_depth_is_read_or_refused(created: bytes, text: bytes) -> None:
    """I15, I8: one daemon's answer ends no pass and no watcher."""
    problems: set[str] = set()
    for depth in DEPTHS:
        body = b"[%s]" % item("a", b',"Created":' + created + text + b',"X":' + nested(depth))
        try:
            assert decode_listing(body).size == 1
        except BadListing as error:
            problems.add(str(error).partition(" (it begins")[0])
    assert problems == {"answered with JSON nested too deep to read"}


def test_an_item_that_cannot_be_read_for_its_depth_hides_no_other() -> None:
    """I8."""
    seen: set[tuple[int, int]] = set()
    for depth in DEPTHS:
        try:
            snapshot = decode_listing(b"[%s,%s]" % (item("a", b',"Health":' + nested(depth)), item("b")))
        except BadListing:
            continue
        assert "b" in snapshot.listed_ids
        seen.add((len(snapshot.observations), len(snapshot.refusals)))
    assert (2, 0) in seen


@pytest.mark.parametrize(
    ("decode", "allowed"),
    [
        (lambda value: decode_details(b'{"State":{},"X":%s}' % value), BadInspection),
        (lambda value: decode_version(b'{"ApiVersion":"1.41","X":%s}' % value), Trouble),
        (lambda value: decode_engine_id(b'{"ID":"A","X":%s}' % value), Trouble),
        (lambda value: said(b'{"message":"m","X":%s}' % value), Trouble),
        (lambda value: EventReader().feed(b'{"Action":"die","X":%s}\n' % value), BadStream),
    ],
    ids=["inspect", "version", "info", "error", "event"],
)
def test_any_answer_nested_at_any_depth_is_read_or_refused(
    decode: Callable[[bytes], object], allowed: type[Exception]
) -> None:
    """I15."""
    for depth in DEPTHS:
        try:
            decode(nested(depth))
        except allowed:
            continue


def test_a_listing_of_more_containers_than_are_read_is_refused_with_a_reason() -> None:
    """I19: all of them could become rows."""
    body = b"[%s]" % b",".join(item(f"{number}") for number in range(MAX_CONTAINERS + 1))
    with pytest.raises(BadListing, match="answered with 50,001 containers; the most that are read is 50,000"):
        decode_listing(body)


def test_a_listing_of_as_many_containers_as_are_read_is_read() -> None:
    body = b"[%s]" % b",".join(item(f"{number}") for number in range(MAX_CONTAINERS))
    assert decode_listing(body).size == MAX_CONTAINERS


@pytest.mark.parametrize("value", [b"0", b"{}", b'""', b"[]"])
def test_a_listing_of_more_values_than_are_read_is_refused_with_a_reason(value: bytes) -> None:
    """I19: each of them takes many times the room of its text."""
    with pytest.raises(BadListing, match="answered with a listing of more than 2,000,000 values"):
        decode_listing(b"[%s]" % b",".join([value] * (MAX_VALUES + 2)))


def test_a_large_listing_with_text_that_is_no_unicode_is_refused() -> None:
    """I19: reading it the slow way takes several times its size."""
    sound = b"[%s]" % item("a", b',"Command":"' + b"i" * MAX_SLOW_BYTES + b'"')
    assert decode_listing(sound).size == 1
    with pytest.raises(BadListing, match="not JSON"):
        decode_listing(sound.replace(b"ii", b"\\ud800", 1))


@pytest.mark.parametrize("broken", ['"Created":"x"', '"Ports":[{"PrivatePort":-1}]'])
def test_little_is_kept_of_a_container_that_is_refused(broken: str) -> None:
    """I19: refusals are printed, logged and reported."""
    long = "i" * 100_000
    ports = ",".join(['{"PrivatePort":70000}'] * 10_000)
    body = f'[{{"Id":"{long}","State":"running","Names":["/{long}"],{broken},"X":[{ports}]}}]'
    (skip,) = decode_listing(body.encode()).refusals
    assert skip.reason is Reason.MALFORMED
    assert max(len(skip.container_id), len(skip.name), len(skip.detail)) < 300


def test_ports_out_of_range_are_not_listed_one_by_one() -> None:
    """I19."""
    ports = [{"PrivatePort": 70_000}] * 10_000
    body = json.dumps([{"Id": "a", "State": "running", "Ports": ports}]).encode()
    assert [skip.detail for skip in decode_listing(body).refusals] == ["a port is out of range"]


def test_little_is_kept_of_a_long_name() -> None:
    """I19."""
    body = json.dumps([{"Id": "a", "State": "running", "Names": ["/" + "n" * 10_000]}]).encode()
    (seen,) = decode_listing(body).observations
    assert len(seen.name) < 300


def test_a_long_status_is_not_remembered() -> None:
    """I19: what is read of a status is kept for the next listing."""
    before = read_status.cache_info().currsize
    body = json.dumps([{"Id": "a", "State": "running", "Status": "Up 2 hours" + " " * 10_000 + "(healthy)"}]).encode()
    (seen,) = decode_listing(body).observations
    assert (seen.health, read_status.cache_info().currsize) == ("", before)
