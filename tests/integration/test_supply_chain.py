"""Pins agree with what they are made from, and hashes keep out what is not pinned. Slow tests ask a package index."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dev.lock import FILES, lock

PROJECT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")
RUN_SECONDS = 300.0


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, and return what it said."""
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=RUN_SECONDS, check=False)


@pytest.mark.slow
def test_the_pins_are_what_make_lock_makes(tmp_path: Path) -> None:
    for name in ("pyproject.toml", *FILES):
        shutil.copy(PROJECT / name, tmp_path)
    lock(tmp_path)
    assert [name for name in FILES if (tmp_path / name).read_text() != (PROJECT / name).read_text()] == []


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("python", PYTHONS)
def test_all_that_is_pinned_can_be_had_for_each_python_and_machine(python: str, machine: str, tmp_path: Path) -> None:
    where = ("--dry-run", f"--target={tmp_path}", f"--python-version={python}")
    how = ("--require-hashes", "--only-binary=:all:", f"--python-platform={machine}-manylinux_2_28")
    done = run("-m", "uv", "pip", "install", *where, *how, "--requirement", PROJECT / "requirements-dev.txt")
    assert done.returncode == 0, done.stderr


def test_a_file_that_only_has_a_pinned_packages_name_is_not_installed(tmp_path: Path) -> None:
    pinned = (PROJECT / "requirements.txt").read_text().split("\nvine==")[1].partition("    # via")[0]
    (tmp_path / "requirements.txt").write_text(f"vine=={pinned}")
    with zipfile.ZipFile(tmp_path / "vine-5.1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("vine/__init__.py", "raise SystemExit('not the real one')")
    where = ("--no-index", f"--find-links={tmp_path}", f"--target={tmp_path / 'there'}")
    done = run("-m", "pip", "install", "--require-hashes", *where, "--requirement", tmp_path / "requirements.txt")
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "there").exists()
