"""docs/correctness.md has a paragraph for each invariant, and lists exactly the tests that name it."""

import re
from pathlib import Path

import pytest

from dev.correctness_lists import INVARIANTS, PAGE, naming_tests, with_lists

NAMED = naming_tests()
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = {int(number): section for number, section in re.findall(r"^## I(\d+) (.*?)(?=^## )", TEXT, re.M | re.S)}

each_invariant = pytest.mark.parametrize("number", INVARIANTS)


@each_invariant
def test_an_invariant_has_a_promise_a_reason_a_way_and_a_list(number: int) -> None:
    section = SECTIONS[number]
    parts = [section.index(part) for part in ("\n\n", "\n*Why.* ", "\n*How.* ", f">Tests that name I{number}<")]
    assert parts == sorted(parts)


def test_the_lists_are_the_tests_that_name_each_invariant() -> None:
    assert with_lists(TEXT, NAMED) == TEXT, "run `python -m dev.correctness_lists`: it writes the lists anew"


@each_invariant
def test_an_invariant_without_a_test_says_that_it_is_not_built_yet(number: int) -> None:
    assert NAMED[number] or "\n*Not built yet.* " in SECTIONS[number]


def test_a_test_names_an_invariant_by_its_name_its_docstring_or_its_files(tmp_path: Path) -> None:
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / "test_one.py").write_text(
        '"""What I3 says, and I99 does not."""\n'
        "def test_a_name_with_i5_in_it() -> None: ...\n"
        'def test_a_docstring() -> None:\n    """I6, I7: both."""\n'
        'def no_test() -> None:\n    """I8."""\n'
    )
    found = {number: files["unit/test_one.py"] for number, files in naming_tests(tmp_path).items() if files}
    both = ["test_a_name_with_i5_in_it", "test_a_docstring"]
    assert found == {3: both, 5: both[:1], 6: both[1:], 7: both[1:]}
