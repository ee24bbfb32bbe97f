"""Clients that behave badly keep nobody else waiting."""

import contextlib
import socket

import pytest

from dev.index import Processes
from tests.acceptance.site import Web
from tests.waiting import within

CLIENTS = 30


@pytest.mark.parametrize("asked", [b"GET /livez HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", b"nonsense\r\n\r\n"])
def test_clients_that_do_not_hang_up_keep_nobody_waiting(processes: Processes, asked: bytes) -> None:
    """I19: gunicorn would wait for one after the other, for two seconds each, and let nobody in meanwhile."""
    web = Web(processes)
    web.start(workers=1)
    with contextlib.ExitStack() as clients, within(5):
        for _ in range(CLIENTS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", web.port)))
            client.sendall(asked)
        with contextlib.closing(web.connect()) as server:
            server.request("GET", "/livez")
            assert server.getresponse().status == 200
