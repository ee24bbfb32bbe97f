"""Where simulated Engines are served, and how they end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import docker
import pytest
import requests

from dev.place import PROJECT
from simulator import Engine, Server
from tests.integration.simulator.conftest import Watch
from tests.waiting import WAIT_SECONDS, eventually


def connect(url: str) -> socket.socket:
    if url.startswith("tcp"):
        return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=WAIT_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(WAIT_SECONDS)
    connection.connect(url.removeprefix("unix://"))
    return connection


def test_a_client_that_leaves_is_counted_out(url: str, engine: Engine) -> None:
    with requests.get(url.replace("tcp", "http") + "/events", stream=True, timeout=WAIT_SECONDS):
        assert engine.open_streams == 1
    eventually(lambda: engine.open_streams == 0)


def test_a_closed_engine_refuses_and_comes_back_at_its_address(
    server: Server, engine: Engine, url: str, watch: Watch
) -> None:
    events = watch()
    server.close(engine)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        next(events)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    assert server.serve(engine) == url
    assert requests.get(url.replace("tcp", "http") + "/_ping", timeout=WAIT_SECONDS).ok


def test_a_socket_goes_with_its_engine(server: Server, engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    assert server.serve(engine, socket=path) == f"unix://{path}"
    server.close(engine)
    assert not path.exists()
    server.serve(engine)
    assert path.is_socket()


def test_an_engine_is_served_once(server: Server, engine: Engine, url: str) -> None:
    with pytest.raises(ValueError, match="already served"):
        server.serve(engine)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_thousand_engines_answer_from_one_process(tmp_path: Path, kind: str) -> None:
    with Server() as server, contextlib.ExitStack() as open_connections:
        for number in range(1000):
            engine = Engine()
            engine.add(f"web-{number}")
            url = server.serve(engine, socket=tmp_path / f"{number}.sock" if kind == "unix" else None)
            connection = open_connections.enter_context(connect(url))
            connection.sendall(b"GET /containers/json HTTP/1.1\r\n\r\n")
            assert f"/web-{number}".encode() in connection.recv(4096)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    path, ready = tmp_path / "docker.sock", tmp_path / "ready"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "simulator",
        "--socket",
        path,
        "--sample",
        "--containers",
        "8",
        "--ready-file",
        ready,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT) as process:
        assert process.stdout is not None
        assert f"13 containers ready at unix://{path}".encode() in process.stdout.readline()
        eventually(ready.exists)
        with contextlib.closing(docker.APIClient(f"unix://{path}", version="auto")) as client:
            assert len(client.containers(all=True)) == 13
        os.kill(process.pid, number)
        assert process.wait(WAIT_SECONDS) == 0
    assert not path.exists()
