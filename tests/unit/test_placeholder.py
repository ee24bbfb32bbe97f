"""What a deployer may say of a row before there is a container."""

from typing import Any

import pytest

from reconciler.core.placeholder import Placeholder, check_container_id, check_placeholder, check_text
from reconciler.exceptions import BadValue
from tests.builders import cid


def placeholder(**columns: Any) -> Placeholder:
    return Placeholder(**({"workload": "shop"} | columns))


def test_what_is_not_given_is_not_written() -> None:
    assert placeholder(role="", npm_proxy_id=0).given() == {
        "workload_id": "shop",
        "host_id": "local",
        "role": "",
        "npm_proxy_id": 0,
    }


@pytest.mark.parametrize(
    ("row_id", "columns"),
    [
        ("shop:web", {}),
        (
            "shop:web",
            {"role": "web", "workload_kind": "project", "image_tag": "1.2", "subdomain": "ä", "npm_proxy_id": 7},
        ),
        ("shop:web@west", {"host": "west"}),
        ("an-instance", {"host": "west"}),
        ("x" * 327, {}),
    ],
)
def test_a_placeholder_can_be_made(row_id: str, columns: dict[str, Any]) -> None:
    check_placeholder(row_id, placeholder(**columns))


@pytest.mark.parametrize(
    ("row_id", "columns", "why"),
    [
        ("", {}, "the row id '' cannot be used: empty"),
        ("x" * 328, {}, "longer than 327 characters"),
        ("shop\nweb", {}, "cannot be printed or stored"),
        ("shop:web@west", {}, "row 'shop:web@west' is on host 'west' by its id, and the placeholder is for 'local'"),
        ("shop:web@local", {}, "is on host 'local' by its id"),
        ("@west", {"host": "west"}, "is on host 'west' by its id"),
        ("shop:web", {"workload": ""}, "length >= 1 - at `$.workload`"),
        ("shop:web", {"workload": "x" * 129}, "length <= 128 - at `$.workload`"),
        ("shop:web", {"host": ""}, "at `$.host`"),
        ("shop:web", {"role": "a\0b"}, r"role 'a\x00b' cannot be used"),
        ("shop:web", {"subdomain": "x" * 256}, "at `$.subdomain`"),
        ("shop:web", {"npm_proxy_id": -1}, "at `$.npm_proxy_id`"),
        ("shop:web", {"npm_proxy_id": 2**31}, "at `$.npm_proxy_id`"),
        ("shop:web", {"image_tag": None}, "at `$.image_tag`"),
    ],
)
def test_a_placeholder_that_cannot_be_used_is_refused(row_id: str, columns: dict[str, Any], why: str) -> None:
    with pytest.raises(BadValue) as error:
        check_placeholder(row_id, placeholder(**columns))
    assert why in str(error.value)


def test_a_container_has_its_whole_id() -> None:
    check_container_id(cid("web"))


@pytest.mark.parametrize("container_id", ["", cid("web")[:12], cid("web").upper().replace("0", "A"), cid("web") + "\n"])
def test_a_part_of_an_id_is_no_container_id(container_id: str) -> None:
    with pytest.raises(BadValue, match="give all its 64 hexadecimal digits"):
        check_container_id(container_id)


def test_a_text_is_there_and_can_be_stored() -> None:
    check_text("the cause", "x", 1)
    for text in ("", "xy", "\0"):
        with pytest.raises(BadValue, match="the cause"):
            check_text("the cause", text, 1)
