"""200 open pages while 10 changes a second happen, over 10,000 rows: what the server needs, and whether all end right.

Each page does what its script does: it follows the stream, and asks, at the script's pace, for what has changed.
"""

import http.client
import itertools
import os
import selectors
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psutil

from bench.pages import fill_world, see_all_hosts
from bench.uptime import HOSTS, ROWS
from bench.web import Site
from bench.world import database, django_in, end_in_order, short_directory
from dev.ports import free_port
from dev.valkey import Valkey

PAGES, CHANGES_A_SECOND, SECONDS = 200, 10, 20
SETTLE_SECONDS = 15.0
SEEN_EVERY = 50
"""After so many changes, all hosts are seen."""
ASKERS = 8
ALLOWED_CORES, ALLOWED_BARE = 0.5, 500
"""What the server may need on a quiet machine; and as how many bare requests a second, on one that is slower."""
BARE = 500
# as in web/static/web/pages.js
BEAT, GATHER, SLOWEST, FIRST_PACE, SLOWER = 5.0, 0.04, 5.0, 0.1, 3


@dataclass
class OpenPage:
    """A page in somebody's browser."""

    cookie: str
    stream: http.client.HTTPResponse | None = None
    etag: str = ""
    pace: float = 0.0
    asked_at: float = 0.0
    due: float = field(default_factory=time.monotonic)
    has_news: bool = False
    asking: Future[int] | None = None

    def tell(self) -> None:
        """Note that something has changed."""
        if not self.has_news:
            self.has_news = True
            self.due = min(self.due, max(time.monotonic() + GATHER, self.asked_at + self.pace))

    def ask(self, address: tuple[str, int]) -> int:
        """Ask for what has changed; return the status."""
        because, self.has_news, self.asked_at = self.has_news, False, time.monotonic()
        connection = http.client.HTTPConnection(*address, timeout=30)
        headers = {"Cookie": self.cookie, "Accept": "application/json", "If-None-Match": self.etag}
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status == 200:
            self.etag = answer.headers["ETag"]
        if because:
            self.pace = min(SLOWEST, self.pace * SLOWER or FIRST_PACE)
        again = int(answer.headers["X-Again-Ms"]) / 1000
        self.has_news |= again > 0
        now = time.monotonic()
        self.due = max(now + again, self.asked_at + self.pace) if self.has_news else now + BEAT
        return answer.status


def change(ended: threading.Event) -> None:
    """Let a row change its state, so many times a second, as passes do."""
    from django.db import connection, transaction
    from django.utils import timezone

    from reconciler import feed
    from reconciler.models import Container, Transition

    for number in itertools.count():
        if ended.wait(1 / CHANGES_A_SECOND):
            break
        if not number % SEEN_EVERY:
            see_all_hosts()
        row_id, state = f"shop-{number % 50}:web@host-{number % 50 % HOSTS}", ("stopped", "running")[number // 50 % 2]
        entry = Transition(row_id=row_id, host_id=f"host-{number % 50 % HOSTS}", to_state=state, at=timezone.now())
        with transaction.atomic():
            Container.objects.filter(id=row_id).update(state=state)
            feed.append([entry])
    connection.close()


def measure(site: Site, cookie: str) -> bool:
    """Print what the server needed; return whether it is no more than allowed, and all pages end right."""
    pages, bare_seconds = [OpenPage(cookie) for _ in range(PAGES)], _bare_seconds(site)
    ended = threading.Event()
    with ThreadPoolExecutor(ASKERS) as pool, selectors.DefaultSelector() as selector:
        for page in pages:
            _, page.stream = site.get("/api/v1/changes", Accept="text/event-stream")
            selector.register(page.stream.fp, selectors.EVENT_READ, page)
        _follow(site, pages, selector, pool, BEAT)
        before, began = _cpu_seconds(), time.monotonic()
        writer = threading.Thread(target=change, args=(ended,))
        writer.start()
        asked = _follow(site, pages, selector, pool, SECONDS)
        cores = (_cpu_seconds() - before) / (time.monotonic() - began)
        ended.set()
        writer.join()
        _follow(site, pages, selector, pool, SETTLE_SECONDS)
    right = sum(page.ask(site.address) == 304 for page in pages)
    print(f"{PAGES} open pages, {CHANGES_A_SECOND} changes a second over {ROWS:,} rows, for {SECONDS} s")
    print(f"requests a second           {asked / SECONDS:>8.1f}")
    print(f"cores that the server needs {cores:>8.2f}   allowed: {ALLOWED_CORES:g}")
    print(f"as bare requests a second   {cores / bare_seconds:>8.0f}   of {bare_seconds * 1000:.1f} ms each")
    print(f"pages that are right at the end {right} of {PAGES}")
    return cores <= max(ALLOWED_CORES, ALLOWED_BARE * bare_seconds) and right == PAGES


def _bare_seconds(site: Site) -> float:
    """Return how long the server works for a request that asks for nothing."""
    before = _cpu_seconds()
    for _ in range(BARE):
        connection, answer = site.get("/livez")
        answer.read()
        connection.close()
    return (_cpu_seconds() - before) / BARE


def _follow(site: Site, pages: list[OpenPage], selector: Any, pool: ThreadPoolExecutor, seconds: float) -> int:
    """Let all pages do what they do for some seconds; return how often they asked."""
    end, asked = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for key, _ in selector.select(0.02):
            if b"event: change" in key.fileobj.read1(1 << 20):
                key.data.tell()
        for page in pages:
            if (page.asking is None or page.asking.done()) and time.monotonic() >= page.due:
                page.asking = pool.submit(page.ask, site.address)
                asked += 1
    return asked


def _cpu_seconds() -> float:
    """Return how long the server's processes have worked."""
    servers = [each for each in psutil.Process().children(recursive=True) if "gunicorn" in " ".join(each.cmdline())]
    return sum(sum(each.cpu_times()[:2]) for each in servers)


def main() -> int:
    """Measure on PostgreSQL, which BENCH_DATABASE has to name."""
    end_in_order()
    with (
        short_directory() as directory,
        database(directory) as url,
        Valkey(directory / "v", port=free_port()) as valkey,
    ):
        os.environ.update({"REDIS_URL": valkey.url, "ALLOWED_HOSTS": "*", "STATIC_ROOT": str(directory)})
        with django_in(url):
            from django.contrib.auth import get_user_model
            from django.test import Client

            fill_world()
            site, client = Site(directory, free_port()), Client()
            client.force_login(get_user_model().objects.get(username="bench"))
            cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
            with site.running():
                return 0 if measure(site, cookie) else 1


if __name__ == "__main__":
    sys.exit(main())
