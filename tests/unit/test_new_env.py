"""deploy/new-env: it writes the file with the secrets itself, for its owner alone, and never over another."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that holds the script where the project has it."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "new-env", tmp_path / "deploy")
    return tmp_path


def new_env(project: Path) -> subprocess.CompletedProcess[str]:
    """Run the script from another folder, in a shell whose files everybody may read."""
    script = project / "deploy" / "new-env"
    command = ["sh", "-c", f"umask 022; exec sh '{script}'"]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=30, check=False)


def settings(project: Path) -> dict[str, str]:
    """Return what the file sets."""
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", (project / ".env").read_text(), re.MULTILINE))


def test_only_its_owner_can_read_the_file(project: Path) -> None:
    assert new_env(project).returncode == 0
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600


def test_the_file_sets_whatever_compose_asks_for(project: Path) -> None:
    new_env(project)
    asked_for = set(re.findall(r"\${(\w+):?\?", (ROOT / "docker-compose.yml").read_text()))
    assert asked_for <= set(settings(project))


def test_every_secret_is_long_and_another_one_each_time(project: Path) -> None:
    new_env(project)
    first = settings(project)
    (project / ".env").unlink()
    new_env(project)
    secrets = [made[name] for made in (first, settings(project)) for name in first if re.search("KEY|PASSWORD", name)]
    assert len(set(secrets)) == len(secrets) == 6
    assert all(re.fullmatch("[a-zA-Z0-9]{50}", secret) for secret in secrets)


@pytest.mark.parametrize("kind", ["file", "dangling link", "folder"])
def test_what_is_there_already_is_left_as_it_is(project: Path, kind: str) -> None:
    there = project / ".env"
    match kind:
        case "file":
            there.write_text("SECRET_KEY=mine\n")
        case "dangling link":
            there.symlink_to(project / "elsewhere")
        case _:
            there.mkdir()
    done = new_env(project)
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert sorted(path.name for path in project.iterdir()) == [".env", "deploy"]
    assert kind != "file" or there.read_text() == "SECRET_KEY=mine\n"


def test_of_two_runs_at_once_one_is_refused_and_the_file_is_whole(project: Path) -> None:
    script = project / "deploy" / "new-env"
    runs = [subprocess.Popen(["sh", str(script)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in "1234"]
    assert sorted(run.wait(30) for run in runs) == [0, 1, 1, 1]
    assert "DOCKER_GID" in settings(project)
    assert sorted(path.name for path in project.iterdir()) == [".env", "deploy"]
