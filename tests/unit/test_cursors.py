"""The text of a cursor (I16)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.cursors import Cursor, decode, encode
from reconciler.exceptions import BadCursor

NUMBERS = st.integers(min_value=0, max_value=2**63 - 1)
GOOD = encode(Cursor(7, 42))


@given(NUMBERS, NUMBERS)
def test_a_cursor_survives_its_text(epoch: int, position: int) -> None:
    assert decode(encode(Cursor(epoch, position))) == Cursor(epoch, position)


def test_a_cursor_can_stand_in_a_url() -> None:
    text = encode(Cursor(2**63 - 1, 2**63 - 1))
    assert text.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "text",
    ["", "0", "42", GOOD[:-1], GOOD + "A", GOOD + "=", " " + GOOD[1:], "é" * 23, "A" * 23, "_" * 23, "\0" * 23],
)
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        decode(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadCursor):
        assert encode(decode(text)) == text
