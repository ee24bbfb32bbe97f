"""A database that takes what is sent and never answers: nobody waits for it for ever (I19)."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.db import OperationalError, connection

from soak.proxy import Proxies, Proxy
from tests.waiting import within
from tinyforge.postgres.connection import ANSWER_SECONDS, BoundedConnection

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("postgresql" not in connection.vendor, reason="SQLite has no connection that could break"),
]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy between this test and its database."""
    host, port = connection.settings_dict["HOST"], connection.settings_dict["PORT"] or 5432
    target = Path(unquote(host)) / f".s.PGSQL.{port}" if "/" in host else (host, int(port))
    before = dict(connection.settings_dict)
    connection.close()
    with Proxies() as proxies:
        proxy = proxies.open(target)
        connection.settings_dict.update(HOST="127.0.0.1", PORT=str(proxy.port))
        yield proxy
        connection.close()
        connection.settings_dict.update(before)


def ask() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


def test_a_half_open_connection_is_given_up_and_the_next_one_works(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedConnection, "answer_seconds", 1.0)
    assert ask() == 1
    proxy.swallow()
    with within(2), pytest.raises(OperationalError, match="the server sent nothing for 1 s"):
        ask()
    proxy.heal()
    connection.close_if_unusable_or_obsolete()
    assert ask() == 1


def test_the_server_has_ended_a_statement_that_takes_long_before_its_connection_is_given_up() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting::float / 1000 FROM pg_settings WHERE name = 'statement_timeout'")
        (seconds,) = cursor.fetchone()
    assert 0 < seconds < ANSWER_SECONDS
