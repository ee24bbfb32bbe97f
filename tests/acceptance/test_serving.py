"""Clients that behave badly keep nobody else waiting."""

import contextlib
import http.client
import json
import socket

import pytest

from dev.index import Processes
from tests.acceptance.site import Web
from tests.waiting import WAIT_SECONDS, within

CLIENTS = 30


@pytest.fixture
def web(processes: Processes) -> Web:
    web = Web(processes)
    web.start()
    return web


@pytest.mark.parametrize("asked", [b"GET /livez HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", b"nonsense\r\n\r\n"])
def test_clients_that_do_not_hang_up_keep_nobody_waiting(web: Web, asked: bytes) -> None:
    """I19: gunicorn would wait for one after the other, for two seconds each, and let nobody in meanwhile."""
    with contextlib.ExitStack() as clients, within(5):
        for _ in range(CLIENTS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", web.port)))
            client.sendall(asked)
        with contextlib.closing(web.connect()) as server:
            server.request("GET", "/livez")
            assert server.getresponse().status == 200


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"GET /api/v1/containers?host=" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 414),
        (b"GET /api/v1/containers HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: " + b"x" * 9_000 + b"\r\n\r\n", 431),
        (b"GET /api/v1/containers HTTP/1.1\r\nHost: 127.0.0.1\r\nA b: c\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_what_the_server_cannot_read_is_refused_in_the_form_of_every_error(web: Web, asked: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=WAIT_SECONDS) as client:
        client.sendall(asked)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        told = json.loads(answer.read())
    assert (answer.status, told["status"]) == (status, status)
    assert (answer.headers["Content-Type"], told["type"]) == ("application/problem+json", "about:blank")
