"""README and docs/ are true where a program can tell: links, settings, commands, and the width of lines."""

import re
import runpy
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.core.management import BaseCommand, get_commands, load_command_class

from reconciler.core.observation import Reason
from reconciler.core.report import Outcome, Report, Trigger
from reconciler.models import Condition, State
from tinyforge.env import Env

PROJECT = Path(__file__).parents[2]
AT_THE_TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(PROJECT / name for name in AT_THE_TOP), *sorted((PROJECT / "docs").glob("*.md"))]
MAX_CHARS = 120
MAX_README_LINES = 150

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def without_code(page: Path) -> str:
    """Return a page's text without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page)):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            yield target


@each_page
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert list(broken_links(page)) == []


@each_page
def test_prose_is_wrapped(page: Path) -> None:
    lines = without_code(page).splitlines()
    assert [line for line in lines if len(line) > MAX_CHARS and not line.startswith("|")] == []


def test_the_readme_is_short() -> None:
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= MAX_README_LINES


@each_page
def test_every_page_is_linked_from_the_readme(page: Path) -> None:
    readme = PAGES[0].read_text(encoding="utf-8")
    assert page == PAGES[0] or f"]({page.relative_to(PROJECT)})" in readme


class Recorder(Env):
    """Notes which variables the settings read, and what is allowed for numbers."""

    def __init__(self) -> None:
        super().__init__({"DEBUG": "1"})
        self.names: set[str] = set()
        self.numbers: dict[str, tuple[str, str]] = {}

    def text(self, name: str, default: str = "") -> str:
        self.names.add(name)
        return super().text(name, default)

    def number(self, name: str, default: float, *, above: float | None = None, most: float | None = None) -> float:
        allowed = "a number" if above is None or most is None else f"above {above:g}, at most {most:g}"
        self.numbers[name] = (f"{default:g}", allowed)
        return super().number(name, default, above=above, most=most)

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        self.numbers[name] = (str(default), f"{least} to {most}")
        return super().whole(name, default, least=least, most=most)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr("tinyforge.env.Env", lambda: recorder)
    runpy.run_path(str(PROJECT / "tinyforge" / "settings.py"))
    return recorder


def documented_settings() -> dict[str, tuple[str, str]]:
    """Return the default and what is allowed, by name, from the tables of the settings page."""
    page = (PROJECT / "docs" / "settings.md").read_text(encoding="utf-8")
    return {
        name: (default, allowed)
        for name, default, allowed in re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|", page, re.M)
    }


def test_the_settings_page_names_every_setting_and_no_other(read: Recorder) -> None:
    assert set(documented_settings()) == read.names


def test_the_settings_page_tells_the_default_and_the_range_of_every_number(read: Recorder) -> None:
    documented = documented_settings()
    assert {name: documented[name] for name in read.numbers} == read.numbers


COMMANDS = {name: app for name, app in get_commands().items() if (PROJECT / app).is_dir()}


def options(parser: ArgumentParser) -> Iterator[str]:
    """Return the long options of a command and of its acts, and the names of the acts."""
    of_all = {text for action in BaseCommand().create_parser("", "")._actions for text in action.option_strings}
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for act, its_parser in action.choices.items():
                yield act
                yield from options(its_parser)
        yield from (text for text in action.option_strings if text.startswith("--") and text not in of_all)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_commands_page_tells_every_command_and_its_options(name: str) -> None:
    page = (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section
    command: Any = load_command_class(COMMANDS[name], name)
    assert [text for text in options(command.create_parser("manage.py", name)) if text not in section[1]] == []


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("states.md", State.labels),
        ("commands.md", [*Reason, *Outcome, *Condition]),
        ("readers.md", list(Trigger)),
    ],
)
def test_a_page_tells_every_word_of_its_kind(page: str, words: list[str]) -> None:
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    assert [word for word in words if not re.search(rf"[|`] ?{word}[ `]", text)] == []


def test_the_commands_page_shows_every_field_of_a_report() -> None:
    page = (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8")
    shown = re.findall(r'^      "(\w+)":', page, re.MULTILINE)
    assert shown == list(Report(host="local", trigger=Trigger.MANUAL, outcome=Outcome.APPLIED).as_dict())


HOUSE = PROJECT / "reconciler"
FOLDERS_ON_ONE_LINE = ("admin", "management", "migrations", "models")
MODULES = [
    path.relative_to(HOUSE)
    for path in sorted(HOUSE.rglob("*.py"))
    if path.name != "__init__.py" and path.relative_to(HOUSE).parts[0] not in FOLDERS_ON_ONE_LINE
]


WEB = PROJECT / "web"
MODULES_OF_WEB = [
    path.relative_to(WEB)
    for path in sorted(WEB.rglob("*.py"))
    if path.name != "__init__.py" and path.relative_to(WEB).parts[0] not in FOLDERS_ON_ONE_LINE
]


ALERTS = PROJECT / "alerts"
MODULES_OF_ALERTS = [
    path.relative_to(ALERTS)
    for path in sorted(ALERTS.rglob("*.py"))
    if path.name != "__init__.py" and path.relative_to(ALERTS).parts[0] not in FOLDERS_ON_ONE_LINE
]


def test_the_architecture_page_names_every_module_of_the_house() -> None:
    page = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [path for path in [*MODULES, *MODULES_OF_ALERTS, *MODULES_OF_WEB] if f"`{path}`" not in page] == []


@each_page
def test_every_function_that_a_page_names_exists(page: Path) -> None:
    modules = {path.stem: ".".join(("reconciler", *path.with_suffix("").parts)) for path in MODULES}
    named = re.findall(r"`([a-z_]+)\.(\w[\w.]*)(?:\(\))?`", without_code(page))
    named = [(module, name) for module, name in named if module in modules and name != "py"]
    assert [pair for pair in named if not has(import_module(modules[pair[0]]), pair[1])] == []


def has(thing: Any, name: str) -> bool:
    """Tell whether a module holds this name, which may have dots."""
    return all(hasattr(thing, part) and (thing := getattr(thing, part)) for part in name.split("."))
