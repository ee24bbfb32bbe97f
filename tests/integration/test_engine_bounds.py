"""What a hostile or broken Engine may cost (I19): bytes, memory and time, whatever it sends."""

import itertools
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

import pytest

from reconciler.conf import engine_of
from reconciler.core.events import BadStream, EventReader
from reconciler.core.report import Trigger
from reconciler.engine import Engine
from reconciler.engine.errors import Trouble
from reconciler.engine.wire import connect_one_of
from reconciler.exceptions import EngineUnavailable, NoDetails
from reconciler.models import Container, Host
from reconciler.reconcile import reconcile
from tests.builders import cid
from tests.hostile import VERSION, hostile

MIB = 1 << 20
OK = b"HTTP/1.1 200 OK\r\n"
MAX_PEAK_MIB = 200
TIMEOUT_SECONDS = 20.0
LISTING, INSPECT, INFO, EVENTS = "/containers/json", "/json", "/info", "/events"


def engine_at(url: str, **more: Any) -> Engine:
    return Engine(host="local", url=url, timeout_seconds=TIMEOUT_SECONDS, **more)


def reason_of(engine: Engine) -> str:
    with pytest.raises(EngineUnavailable) as caught:
        engine.listing()
    return caught.value.reason


def endless(head: bytes, piece: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: itertools.chain([head], itertools.repeat(piece))


def whole(body: bytes, status: bytes = b"200 OK", more: bytes = b"") -> Callable[[], Iterable[bytes]]:
    return lambda: [b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (status, len(body), more), body]


# memory

LISTER = """
import pathlib, re, sys, django
django.setup()
from reconciler.engine import Engine
from reconciler.exceptions import EngineUnavailable
try:
    Engine(host="local", url=sys.argv[1], timeout_seconds=20).listing()
    said = "an answer"
except EngineUnavailable as error:
    said = error.reason
# not by getrusage: what this process was before it began to run Python counts there as well
peak_kib = re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]
print(int(peak_kib) >> 10, said)
"""


def gzipped(mib: int) -> Iterator[bytes]:
    """Answer with a list of white space that is as large as that when it is unpacked, piece by piece."""
    yield OK + b"Content-Encoding: gzip\r\n\r\n"
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    yield packer.compress(b"[")
    yield from (packer.compress(b" " * MIB) for _ in range(mib))
    yield packer.flush()


def list_elsewhere(url: str) -> tuple[int, str]:
    """Ask for a listing in a process of its own; return its peak memory in MiB, and what became of it."""
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "tinyforge.settings"}
    command = [sys.executable, "-c", LISTER, url]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    peak, _, said = done.stdout.strip().partition(" ")
    return int(peak), said


TOO_MUCH = "sent a listing of more than 64 MiB, the most that ENGINE_MAX_BODY_MIB allows"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (endless(OK + b"\r\n[", b" " * MIB), TOO_MUCH),
        (endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n" % (MIB, b" " * MIB)), TOO_MUCH),
        (lambda: itertools.chain([OK + b"Content-Length: %d\r\n\r\n[" % 2**30], [b" " * MIB] * 1024), TOO_MUCH),
        (lambda: gzipped(1200), "answered in the encoding gzip"),
    ],
    ids=["endless", "endless-chunks", "1-gib", "gzip-bomb"],
)
def test_memory_stays_below_200_mb_whatever_is_sent_as_a_listing(
    answer: Callable[[], Iterable[bytes]], reason: str
) -> None:
    """I19."""
    with hostile({LISTING: answer}) as daemon:
        peak_mib, said = list_elsewhere(daemon.url)
    assert said.startswith(reason)
    assert peak_mib < MAX_PEAK_MIB


def test_a_host_that_sends_too_much_fails_and_none_of_its_rows_changes(local: Host, settings: Any) -> None:
    """I1, I19."""
    settings.ENGINE_MAX_BODY_MIB = 1
    Container.objects.create(id="shop:web", workload_id="shop", container_id=cid("web"), state="running")
    before = list(Container.objects.values())
    with hostile({LISTING: whole(b"[" + b" " * MIB + b"]")}) as daemon:
        Host.objects.update(url=daemon.url)
        report = reconcile(local, engine_of(Host.objects.get()), trigger=Trigger.MANUAL)
    assert (report.outcome, list(Container.objects.values())) == ("failed", before)
    assert (
        "sent a listing of more than 1 MiB, the most that ENGINE_MAX_BODY_MIB allows" in Host.objects.get().last_error
    )


def test_a_listing_just_below_the_limit_is_read() -> None:
    with hostile({LISTING: whole(b"[" + b" " * (MIB - 1000) + b"]")}) as daemon:
        assert engine_at(daemon.url, max_listing_bytes=MIB).listing().size == 0


# what is not a listing


def test_an_answer_to_version_has_a_smaller_limit() -> None:
    with hostile({"/version": endless(OK + b"\r\n", b" " * MIB)}) as daemon:
        assert reason_of(engine_at(daemon.url)) == "sent more than 1 MiB to say what it is"


def test_an_answer_to_info_has_a_smaller_limit() -> None:
    with (
        hostile({INFO: endless(OK + b"\r\n", b" " * MIB)}) as daemon,
        engine_at(daemon.url).session() as session,
        pytest.raises(EngineUnavailable, match="sent more than 1 MiB to say what it is"),
    ):
        session.identity(TIMEOUT_SECONDS)


def test_an_answer_to_an_inspect_has_a_smaller_limit() -> None:
    with (
        hostile({INSPECT: endless(OK + b"\r\n", b" " * MIB)}) as daemon,
        engine_at(daemon.url).session() as session,
        pytest.raises(NoDetails, match="sent more than 4 MiB for one container"),
    ):
        session.inspect(cid("web"), TIMEOUT_SECONDS)


def test_the_body_of_an_error_has_a_smaller_limit() -> None:
    with hostile({LISTING: endless(b"HTTP/1.1 500 No\r\n\r\n", b"sorry " * 1000)}) as daemon:
        assert reason_of(engine_at(daemon.url)) == "answered HTTP 500, and more than 64 KiB with it"


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd", b"identity", b"x\x1b[31m"])
def test_an_answer_in_any_encoding_is_refused(encoding: bytes) -> None:
    """I19: the index asks for none, and a small body may hold a large one."""
    with hostile({LISTING: whole(b"[]", more=b"Content-Encoding: %s\r\n" % encoding)}) as daemon:
        reason = reason_of(engine_at(daemon.url))
    assert reason.startswith("answered in the encoding ")
    assert reason.isprintable()
    assert b"Accept-Encoding: identity" in daemon.requests[-1]


def test_a_stream_of_events_in_any_encoding_is_refused() -> None:
    """I19."""
    with (
        hostile({EVENTS: lambda: gzipped(1)}) as daemon,
        pytest.raises(EngineUnavailable, match="answered in the encoding gzip"),
    ):
        engine_at(daemon.url).events(TIMEOUT_SECONDS)


# what surrounds a body


def follow(url: str) -> None:
    """Read a stream of events to its end."""
    reader = EventReader()
    with closing(engine_at(url).events(TIMEOUT_SECONDS)) as stream:
        for chunk in stream:
            reader.feed(chunk)


ENDLESS = {
    "1xx": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "1xx-with-headers": endless(b"", b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" * 1000),
    "status-line": endless(b"HTTP/1.1 200 ", b"O" * 10_000),
    "header-line": endless(OK + b"A: ", b"b" * 10_000),
    "headers": endless(OK, b"A: b\r\n" * 1000),
    "chunk-size": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 10_000),
    "chunk-extensions": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;%s\r\n \r\n" % (b"x" * 60_000)),
    "trailers": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n", b"A: b\r\n" * 1000),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_what_surrounds_a_body_counts_as_well(answer: Callable[[], Iterable[bytes]]) -> None:
    """I19."""
    with hostile({LISTING: answer}) as daemon:
        assert reason_of(engine_at(daemon.url, max_listing_bytes=MIB))
        # what the kernel has taken beyond that was never read
        assert daemon.sent_bytes < 16 * MIB


@pytest.mark.parametrize("kind", sorted(ENDLESS.keys() - {"chunk-extensions"}))
def test_what_surrounds_the_events_of_a_stream_counts_as_well(kind: str) -> None:
    """I19: a stream has no end that would bound it. (Extensions are bounded for each chunk.)"""
    with hostile({EVENTS: ENDLESS[kind]}) as daemon, pytest.raises((EngineUnavailable, BadStream)):
        follow(daemon.url)


def test_a_stream_without_an_end_of_line_is_left_after_a_mebibyte() -> None:
    """I19."""
    with (
        hostile({EVENTS: endless(OK + b"\r\n", b"x" * 10_000)}) as daemon,
        pytest.raises(BadStream, match="longer than"),
    ):
        follow(daemon.url)


def test_a_daemons_odd_headers_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What a daemon says reaches no log line unescaped, and none at the daemon's own wish."""
    caplog.set_level(logging.DEBUG, "reconciler")
    with hostile({LISTING: whole(b"[]", more=b"no colon\r\n\x1b[31m: b\r\n")}) as daemon:
        engine_at(daemon.url).listing()
    assert caplog.records == []


# time


def test_all_addresses_of_a_machine_share_the_time_to_connect() -> None:
    """I19."""
    silent = [socket.create_server(("127.0.0.1", 0), backlog=0) for _ in range(3)]
    waiting = []
    for listener in silent:
        for _ in range(2):
            # a queue that is full lets nobody else in
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(listener.getsockname())
    addresses = [(socket.AF_INET, listener.getsockname()) for listener in silent]
    try:
        with pytest.raises(Trouble, match=r"took no connection within 0\.6 s") as caught:
            connect_one_of(addresses, 0.6)
        assert caught.value.stuck
        with socket.create_server(("127.0.0.1", 0)) as sound:
            connect_one_of([*addresses, (socket.AF_INET, sound.getsockname())], 1.2).close()
    finally:
        for each in (*silent, *waiting):
            each.close()


def test_a_session_that_was_refused_too_much_is_asked_again(local: Host) -> None:
    """I12: one answer too large spoils no later one."""
    sound = json.dumps([{"Id": "a", "State": "running"}]).encode()
    answers = iter([whole(b" " * MIB)(), whole(sound)()])
    with hostile({LISTING: lambda: next(answers)}) as daemon:
        engine = engine_at(daemon.url, max_listing_bytes=MIB)
        with engine.session() as session:
            with pytest.raises(EngineUnavailable):
                session.listing()
            assert session.listing().size == 1


def test_no_thread_is_left_behind_by_too_much() -> None:
    before = threading.active_count()
    with hostile({LISTING: endless(OK + b"\r\n", VERSION * 10_000)}) as daemon:
        reason_of(engine_at(daemon.url, max_listing_bytes=MIB))
    assert threading.active_count() == before
