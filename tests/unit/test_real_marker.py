"""What is marked real runs in CI, or fails."""

import pytest

from tests.conftest import insist_on_real


def skipped(*marks: str) -> pytest.TestReport:
    """Return the report of a test that was skipped before it began."""
    keywords = dict.fromkeys(marks, 1)
    why = ("tests/test_engines.py", 1, "Skipped: no Podman here")
    return pytest.TestReport("test", ("tests/test_engines.py", 1, "test"), keywords, "skipped", why, "setup")


def test_in_ci_a_skip_of_what_is_real_is_a_failure_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    report = insist_on_real(skipped("real"))
    assert report.failed
    assert "no Podman here" in report.longreprtext


@pytest.mark.parametrize(("ci", "marks"), [("", ["real"]), ("true", ["slow"])])
def test_anything_else_may_be_skipped(monkeypatch: pytest.MonkeyPatch, ci: str, marks: list[str]) -> None:
    monkeypatch.setenv("CI", ci)
    assert insist_on_real(skipped(*marks)).skipped
