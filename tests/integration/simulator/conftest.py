"""A simulated Engine, and those who ask it."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
import requests

from simulator import Engine, Server
from tests.waiting import WAIT_SECONDS

LISTING = "/containers/json?all=1"


Get = Callable[..., requests.Response]
Events = Iterator[dict[str, Any]]
Watch = Callable[..., Events]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def url(server: Server, engine: Engine) -> str:
    return server.serve(engine)


@pytest.fixture
def get(url: str) -> Iterator[Get]:
    with requests.Session() as session:
        yield lambda path, timeout=WAIT_SECONDS: session.get(url.replace("tcp", "http") + path, timeout=timeout)


@pytest.fixture
def client(url: str) -> Iterator[docker.APIClient]:
    with contextlib.closing(docker.APIClient(url, version="auto", timeout=int(WAIT_SECONDS))) as client:
        yield client


@pytest.fixture
def watch(url: str, engine: Engine) -> Iterator[Watch]:
    """Yield the decoded events of a stream until it ends."""
    with requests.Session() as session:

        def open_stream(**filters: list[str]) -> Events:
            answer = session.get(
                url.replace("tcp", "http") + "/events",
                params={"filters": json.dumps(filters)} if filters else {},
                stream=True,
                timeout=WAIT_SECONDS,
            )
            return (json.loads(line) for line in answer.iter_lines(chunk_size=None))

        yield open_stream
        engine.drop_streams()


def actions(events: Events, count: int) -> list[str]:
    return [next(events)["Action"] for _ in range(count)]


def only_item(get: Get) -> dict[str, Any]:
    (item,) = get(LISTING).json()
    return dict(item)
