"""Why something has changed, in words."""

import pytest

from reconciler.core.causes import by_whom


@pytest.mark.parametrize(("by", "words"), [("", ""), ("deployer 3", " by deployer 3"), ("a\0b", " by a\\x00b")])
def test_who_did_something_is_named_behind_it_if_that_is_known(by: str, words: str) -> None:
    assert f"deployed{by_whom(by)}" == f"deployed{words}"
