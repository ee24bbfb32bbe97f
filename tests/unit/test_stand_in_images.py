"""The root file system of the images that stand in: made once for what is in it, and whole or not at all.

apt-get and mmdebstrap are programs of these tests, found first on PATH, so nothing is downloaded.
"""

import os
from pathlib import Path

import pytest

from dev import stand_in_images
from dev.stand_in_images import root_archive

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root file systems are made by root")
APT_GET = "#!/bin/sh\necho 'http://mirror.invalid/debian bookworm'\n"
MMDEBSTRAP = """\
#!/bin/sh
echo "$2" >> "$CALLS"
echo "$2" > "$4"
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the packages of each root that was made."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("apt-get", APT_GET), ("mmdebstrap", MMDEBSTRAP)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def test_a_root_is_made_once(calls: Path) -> None:
    assert root_archive() == root_archive()
    assert len(calls.read_text().splitlines()) == 1


@pytest.mark.parametrize(("name", "value"), [("PACKAGES", ("nano",)), ("RELEASE", "sid")])
def test_other_packages_or_another_release_make_another_root(
    calls: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    first = root_archive()
    monkeypatch.setattr(stand_in_images, name, value)
    assert root_archive() != first
    assert len(calls.read_text().splitlines()) == 2


def test_what_a_killed_making_has_left_is_cleared_away_by_the_next(calls: Path) -> None:
    archive = root_archive()
    archive.unlink()
    left = archive.parent / f".new-{archive.stem}-x"
    left.mkdir()
    assert root_archive().exists()
    assert not left.exists()
