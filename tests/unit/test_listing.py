"""What a listing's body is made into; one item that cannot be used is one refused container."""

import json

import pytest

from reconciler.core.listing import BadListing, decode_listing
from reconciler.core.observation import Reason
from tests.builders import cid

ID = cid("web")


def body(*items: object) -> bytes:
    return json.dumps(list(items)).encode()


def refused(**item: object) -> str:
    """Return why an item was refused; what it does not say is as it should be."""
    (skip,) = decode_listing(body({"Id": ID, "State": "running"} | item)).refusals
    assert skip.reason is Reason.MALFORMED
    return skip.detail


def test_a_container_that_is_listed_twice_counts_once() -> None:
    item = {"Id": ID, "State": "running"}
    snapshot = decode_listing(body(item, item))
    assert [observation.container_id for observation in snapshot.observations] == [ID]
    assert [skip.reason for skip in snapshot.refusals] == [Reason.DUPLICATE]


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"State": ""}, "empty"),
        ({"Id": ""}, "empty"),
        ({"State": "missing"}, "no daemon may say"),
        ({"Ports": [{"PrivatePort": 65_536}]}, "port is out of range"),
        ({"Image": "x" * 513}, "Image is longer"),
        ({"State": "run\x00ning"}, "State is"),
        ({"Labels": 5}, "Labels"),
    ],
)
def test_an_item_that_cannot_be_used_is_refused_with_a_reason(item: dict[str, object], why: str) -> None:
    assert why in refused(**item)


def test_an_image_that_is_only_odd_to_print_names_the_field() -> None:
    assert refused(Image="a\u202eb").startswith("Image is")


@pytest.mark.parametrize("text", [b'[{"Id": "\xff"', b"\xff", b"["])
def test_what_is_no_json_is_no_listing(text: bytes) -> None:
    with pytest.raises(BadListing, match="not JSON"):
        decode_listing(text)


@pytest.mark.parametrize("text", [b"{}", b'{"a": "\xff"}', b"7", b"NaN"])
def test_what_is_no_list_is_no_listing(text: bytes) -> None:
    with pytest.raises(BadListing, match="not a list"):
        decode_listing(text)


def test_text_that_is_no_unicode_spoils_its_item_alone() -> None:
    text = b'[{"Id": "%b", "State": "running", "Image": "\xff"}, {"Id": "%b", "State": "running"}]'
    snapshot = decode_listing(text % (ID.encode(), cid("db").encode()))
    assert [observation.container_id for observation in snapshot.observations] == [cid("db")]
    assert [skip.container_id for skip in snapshot.refusals] == [ID]


@pytest.mark.parametrize("text", [b"[" * 200_000, b"[NaN, " + b"[" * 100_000])
def test_json_that_is_nested_too_deep_is_no_listing(text: bytes) -> None:
    with pytest.raises(BadListing):
        decode_listing(text)
