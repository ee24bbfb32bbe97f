"""`python -m dev.correctness_lists`: write the tests that name each invariant into docs/correctness.md.

A test names an invariant in its name, in its docstring, or in the docstring of its module.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from dev.place import PROJECT

PAGE = PROJECT / "docs" / "correctness.md"
TESTS = PROJECT / "tests"
INVARIANTS = range(1, 21)

Named = dict[int, dict[str, list[str]]]
"""By invariant, then by file: the names of tests."""

_IN_TEXT = re.compile(r"\bI(\d{1,2})\b")
_IN_A_NAME = re.compile(r"_i(\d{1,2})(?=_|$)")
_LIST = re.compile(r"(?<=<summary>Tests that name I)(\d+)(</summary>\n).*?(?=^</details>$)", re.DOTALL | re.MULTILINE)


def naming_tests(folder: Path = TESTS) -> Named:
    """Return the tests that name each invariant, in the order of files and lines."""
    found: Named = {number: defaultdict(list) for number in INVARIANTS}
    for path in sorted(folder.rglob("test_*.py")):
        for name, numbers in _tests_of(ast.parse(path.read_text(encoding="utf-8"))):
            for number in numbers:
                found[number][path.relative_to(folder).as_posix()].append(name)
    return found


def with_lists(page: str, named: Named) -> str:
    """Return the page with a new list of tests for each invariant."""
    return _LIST.sub(lambda match: f"{match[1]}{match[2]}{_as_list(named.get(int(match[1]), {}))}", page)


def _tests_of(module: ast.Module) -> Iterator[tuple[str, set[int]]]:
    of_all = _numbers(_IN_TEXT, ast.get_docstring(module))
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            own = _numbers(_IN_TEXT, ast.get_docstring(node)) | _numbers(_IN_A_NAME, node.name)
            yield node.name, own | of_all


def _numbers(pattern: re.Pattern[str], text: str | None) -> set[int]:
    return {int(number) for number in pattern.findall(text or "") if int(number) in INVARIANTS}


def _as_list(files: dict[str, list[str]]) -> str:
    lines = [line for file, names in files.items() for line in (f"- `{file}`", *(f"  - `{name}`" for name in names))]
    return "\n" + "".join(f"{line}\n" for line in lines or ["None yet."]) + "\n"


def main(page: Path = PAGE) -> None:
    """Write the lists."""
    page.write_text(with_lists(page.read_text(encoding="utf-8"), naming_tests()), encoding="utf-8")


if __name__ == "__main__":
    main()
