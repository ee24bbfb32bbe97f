"""A client that takes nothing of its answer is given up; that is no error of ours, and the log says so in one line."""

import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn

from tinyforge.threads import Threads

ASKED = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def endless(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterator[bytes]:
    """Answer with more than any client takes, and wait a moment for one that takes nothing."""
    environ["gunicorn.socket"].settimeout(0.05)
    start_response("200 OK", [])
    while True:
        yield bytes(1 << 20)


def handled(caplog: pytest.LogCaptureFixture) -> bool:
    """Let a client ask and read nothing; return whether its connection stays."""
    settings = Config()
    worker = Threads(0, 0, [], None, 30, settings, Logger(settings))
    worker.wsgi = endless
    worker.tmp.close()
    worker.log.error_log.addHandler(caplog.handler)
    here, there = socket.socketpair()
    with here, there:
        there.sendall(ASKED)
        there.shutdown(socket.SHUT_WR)
        return bool(worker.handle(TConn(settings, here, ("127.0.0.1", 1), ("127.0.0.1", 2))))


def test_a_follower_that_is_given_up_leaves_one_line_in_the_log_and_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "gunicorn.error"):
        assert handled(caplog) is False
    assert [(record.levelname, bool(record.exc_info)) for record in caplog.records] == [("INFO", False)]
    assert "was given up" in caplog.text
