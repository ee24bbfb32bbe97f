"""What must be in a wheel and in a source archive, and what must not."""

import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

from packaging.metadata import InvalidMetadata, Metadata
from packaging.requirements import Requirement

from dev.place import PROJECT

PACKAGES = ("alerts", "reconciler", "tinyforge", "web")
NOT_SHIPPED = ("bench", "dev", "simulator", "tests", "var", ".venv")
IN_ARCHIVE = (
    "CHANGELOG.md",
    "Dockerfile",
    "README.md",
    "SECURITY.md",
    "docker-compose.yml",
    "manage.py",
    "requirements.txt",
)


def wheel_problems(wheel: Path, version: str) -> list[str]:
    """Return what is wrong with a wheel: its files are those of the packages that git knows, and no others."""
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        inside = {name for name in names if ".dist-info/" not in name}
        (metadata,) = (opened.read(name) for name in names if name.endswith(".dist-info/METADATA"))
    known = _known_to_git()
    found = [f"{wheel.name} lacks {name}" for name in sorted(known - inside)]
    found += [f"{wheel.name} holds {name}, which git does not know" for name in sorted(inside - known)]
    return found + [f"{wheel.name}: {problem}" for problem in metadata_problems(metadata, version)]


def metadata_problems(text: bytes, version: str) -> list[str]:
    """Return what is wrong with the metadata of a wheel: with its form, or with what it says."""
    try:
        metadata = Metadata.from_email(text)
    except ExceptionGroup as invalid:
        return [str(error) for error in invalid.exceptions if isinstance(error, InvalidMetadata)]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = {
        "version": (str(metadata.version), version),
        "name": (metadata.name, project["name"]),
        "requires-python": (str(metadata.requires_python), project["requires-python"]),
        "extras": (set(metadata.provides_extra or ()), set(project["optional-dependencies"])),
        "dependencies": (
            {str(each) for each in metadata.requires_dist or () if "extra ==" not in str(each)},
            {str(Requirement(each)) for each in project["dependencies"]},
        ),
        "description": (metadata.description, (PROJECT / project["readme"]).read_text(encoding="utf-8")),
    }
    return [
        f"{field} is {is_now}, not {should_be}" for field, (is_now, should_be) in said.items() if is_now != should_be
    ]


def archive_problems(archive: Path) -> list[str]:
    """Return what is wrong with a source archive: it has what the image is built from, and nothing of the tests."""
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    found = [f"{archive.name} lacks {name}" for name in sorted(_known_to_git() | set(IN_ARCHIVE)) if name not in names]
    wrong = sorted(name for name in names if name.partition("/")[0] in NOT_SHIPPED)
    return found + [f"{archive.name} holds {name}" for name in wrong]


def _known_to_git() -> set[str]:
    command = ["git", "ls-files", "-z", *PACKAGES]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.split("\0") if name}
