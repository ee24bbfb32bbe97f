"""The page on Engines shows what their tests have shown, and nothing else."""

from pathlib import Path

import pytest

from dev.engine_kinds import KINDS
from dev.engines_page import PAGE, engine_tests, not_shown, read_record, record, with_tables


def test_the_page_has_the_tables_that_its_tests_make() -> None:
    """If this fails, run `make test-real test-sqlite`, and then `python -m dev.engines_page`."""
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page, engine_tests()) == page


def test_a_difference_belongs_to_a_test() -> None:
    assert {name for kind in KINDS for name in kind.differs} <= set(engine_tests())


def test_only_what_passed_when_it_last_ran_on_a_kind_was_shown_there(tmp_path: Path) -> None:
    first, *others = [kind.name for kind in KINDS]
    record("test_a", first, "call", passed=True, folder=tmp_path)
    for passed in (True, False):
        record("test_a", others[0], "call", passed=passed, folder=tmp_path)
    assert not_shown(["test_a"], read_record(tmp_path)) == [f"test_a on {kind}" for kind in others]


@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
def test_what_failed_before_or_after_its_test_was_not_shown_either(tmp_path: Path, phase: str) -> None:
    for passes in ("setup", "call", "teardown"):
        record("test_a", KINDS[0].name, passes, passed=True, folder=tmp_path)
    assert read_record(tmp_path)
    record("test_a", KINDS[0].name, phase, passed=False, folder=tmp_path)
    assert not read_record(tmp_path)


def test_nothing_is_shown_before_the_test_itself_has_passed(tmp_path: Path) -> None:
    record("test_a", KINDS[0].name, "setup", passed=True, folder=tmp_path)
    assert not read_record(tmp_path)


def test_an_engine_that_was_never_tested_is_in_no_table(tmp_path: Path) -> None:
    assert not_shown(["test_a"], read_record(tmp_path)) == [f"test_a on {kind.name}" for kind in KINDS]


def test_every_kind_has_a_column_and_every_difference_a_line() -> None:
    page = "<!-- what was shown -->\n<!-- end -->\n<!-- what differs -->\n<!-- end of what differs -->\n"
    differs = [kind for kind in KINDS if "test_an_engine_that_comes_back_is_the_same_one" in kind.differs]
    written = with_tables(page, ["test_an_engine_that_comes_back_is_the_same_one"])
    lines = [line for line in written.splitlines() if line.startswith("| an engine")]
    assert lines[0].count("|") == 2 + len(KINDS)
    assert lines[0].count("differs") == len(differs)
    assert all(kind.title in lines[1] for kind in differs)
