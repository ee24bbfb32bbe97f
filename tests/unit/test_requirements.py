"""What is installed is pinned with hashes, and no file says from where."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dev.lock import FILES

PROJECT = Path(__file__).parents[2]
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text())
RANGES = {
    "requirements.txt": DECLARED["project"]["dependencies"],
    "requirements-apprise.txt": DECLARED["project"]["optional-dependencies"]["apprise"],
    "requirements-oidc.txt": DECLARED["project"]["optional-dependencies"]["oidc"],
    "requirements-ssh.txt": DECLARED["project"]["optional-dependencies"]["ssh"],
    "requirements-dev.txt": DECLARED["dependency-groups"]["dev"],
}

each_file = pytest.mark.parametrize("name", sorted(FILES))


def entries(name: str) -> list[str]:
    """Return each requirement of a file, with its hashes, as one line."""
    joined = (PROJECT / name).read_text().replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]


def pins(name: str) -> dict[str, Requirement]:
    """Return the requirements of a file by the name of their package."""
    found = [Requirement(entry.partition(" --hash=")[0]) for entry in entries(name)]
    return {canonicalize_name(pin.name): pin for pin in found}


def test_every_file_of_requirements_is_made_by_make_lock() -> None:
    assert {path.name for path in PROJECT.glob("requirements*.txt")} == set(FILES) == set(RANGES)


@each_file
def test_every_package_has_one_version_and_a_hash(name: str) -> None:
    assert [line for line in entries(name) if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


@each_file
def test_a_file_of_requirements_names_no_index_and_no_address(name: str) -> None:
    text = (PROJECT / name).read_text()
    assert re.findall(r"https?://\S+|--\w*index\S*|--find-links\S*|--trusted-host\S*", text) == []


@each_file
def test_the_pins_fit_what_pyproject_asks_for(name: str) -> None:
    pinned = pins(name)
    asked = [Requirement(text) for text in [*RANGES["requirements.txt"], *RANGES[name]]]
    unfit = [each for each in asked if not each.specifier.contains(the_version(pinned[canonicalize_name(each.name)]))]
    assert unfit == []


def the_version(pin: Requirement) -> str:
    """Return the only version that a pin allows."""
    return next(iter(pin.specifier)).version


@each_file
def test_all_files_have_the_same_version_of_what_runs_in_production(name: str) -> None:
    pinned = pins(name)
    everywhere = pins("requirements.txt")
    assert {package: pin.specifier for package, pin in everywhere.items()} == {
        package: pinned[package].specifier for package in everywhere
    }


@pytest.mark.parametrize("installer", ["Dockerfile", "dev/make_venv.py"])
def test_nothing_is_installed_without_its_hash(installer: str) -> None:
    assert "--require-hashes" in (PROJECT / installer).read_text()


def test_the_image_can_take_every_file_that_production_may_want() -> None:
    let_in = (PROJECT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in set(FILES) - {"requirements-dev.txt"}} <= set(let_in)
