"""The disk of the soak leaves nothing behind where it cannot be mounted."""

from pathlib import Path

import pytest

from dev.process import ServiceError
from soak.disk import Disk


def test_a_disk_that_cannot_be_mounted_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mount").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "mount").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    asked: list[Path] = []
    with pytest.raises(ServiceError, match="run it as root"), Disk(asked.append):
        pass
    assert asked
    assert not asked[0].exists()
