"""`python -m dev.engines_page`: write into docs/engines.md what the tests have shown, on which Engine.

The tests of tests/acceptance/engines leave a record of what has passed; `make test-real` runs them on every kind.
"""

import ast
import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from dev.engine_kinds import KINDS, EngineKind
from dev.place import PROJECT, VAR

PAGE = PROJECT / "docs" / "engines.md"
TESTS = PROJECT / "tests" / "acceptance" / "engines"
RECORD = VAR / "engines"
SHOWN, DIFFERS = "shown", "differs"

_TABLE = re.compile(r"(?<=<!-- what was shown -->\n).*?(?=^<!-- end -->$)", re.DOTALL | re.MULTILINE)
_DIFFERENCES = re.compile(
    r"(?<=<!-- what differs -->\n).*?(?=^<!-- end of what differs -->$)", re.DOTALL | re.MULTILINE
)


def engine_tests(folder: Path = TESTS) -> list[str]:
    """Return the names of the tests that run on every kind of Engine, in the order of files and lines."""
    modules = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("test_*.py"))]
    functions = [node for module in modules for node in module.body if isinstance(node, ast.FunctionDef)]
    return [function.name for function in functions if function.name.startswith("test_")]


def not_shown(names: Iterable[str], passed: Collection[tuple[str, str]]) -> list[str]:
    """Return what the record does not show, as `test on kind`."""
    return [f"{name} on {kind.name}" for name in names for kind in KINDS if (name, kind.name) not in passed]


def with_tables(page: str, names: Iterable[str]) -> str:
    """Return the page with new tables: everything there was shown, by the same test on each kind."""
    names = list(names)
    page = _TABLE.sub(lambda _: "\n" + _table(names) + "\n", page)
    return _DIFFERENCES.sub(lambda _: "\n" + _differences(names) + "\n", page)


def record(name: str, kind: str, phase: str, *, passed: bool, folder: Path = RECORD) -> None:
    """Keep whether the last run of a test on a kind of Engine has passed; pytest tells of each of its phases."""
    kept = folder / kind / name
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not passed:
        kept.unlink(missing_ok=True)
    elif phase == "call":
        kept.touch()


def read_record(folder: Path = RECORD) -> set[tuple[str, str]]:
    """Return which tests have passed when they last ran, each with the kind of Engine."""
    return {(path.name, path.parent.name) for path in folder.glob("*/*")}


def _table(names: Iterable[str]) -> str:
    head = ["What holds", *(kind.title for kind in KINDS)]
    rows = [head, ["---"] * len(head), *([_sentence(name), *(_cell(name, kind) for kind in KINDS)] for name in names)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("| --- ", "|---").replace("|--- |", "|---|")


def _differences(names: Iterable[str]) -> str:
    found: dict[tuple[str, str], list[str]] = {}
    for name in names:
        for kind in KINDS:
            if name in kind.differs:
                found.setdefault((name, kind.differs[name]), []).append(kind.title)
    head = "| Where | Engine | What differs |\n|---|---|---|\n"
    return head + "".join(f"| {_sentence(n)} | {', '.join(kinds)} | {what} |\n" for (n, what), kinds in found.items())


def _cell(name: str, kind: EngineKind) -> str:
    return DIFFERS if name in kind.differs else SHOWN


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def main(page: Path = PAGE) -> int:
    """Write the tables, if everything in them was shown; else say what was not."""
    names = engine_tests()
    if missing := not_shown(names, read_record()):
        print("not written, because these have not passed; run `make test-real` and `make test-sqlite`:")
        print("\n".join(missing))
        return 1
    page.write_text(with_tables(page.read_text(encoding="utf-8"), names), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
