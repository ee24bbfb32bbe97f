"""Where `make up` keeps what is its owner's alone."""

from pathlib import Path

import pytest

from dev.place import private_folder
from dev.process import ServiceError


def test_a_folder_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ServiceError, match="is not a folder of ours"):
        private_folder(tmp_path / "link")
