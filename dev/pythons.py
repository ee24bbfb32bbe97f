"""Run the tests that need no Docker on every newer Python of this machine, each in an environment of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from dev.place import PROJECT
from dev.progress import say

NEWEST_MINOR = 20
PROBE_SECONDS = 20
TESTS = ("tests/unit", *(f"tests/integration/test_{name}.py" for name in ("pass", "races", "queries", "command")))


def newer_pythons() -> dict[str, Path]:
    """Return one working interpreter for each version of Python newer than this one."""
    names = [f"python3.{minor}" for minor in range(sys.version_info.minor + 1, NEWEST_MINOR)]
    candidates = [Path(found) for name in names if (found := shutil.which(name))]
    candidates += sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"), reverse=True)
    found_pythons: dict[str, Path] = {}
    for candidate in candidates:
        version = _version(candidate)
        if version in {name.removeprefix("python") for name in names}:
            found_pythons.setdefault(version, candidate)
    return dict(sorted(found_pythons.items(), key=lambda item: int(item[0].split(".")[1])))


def main() -> int:
    """Test on each of them; return how many failed."""
    pythons = newer_pythons()
    if not pythons:
        say("no newer Python here to test on")
    failed = [version for version, python in pythons.items() if not _passes(version, python)]
    if failed:
        say(f"tests failed on Python {', '.join(failed)}")
    return len(failed)


def _passes(version: str, python: Path) -> bool:
    say(f"Python {version}: {python}")
    folder = PROJECT / ".venvs" / version
    if _is_stale(folder):
        made = subprocess.run([python, PROJECT / "dev" / "make_venv.py", folder], cwd=PROJECT, check=False)
        if made.returncode:
            return False
        (folder / ".stamp").touch()
    # Docker, PostgreSQL and the servers have had their tests; a newer Python changes nothing there.
    env = {**os.environ, "TEST_DATABASE": "sqlite"}
    options = ("-x", "-q", "-p", "no:cacheprovider", "--numprocesses=logical")
    command: list[str | Path] = [folder / "bin" / "python", "-m", "pytest", *options, *TESTS]
    return subprocess.run(command, cwd=PROJECT, env=env, check=False).returncode == 0


def _is_stale(folder: Path) -> bool:
    stamp = folder / ".stamp"
    if not stamp.exists():
        return True
    made = stamp.stat().st_mtime
    return any(path.stat().st_mtime > made for path in PROJECT.glob("requirements*.txt"))


def _version(python: Path) -> str:
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    sys.exit(main())
