"""What an upgrade starts from: the commit before the present one, where a clone holds it."""

import subprocess
from pathlib import Path

import pytest

from dev import compose
from dev.compose import ComposeEngine, ComposeSite, previous_commit
from dev.process import ServiceError

SOMEBODY = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *SOMEBODY, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two commits, taken for this one."""
    made = tmp_path / "project"
    made.mkdir()
    git(made, "init", "--quiet")
    for text in ("old", "new"):
        (made / "manage.py").write_text(text)
        (made / ".dockerignore").write_text("*\n!manage.py\n")
        git(made, "add", ".")
        git(made, "commit", "--quiet", "--message", text)
    monkeypatch.setattr(compose, "PROJECT", made)
    return made


def test_a_clone_with_its_history_has_a_commit_before(project: Path) -> None:
    assert previous_commit() == git(project, "rev-parse", "HEAD~1")


def test_a_shallow_clone_has_none(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{project}", "shallow")
    monkeypatch.setattr(compose, "PROJECT", tmp_path / "shallow")
    assert previous_commit() is None


def test_where_git_cannot_tell_it_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "PROJECT", tmp_path)
    with pytest.raises(ServiceError, match="not a git repository"):
        previous_commit()


def test_a_site_has_the_files_of_a_commit(project: Path, tmp_path: Path) -> None:
    site = ComposeSite(tmp_path / "site", ComposeEngine(tmp_path / "engine"))
    site.fetch(previous_commit())
    assert (site.folder / "manage.py").read_text() == "old"
    site.fetch(git(project, "rev-parse", "HEAD"))
    assert (site.folder / "manage.py").read_text() == "new"


def test_a_commit_that_is_not_there_is_told(project: Path, tmp_path: Path) -> None:
    site = ComposeSite(tmp_path / "site", ComposeEngine(tmp_path / "engine"))
    with pytest.raises(ServiceError, match="no-such-commit"):
        site.fetch("no-such-commit")
