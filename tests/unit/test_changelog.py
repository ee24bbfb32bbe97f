"""A release is one version everywhere, and the changelog has a dated entry for it."""

import datetime
import tomllib
from pathlib import Path

import pytest

from dev.release import changelog_problem
from web.version import VERSION

PROJECT = Path(__file__).parents[2]
TODAY = datetime.date(2026, 11, 25)
HEAD = "# Changelog\n\n## [Unreleased]\n\n"


def test_pyproject_and_what_the_index_says_of_itself_are_one_version() -> None:
    assert tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_this_version_has_its_entry_in_the_changelog() -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    assert changelog_problem((PROJECT / "CHANGELOG.md").read_text(), VERSION, today) is None


def test_this_version_has_its_notes_on_how_to_upgrade() -> None:
    assert f"\n## To {VERSION}\n" in (PROJECT / "docs" / "upgrading.md").read_text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (HEAD + "## [1.2.2] - 2026-11-01\n", "has no line"),
        (HEAD + "## [1.2.3]\n", "has no line"),
        (HEAD + "## [1.2.3] - soon\n", "no day"),
        (HEAD + "## [1.2.3] - 2026-02-30\n", "no day"),
        (HEAD + "## [1.2.3] - 2026-11-26\n", "yet to come"),
        (HEAD + "- more\n\n## [1.2.3] - 2026-11-25\n", "below [Unreleased]"),
    ],
)
def test_a_changelog_that_is_not_that_of_the_version_is_refused(text: str, problem: str) -> None:
    assert problem in (changelog_problem(text, "1.2.3", TODAY) or "")


@pytest.mark.parametrize("head", [HEAD, "# Changelog\n\n"])
def test_a_dated_entry_is_enough(head: str) -> None:
    assert changelog_problem(head + "## [1.2.3] - 2026-11-25\n\n- all\n", "1.2.3", TODAY) is None
