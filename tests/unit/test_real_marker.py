"""What is marked real runs in CI, or fails."""

from typing import Literal

import pytest

from tests.conftest import insist_on_real


def skipped(*marks: str) -> pytest.TestReport:
    """Return the report of a test that was skipped before it began."""
    why = ("tests/test_engines.py", 1, "Skipped: no Podman here")
    keywords: dict[str, Literal[1]] = dict.fromkeys(marks, 1)
    return pytest.TestReport("test", ("tests/test_engines.py", 1, "test"), keywords, "skipped", why, "setup")


@pytest.mark.parametrize(("ci", "marks"), [("", ["real"]), ("true", ["slow"])])
def test_anything_else_may_be_skipped(monkeypatch: pytest.MonkeyPatch, ci: str, marks: list[str]) -> None:
    monkeypatch.setenv("CI", ci)
    assert insist_on_real(skipped(*marks)).skipped
