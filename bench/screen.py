"""From an Engine's event to the screen: a real Engine, index and Chromium, over the stream, and by asking alone."""

import contextlib
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
from django.conf import settings
from django.test import Client
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from bench.freshness import EventTimes, wait_for
from bench.stream import watched
from bench.web import Site
from bench.world import database, django_in, end_in_order, short_directory
from dev.engine import DockerEngine
from dev.index import Processes
from dev.packages import find_program, has_browser
from dev.ports import free_port
from dev.valkey import Valkey

DEATHS = 15
PAUSE_SECONDS = 1.5
ALLOWED_MS, ALLOWED_ASKING_MS = 300.0, 3_000.0
"""At the median over the stream, and at most by asking, on a quiet machine."""
# notes when the mark of a container says something else
WATCH = """window.seen = {};
window.watching ??= new MutationObserver(() => {
    const says = document.querySelector('.mark')?.title;
    if (says && !(says in window.seen)) window.seen[says] = Date.now();
});
window.watching.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});"""


class Screen:
    """The first page, open in a Chromium in which somebody is logged in."""

    def __init__(self, driver: webdriver.Chrome, site: Site) -> None:
        from django.contrib.auth import get_user_model

        self._driver = driver
        client = Client()
        client.force_login(get_user_model().objects.get())
        url = f"http://{site.address[0]}:{site.address[1]}"
        name = settings.SESSION_COOKIE_NAME
        driver.execute_cdp_cmd("Network.setCookie", {"name": name, "value": client.cookies[name].value, "url": url})
        driver.get(f"{url}/")

    def js(self, script: str) -> Any:
        """Return what a script returns."""
        return self._driver.execute_script(script)

    def watch(self) -> None:
        """Note from now on when the container's mark says what."""
        self.js(WATCH)

    def says(self, state: str) -> None:
        """Wait until the container's mark says so."""
        wait_for(lambda: self.js(f"return document.querySelector('.mark')?.title.endsWith(': {state}')"), state)

    def at(self, says: str) -> float:
        """Return when the mark said so first since the last watch, in seconds since 1970."""
        find = f"return Object.entries(window.seen).find(([title]) => title.endsWith(': {says}'))?.[1]"
        wait_for(lambda: self.js(find), f"the screen says {says}")
        return float(self.js(find)) / 1000


def measure(directory: Path) -> bool:
    """Print how long deaths take to the screen; return whether it is as promised."""
    from reconciler.models import Workload

    port = int(os.environ["REDIS_URL"].rpartition(":")[2].partition("/")[0])
    with DockerEngine(directory / "d") as engine, Valkey(directory / "v", port=port) as valkey:
        engine.import_busybox()
        processes = Processes(directory, {"REDIS_URL": valkey.url, "DOCKER_HOST": engine.url, "LOG_LEVEL": "WARNING"})
        site = Site(directory, free_port())
        client = engine.client()
        Workload.objects.create(id="bench", ref_id="bench", name="Bench")
        labels = {"tinyforge.workload.id": "bench", "tinyforge.role": "web"}
        made = client.containers.create("tinyforge-busybox", ["sleep", "3600"], labels=labels, network_mode="none")
        try:
            with site.running(), _chromium(directory) as driver:
                processes.worker()
                with watched(processes):
                    screen = Screen(driver, site)
                    wait_for(lambda: screen.js("return live.stream?.readyState === 1"), "the page follows the stream")
                    screen.js("rest = () => 3_600_000")
                    streamed = _deaths(client, str(made.id), screen)
                    driver.execute_cdp_cmd("Network.enable", {})
                    driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/api/v1/changes*"]})
                    asked = _deaths(client, str(made.id), Screen(driver, site))
        finally:
            processes.stop_all()
            client.close()
    name = os.environ["DATABASE_URL"].partition(":")[0]
    _print(f"over the stream, {name}", streamed)
    _print(f"by asking, {name}", asked)
    print(f"{'':28} allowed: p50 {ALLOWED_MS:g} ms over the stream, {ALLOWED_ASKING_MS:g} ms at most by asking")
    return statistics.median(streamed) <= ALLOWED_MS and max(asked) <= ALLOWED_ASKING_MS


@contextlib.contextmanager
def _chromium(directory: Path) -> Iterator[webdriver.Chrome]:
    """Run a headless Chromium with an empty profile."""
    if not has_browser():
        raise RuntimeError("no chromium and chromedriver here; python -m dev.packages installs them")
    options = Options()
    options.binary_location = str(find_program("chromium"))
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={directory / 'chromium'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(str(find_program("chromedriver"))))
    try:
        yield driver
    finally:
        driver.quit()


def _deaths(client: docker.DockerClient, container_id: str, screen: Screen) -> list[float]:
    """Return milliseconds from the Engine's event of each death to the screen."""
    times = EventTimes(client)
    found = []
    for _ in range(DEATHS):
        client.api.start(container_id)
        screen.says("running")
        time.sleep(PAUSE_SECONDS)
        screen.watch()
        client.api.kill(container_id)
        told = screen.at("has ended with an error")
        found.append((told - times.at(container_id, "die")) * 1000)
        time.sleep(PAUSE_SECONDS)
    times.close()
    return found


def _print(what: str, values: list[float]) -> None:
    spread = f"min {min(values):>7.1f}  p50 {statistics.median(values):>7.1f}  max {max(values):>7.1f} ms"
    print(f"{what:28} {spread}  ({len(values)} deaths)")


def main() -> int:
    """Measure on the database that BENCH_DATABASE names."""
    end_in_order()
    with short_directory() as directory, database(directory) as url:
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
        with django_in(url):
            return 0 if measure(directory) else 1


if __name__ == "__main__":
    sys.exit(main())
