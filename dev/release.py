"""Prepares a release in var/release: a source archive, a wheel, and lists of all that is in the image (SBOM).

It publishes nothing and tags nothing: that is for a person to do, who has read what it says.
"""

import datetime
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from dev.distribution import archive_problems, wheel_problems
from dev.lock import FILES
from dev.place import PROJECT, VAR
from dev.process import ServiceError
from dev.progress import say
from web.version import VERSION

FOLDER = VAR / "release"
BUILD_SECONDS = 300.0
NAME = "tinyforge_container_index"
SHIPPED = [name for name in FILES if name != "requirements-dev.txt"]


def changelog_problem(text: str, version: str, today: datetime.date) -> str | None:
    """Return what keeps a changelog from being that of a version, or None."""
    entry = re.search(rf"^## \[{re.escape(version)}\] - (\S+)$", text, re.MULTILINE)
    if entry is None:
        return f"CHANGELOG.md has no line `## [{version}] - YEAR-MONTH-DAY`; write one above what is new"
    try:
        day = datetime.date.fromisoformat(entry[1])
    except ValueError:
        return f"CHANGELOG.md dates {version} with {entry[1]}, which is no day; write it as {today}"
    if day > today:
        return f"CHANGELOG.md dates {version} with {day}, which is yet to come; today is {today}"
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    if unreleased and unreleased[1].strip():
        return f"CHANGELOG.md has lines below [Unreleased]; move them to {version}"
    return None


def build(folder: Path) -> None:
    """Build the source archive, and the wheel out of it, with the pinned tools of this environment."""
    _run([sys.executable, "-m", "build", "--no-isolation", f"--outdir={folder}", str(PROJECT)])


def write_sboms(folder: Path) -> None:
    """Write a list of components, in the format CycloneDX, for each set of packages that an image may have."""
    for name in SHIPPED:
        extra = name.removeprefix("requirements").removesuffix(".txt")
        target = folder / f"{NAME}-{VERSION}{extra}.cdx.json"
        how = (
            "--output-reproducible",
            "--of=JSON",
            f"--output-file={target}",
            f"--pyproject={PROJECT / 'pyproject.toml'}",
        )
        _run([sys.executable, "-m", "cyclonedx_py", "requirements", *how, str(PROJECT / name)])


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the archive and the wheel in a folder."""
    wheel = folder / f"{NAME}-{VERSION}-py3-none-any.whl"
    return wheel_problems(wheel, VERSION) + archive_problems(folder / f"{NAME}-{VERSION}.tar.gz")


def main() -> int:
    """Check and build everything; return 0 if it can be released."""
    if _run(["git", "status", "--porcelain"]).strip():
        raise ServiceError("there are changes that are not committed; commit them first, or put them away")
    today = datetime.datetime.now(datetime.UTC).date()
    if problem := changelog_problem((PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"), VERSION, today):
        raise ServiceError(problem)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    build(FOLDER)
    write_sboms(FOLDER)
    if found := problems(FOLDER):
        raise ServiceError("\n".join(found))
    for path in sorted(FOLDER.iterdir()):
        say(f"{path.relative_to(PROJECT)}  {path.stat().st_size:,} bytes")
    say(f"version {VERSION} can be released; nothing was tagged: git tag --annotate v{VERSION}")
    return 0


def _run(command: list[str]) -> str:
    # The time in archives is that of the commit, so that who builds the same commit gets the same files.
    time = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=PROJECT, capture_output=True, text=True, check=True)
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, "SOURCE_DATE_EPOCH": time.stdout.strip()},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ServiceError(f"`{' '.join(command)}` failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServiceError as error:
        sys.exit(f"==> {error}")
