"""Readers of the feed over HTTP, who keep tables of their own, whatever becomes of the server."""

import contextlib
import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from reconciler.core.cursors import decode
from reconciler.models import Container, Transition
from tests.acceptance.site import LOST, Web
from tests.waiting import WAIT_SECONDS
from web.models import Scope, Token

NOT_TOLD = ("last_seen_at", "updated_at", "effective_state", "unknown_since")


class Reader:
    """Somebody who keeps a table of his own, and notes every change that he is told."""

    def __init__(self, web: Web, token: str, seed: int) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.seen: list[int] = []
        self.cursor = ""
        self.chance = random.Random(seed)
        self._web = web
        self._headers = {"Authorization": f"Bearer {token}"}

    @contextlib.contextmanager
    def asked(self, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
        """Ask, and hang up afterwards. Raises what a lost server makes it raise."""
        with contextlib.closing(self._web.connect()) as server:
            server.request("GET", f"/api/v1/{path}", headers=self._headers | headers)
            answer = server.getresponse()
            if answer.status != 200:
                raise http.client.HTTPException(answer.status)
            yield answer

    def get(self, path: str) -> Any:
        """Return an answer."""
        with self.asked(path) as answer:
            return json.loads(answer.read())

    def list(self) -> None:
        """Read all rows, page by page; what changes meanwhile is told after the first page's cursor."""
        rows: dict[str, dict[str, Any]] = {}
        first, after = "", ""
        is_last = False
        while not is_last:
            page = self.get(f"containers?{urlencode({'limit': 20, 'after': after} if after else {'limit': 20})}")
            rows |= {item["id"]: item for item in page["items"]}
            first = first or page["cursor"]
            is_last, after = page["next"] is None, page["next"]
        self.rows, self.cursor, self.seen = rows, first, []

    def note(self, change: dict[str, Any]) -> None:
        """Take a change over."""
        self.seen.append(decode(change["cursor"]).position)
        self.cursor = change["cursor"]
        if change["container"]:
            self.rows[change["row"]] = change["container"]
        else:
            self.rows.pop(change["row"], None)

    def read(self, **query: int) -> None:
        """Read on, once."""
        parameters = "".join(f"&{name}={value}" for name, value in query.items())
        for change in self.get(f"changes?after={self.cursor}{parameters}")["items"]:
            self.note(change)


def poll(reader: Reader) -> None:
    """Follow by long polls."""
    reader.read(wait=2, limit=reader.chance.randint(1, 30))


def stream(reader: Reader) -> None:
    """Follow a stream, and hang up after a while, or when there is nothing to tell."""
    most = reader.chance.randint(1, 30)
    with reader.asked(f"changes?after={reader.cursor}", Accept="text/event-stream") as answer:
        for _ in range(most):
            event = dict(line.split(": ", 1) for line in iter(lambda: answer.readline().decode().strip(), ""))
            if event.get("event") == "change":
                reader.note(json.loads(event["data"]))
            elif event.get("event") == "bookmark":
                reader.cursor = event["id"]
                return


def list_anew(reader: Reader) -> None:
    """Follow without waiting, and now and then throw everything away and list."""
    if reader.chance.random() < 0.1:
        reader.list()
    reader.read(limit=reader.chance.randint(1, 30))


@contextlib.contextmanager
def following(follow: Callable[[Reader], None], reader: Reader) -> Iterator[Reader]:
    """Let a reader follow in a thread, whatever the server does, until the body is over and nothing is left to tell."""
    has_ended = threading.Event()

    def run() -> None:
        while not has_ended.is_set() or decode(reader.cursor).position < newest[0]:
            with contextlib.suppress(*LOST):
                follow(reader)

    newest = [0]
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield reader
        newest[0] = Transition.objects.latest("id").pk
    finally:
        has_ended.set()
        thread.join(WAIT_SECONDS)
    assert not thread.is_alive()


def told(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the feed tells of a row."""
    return {name: value for name, value in row.items() if name not in NOT_TOLD}


@contextlib.contextmanager
def all_following(web: Web) -> Iterator[None]:
    """Let three readers follow, each in another way; in the end, each has the table, and was told every change once."""
    _, token = Token.objects.issue("readers", Scope.READ)
    readers = [Reader(web, token, seed) for seed in range(3)]
    for reader in readers:
        reader.list()
    with following(poll, readers[0]), following(stream, readers[1]), following(list_anew, readers[2]):
        yield
    last = Reader(web, token, 0)
    last.list()
    assert last.rows.keys() == set(Container.objects.values_list("id", flat=True))
    table = {row_id: told(row) for row_id, row in last.rows.items()}
    for reader in readers:
        assert {row_id: told(row) for row_id, row in reader.rows.items()} == table
    ids = list(Transition.objects.order_by("id").values_list("id", flat=True))
    assert (readers[0].seen, readers[1].seen) == (ids, ids)
    assert readers[2].seen == ids[len(ids) - len(readers[2].seen) :]
