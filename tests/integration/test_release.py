"""`make release` makes what can be released, from committed files alone, and tags nothing."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from dev.distribution import archive_problems, metadata_problems, wheel_problems
from dev.release import NAME
from web.version import VERSION

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
RUN_SECONDS = 300.0
WHEEL = f"{NAME}-{VERSION}-py3-none-any.whl"


def run(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, and return what it said."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project as it is committed, released."""
    folder = tmp_path_factory.mktemp("release") / "clone"
    cloned = run("git", "clone", "--quiet", "--depth=1", f"file://{PROJECT}", str(folder), folder=PROJECT)
    assert cloned.returncode == 0, cloned.stderr
    done = run(sys.executable, "-m", "dev.release", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_release_has_a_wheel_an_archive_and_a_list_of_components_for_each_image(clone: Path) -> None:
    lists = [f"{NAME}-{VERSION}{extra}.cdx.json" for extra in ("", "-apprise", "-oidc", "-ssh")]
    assert sorted(path.name for path in (clone / "var" / "release").iterdir()) == sorted(
        [WHEEL, f"{NAME}-{VERSION}.tar.gz", *lists]
    )


def test_a_release_tags_nothing(clone: Path) -> None:
    assert run("git", "tag", folder=clone).stdout == ""


def test_what_is_not_committed_is_not_released(clone: Path) -> None:
    (clone / "web" / "more.py").touch()
    done = run(sys.executable, "-m", "dev.release", folder=clone)
    (clone / "web" / "more.py").unlink()
    assert done.returncode == 1
    assert "not committed" in done.stderr


def test_the_list_of_components_names_every_package_with_version_and_hashes(clone: Path) -> None:
    listed = json.loads((clone / "var" / "release" / f"{NAME}-{VERSION}.cdx.json").read_text())
    parts = {part["name"]: part for part in listed["components"]}
    pins = [line for line in (PROJECT / "requirements.txt").read_text().splitlines() if "==" in line]
    assert listed["bomFormat"] == "CycloneDX"
    assert listed["metadata"]["component"]["version"] == VERSION
    assert {f"{name}=={part['version']}" for name, part in parts.items()} == {pin.split()[0] for pin in pins}
    assert all(part["externalReferences"][0]["hashes"] for part in parts.values())


def test_the_wheel_works_where_there_is_nothing_else_of_the_project(clone: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(clone / "var" / "release" / WHEEL) as wheel:
        wheel.extractall(tmp_path / "site")
    ask = (
        "import django, importlib; django.setup();"
        "from django.core.management import call_command as call; from django.test import Client;"
        "call('migrate', verbosity=0); call('collectstatic', interactive=False, verbosity=0);"
        "print(importlib.import_module('web').__file__, Client().get('/login').status_code)"
    )
    (tmp_path / "static").mkdir()
    where = {"PYTHONPATH": str(tmp_path / "site"), "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    where |= {"STATIC_ROOT": str(tmp_path / "static"), "DJANGO_SETTINGS_MODULE": "tinyforge.settings"}
    where |= {"ALLOWED_HOSTS": "testserver"}
    done = run(sys.executable, "-c", ask, folder=tmp_path, **where)
    assert done.stdout.split() == [str(tmp_path / "site" / "web" / "__init__.py"), "200"], done.stderr
    assert (tmp_path / "static" / "web" / "pages.css").exists()


def test_a_wheel_that_lacks_a_template_or_holds_a_test_is_refused(clone: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(clone / "var" / "release" / WHEEL) as good, zipfile.ZipFile(tmp_path / WHEEL, "w") as bad:
        for name in good.namelist():
            if name != "web/templates/web/base.html":
                bad.writestr(name, good.read(name))
        bad.writestr("tests/test_all.py", "")
    assert wheel_problems(tmp_path / WHEEL, VERSION) == [
        f"{WHEEL} lacks web/templates/web/base.html",
        f"{WHEEL} holds tests/test_all.py, which git does not know",
    ]


def test_an_archive_that_lacks_what_the_image_is_built_from_is_refused(clone: Path, tmp_path: Path) -> None:
    shutil.copytree(clone / "web", tmp_path / "x" / "web", ignore=shutil.ignore_patterns("__pycache__"))
    made = shutil.make_archive(str(tmp_path / "x-1"), "gztar", tmp_path, "x")
    assert any(problem.endswith("lacks Dockerfile") for problem in archive_problems(Path(made)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Metadata-Version: 2.4\nName: other\nVersion: 1.0.0\n", "name is other"),
        ("Metadata-Version: 2.4\nName: x\nVersion: 0.9\n", f"version is 0.9, not {VERSION}"),
        ("Metadata-Version: 2.4\nName: not a name\nVersion: 1\n", "is invalid for 'name'"),
    ],
)
def test_wrong_metadata_is_refused(text: str, problem: str) -> None:
    assert any(problem in found for found in metadata_problems(text.encode(), VERSION))


def test_the_declared_dependencies_are_those_of_the_project(clone: Path) -> None:
    with zipfile.ZipFile(clone / "var" / "release" / WHEEL) as wheel:
        text = wheel.read(f"{NAME}-{VERSION}.dist-info/METADATA").decode()
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert text.count("\nRequires-Dist: ") == len(declared["dependencies"]) + len(declared["optional-dependencies"])
