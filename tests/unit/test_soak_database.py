"""The soak changes settings of its database's server, so that is never a person's own."""

from pathlib import Path

import pytest

from dev.postgres import Postgres
from dev.process import ServiceError


def test_a_server_on_a_disk_of_its_own_is_not_the_one_that_a_person_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_POSTGRES_URL", "postgres://somebody@db.example.org/theirs")
    with pytest.raises(ServiceError, match="was not started"):
        _ = Postgres(tmp_path / "log", parent=tmp_path).url
