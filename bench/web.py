"""The next page, while others trickle a form, log in by the dozen, or follow the feed: real gunicorn, real clients."""

import contextlib
import http.client
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.world import database, django_in, end_in_order, short_directory
from dev.ports import free_port
from dev.valkey import Valkey

PAGES = 30
TRICKLERS, LOGINS, STREAMS, POLLS = 3, 20, 150, 50
ALLOWED_MS = 1_000.0
START_SECONDS = 60.0
PASSWORD = "not-secret-here"  # noqa: S105 - of a database that lives as long as the measurement


class Site:
    """gunicorn as production runs it, with one person and one token."""

    def __init__(self, directory: Path, port: int) -> None:
        from django.contrib.auth import get_user_model

        from web.models import Scope, Token

        self.address = ("127.0.0.1", port)
        self._log = directory / "web.log"
        _, token = Token.objects.issue("bench", Scope.READ)
        get_user_model().objects.create_superuser("bench", password=PASSWORD)
        self.headers = {"Authorization": f"Bearer {token}"}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run it for as long as the body lasts."""
        where = f"{self.address[0]}:{self.address[1]}"
        command = [sys.executable, "-m", "gunicorn", "-c", "python:tinyforge.server", "--bind", where, "--workers", "2"]
        with self._log.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                self._wait()
                yield
            finally:
                process.terminate()

    def get(self, path: str, **headers: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Ask for a path."""
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        connection.request("GET", path, headers=self.headers | headers)
        return connection, connection.getresponse()

    def page_ms(self) -> float:
        """Return how long a page of a hundred rows takes."""
        started = time.perf_counter()
        connection, answer = self.get("/api/v1/containers?limit=100")
        if answer.status != 200 or not answer.read():
            raise RuntimeError(f"the page was answered with {answer.status}; see {self._log}")
        connection.close()
        return (time.perf_counter() - started) * 1000

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                self.get("/livez")
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"gunicorn does not answer; see {self._log}")
            time.sleep(0.1)


def trickle(site: Site, ended: threading.Event) -> None:
    """Send a form, a byte every two seconds."""
    with socket.create_connection(site.address) as connection:
        connection.sendall(b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n")
        while not ended.wait(2):
            connection.sendall(b"x")


def log_in(site: Site, _ended: threading.Event) -> None:
    """Log in once."""
    connection, form = site.get("/admin/login/")
    page = form.read().decode()
    cookie = str(form.headers["Set-Cookie"]).partition(";")[0]
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    body = urlencode({"username": "bench", "password": PASSWORD, "csrfmiddlewaretoken": token})
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/admin/login/", body, headers)
    if connection.getresponse().status != 302:
        raise RuntimeError("the login did not succeed")
    connection.close()


def stream(site: Site, ended: threading.Event) -> None:
    """Follow the feed by a stream."""
    connection, answer = site.get("/api/v1/changes", Accept="text/event-stream")
    if answer.status != 200:
        raise RuntimeError(f"a stream was answered with {answer.status}")
    ended.wait()
    connection.close()


def poll(site: Site, ended: threading.Event) -> None:
    """Follow the feed by long polls."""
    while not ended.is_set():
        connection, answer = site.get("/api/v1/changes?wait=5")
        if answer.status != 200:
            raise RuntimeError(f"a long poll was answered with {answer.status}")
        connection.close()


Client = Callable[[Site, threading.Event], None]
SITUATIONS: dict[str, list[tuple[Client, int]]] = {
    "nobody else": [],
    f"{TRICKLERS} who trickle a form": [(trickle, TRICKLERS)],
    f"{LOGINS} logins at once": [(log_in, LOGINS)],
    f"{STREAMS} streams and {POLLS} long polls": [(stream, STREAMS), (poll, POLLS)],
    "all of these": [(trickle, TRICKLERS), (stream, STREAMS), (poll, POLLS), (log_in, LOGINS)],
}


def measure(site: Site) -> bool:
    """Print how long the next page takes in each situation; return whether it is never longer than allowed."""
    print(f"{'the next page, beside':36} {'median':>9} {'longest':>9}")
    kept = True
    for what, clients in SITUATIONS.items():
        with _beside(site, clients):
            times = [site.page_ms() for _ in range(PAGES)]
        kept &= max(times) <= ALLOWED_MS
        print(f"{what:36} {statistics.median(times):>6.1f} ms {max(times):>6.1f} ms")
    print(f"allowed: {ALLOWED_MS:,.0f} ms")
    return kept


@contextlib.contextmanager
def _beside(site: Site, clients: list[tuple[Client, int]]) -> Iterator[None]:
    """Let clients do what they do while the body runs. Raises what went wrong for one of them."""
    ended = threading.Event()
    with ThreadPoolExecutor(sum(number for _, number in clients) or 1) as pool:
        acts = [pool.submit(act, site, ended) for act, number in clients for _ in range(number)]
        # those that follow or trickle are there by then, and the logins have begun
        time.sleep(1)
        try:
            yield
        finally:
            ended.set()
    for act in acts:
        act.result()


def _fill() -> None:
    from reconciler.models import Container

    rows = [{"id": f"w{number}:web", "workload_id": f"w{number}", "container_id": "c" * 64} for number in range(1_000)]
    Container.objects.bulk_create(Container(state="running", **row) for row in rows)


def main() -> int:
    """Measure on the database that BENCH_DATABASE names."""
    end_in_order()
    with (
        short_directory() as directory,
        database(directory) as url,
        Valkey(directory / "v", port=free_port()) as valkey,
    ):
        given: dict[str, Any] = {"REDIS_URL": valkey.url, "ALLOWED_HOSTS": "*", "STATIC_ROOT": str(directory)}
        os.environ.update(given)
        with django_in(url):
            _fill()
            site = Site(directory, free_port())
            with site.running():
                return 0 if measure(site) else 1


if __name__ == "__main__":
    sys.exit(main())
