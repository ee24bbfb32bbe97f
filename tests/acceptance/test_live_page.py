"""The page in a real Chromium follows a real Engine: it equals the table, or says that it has lost its server."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from selenium import webdriver

from dev.engine import DockerEngine
from dev.index import Processes
from reconciler.api import begin_deployment, end_deployment
from reconciler.models import Container, Workload
from tests.acceptance.browser import Window
from tests.acceptance.conftest import Containers, running_engine
from tests.acceptance.site import Web
from tests.builders import workload
from tests.waiting import LATE_SECONDS, eventually

WEB, JOB = workload("shop", role="web"), workload("shop", role="job")
LOST = "return document.documentElement.classList.contains('is-lost')"


class Page(Window):
    """What a person sees of the first page."""

    def verdict(self) -> str:
        return str(self.js("return document.querySelector('h1').innerText"))

    def marks(self) -> dict[str, str]:
        """Return what the marks of containers say, by row."""
        says = self.js("return [...document.querySelectorAll('.mark')].map(mark => mark.title)")
        return dict(each.split(": ") for each in says)

    def is_lost(self) -> bool:
        return bool(self.js(LOST))

    def is_streaming(self) -> bool:
        return bool(self.js("return live.stream?.readyState === 1"))


@pytest.fixture
def web(processes: Processes) -> Web:
    web = Web(processes)
    web.start()
    return web


@pytest.fixture
def page(chromium: webdriver.Chrome, web: Web, client: Client) -> Iterator[Page]:
    """The first page, opened by somebody who is logged in."""
    Workload.objects.create(id="shop", ref_id="shop", name="Shop")
    client.force_login(User.objects.create_superuser("vera"))
    page = Page(chromium, f"http://127.0.0.1:{web.port}")
    page.sign_in(client)
    page.open("/")
    yield page
    page.block()
    page.forget()


@pytest.fixture
def index(processes: Processes, docker_engine: DockerEngine) -> Processes:
    """Worker and watcher of that Engine."""
    engine = {"DOCKER_HOST": docker_engine.url}
    processes.worker(**engine)
    processes.watcher(**engine)
    processes.beat("5")
    return processes


def shows(page: Page, **expected: str) -> None:
    """Wait until the page shows these containers, and no others."""
    wanted = {f"shop:{role}": says for role, says in expected.items()}
    eventually(lambda: page.marks() == wanted, what=f"the page shows {wanted}")


def all_agree(page: Page, containers: Containers) -> None:
    """Wait until the screen is as the table, and this as the Engine."""

    def agree() -> bool:
        shown, real = page.marks(), containers.states()
        rows = dict(Container.objects.values_list("id", "state"))
        return (
            shown.keys() == rows.keys() >= real.keys()
            and all(STORED.get(real.get(row, "")) == state for row, state in rows.items())
            and all(shown[row] in SHOWN[state] for row, state in rows.items())
        )

    eventually(agree, what="screen, table and Engine say the same")


STORED = {"running": "running", "paused": "paused", "exited": "stopped", "": "missing"}
SHOWN = {
    "running": ("running",),
    "paused": ("is paused",),
    "stopped": ("done", "has ended with an error"),
    "missing": ("is gone from its host", "missing"),
}


def says(page: Page, sentence: str) -> None:
    """Wait until the verdict is this."""
    eventually(lambda: page.verdict() == sentence, what=sentence)


def test_the_page_follows_a_container_through_its_life(page: Page, index: Processes, containers: Containers) -> None:
    eventually(page.is_streaming, what="the page follows the stream")
    page.js("rest = () => 3_600_000; schedule(0)")  # from now on it asks only when the stream tells of a change
    web = containers.run(WEB)
    shows(page, web="running")
    says(page, "The only container on 1 host is as it should be.")
    assert "icon-well" in page.js("return document.querySelector('link[rel=icon]').href")
    for act, told in {
        web.pause: "is paused",
        web.unpause: "running",
        web.kill: "has ended with an error",
        web.start: "running",
    }.items():
        act()
        shows(page, web=told)
        all_agree(page, containers)
    web.remove(force=True)
    shows(page, web="is gone from its host")
    says(page, "1 thing wants you. 0 containers are as they should be.")
    assert "icon-down" in page.js("return document.querySelector('link[rel=icon]').href")
    all_agree(page, containers)


@pytest.mark.slow
def test_a_job_that_ends_with_0_is_no_trouble(page: Page, index: Processes, containers: Containers) -> None:
    containers.run(JOB, command=["/bin/true"])
    shows(page, job="done")
    says(page, "The only container on 1 host is as it should be.")
    all_agree(page, containers)


def test_what_is_being_deployed_may_die_without_being_wrong(
    page: Page, index: Processes, containers: Containers
) -> None:
    web = containers.run(WEB)
    shows(page, web="running")
    begin_deployment(workload="shop", lasts=timedelta(minutes=5), by="ci")
    web.remove(force=True)
    shows(page, web="missing")
    says(page, "1 is being deployed.")
    all_agree(page, containers)
    end_deployment(workload="shop")
    shows(page, web="is gone from its host")
    says(page, "1 thing wants you. 0 containers are as they should be.")
    all_agree(page, containers)


@pytest.mark.slow
def test_without_a_stream_the_page_asks_and_shows_the_same(
    page: Page, index: Processes, containers: Containers
) -> None:
    page.block("*/api/v1/changes*")
    page.open("/")
    web = containers.run(WEB)
    shows(page, web="running")
    web.kill()
    shows(page, web="has ended with an error")
    assert not page.is_streaming()
    all_agree(page, containers)


def test_a_host_that_stops_answering_is_said_to_and_comes_back(
    page: Page, processes: Processes, short: Path, containers: Containers
) -> None:
    """I17."""
    with running_engine(short / "e") as engine:
        processes.worker(DOCKER_HOST=engine.url)
        processes.beat()
        made = Containers(engine)
        web = made.run(WEB, restart_policy={"Name": "no"})
        shows(page, web="running")
        engine.stop()
        shows(page, web="is not known, because its host cannot be asked")
        says(page, "1 thing wants you. 1 is not known.")
        engine.start()
        eventually(lambda: page.marks()["shop:web"] != "is not known, because its host cannot be asked")
        all_agree(page, made)
        web.start()
        shows(page, web="running")
        all_agree(page, made)
        made.close()


def test_a_page_that_has_lost_its_server_says_so_and_comes_back_by_itself(
    page: Page, web: Web, index: Processes, containers: Containers
) -> None:
    """I17."""
    shop = containers.run(WEB)
    shows(page, web="running")
    web.kill()
    eventually(page.is_lost, what="the page says that it has lost its server", seconds=10 + LATE_SECONDS)
    banner = page.find("#lost")
    assert banner.is_displayed()
    assert re.search(r"The server does not answer. What you see was true at .*\d+:\d\d:\d\d", banner.text)
    assert page.js("return getComputedStyle(document.querySelector('main')).filter") == "grayscale(1)"
    assert banner.size["width"] >= page.js("return document.documentElement.clientWidth") - 1
    shop.kill()
    web.start()
    eventually(lambda: not page.is_lost(), what="the page is alive again")
    assert not banner.is_displayed()
    shows(page, web="has ended with an error")
    all_agree(page, containers)


@pytest.mark.slow
def test_a_server_that_only_hangs_is_lost_too(page: Page, web: Web) -> None:
    """I17."""
    web.pause()
    try:
        eventually(page.is_lost, what="the page says that it has lost its server", seconds=10 + LATE_SECONDS)
    finally:
        web.resume()
    eventually(lambda: not page.is_lost(), what="the page is alive again")


def test_a_stream_that_is_cut_is_followed_again_and_nothing_is_missed(
    page: Page, web: Web, index: Processes, containers: Containers
) -> None:
    shop = containers.run(WEB)
    shows(page, web="running")
    eventually(page.is_streaming, what="the page follows the stream")
    page.js("opened = 0; first = live.stream; first.addEventListener('open', () => opened++)")
    web.kill_every_process()
    shop.kill()
    follows_again = "return live.stream?.readyState === 1 && (opened > 0 || live.stream !== first)"
    eventually(lambda: page.js(follows_again), what="the page follows a stream again")
    shows(page, web="has ended with an error")
    all_agree(page, containers)


def test_somebody_who_is_logged_out_is_told_so(page: Page) -> None:
    User.objects.all().delete()
    eventually(page.is_lost, what="the page says that it is not kept up to date")
    assert "You are logged out" in page.find("#lost").text


def test_what_has_not_changed_keeps_focus_selection_and_place(page: Page) -> None:
    Workload.objects.bulk_create(Workload(id=f"w{n:02}", ref_id=f"w{n:02}", name=f"W {n:02}") for n in range(40))
    eventually(lambda: opened(page, "W 30"), what="the page shows all workloads")
    page.js(HOLD)
    before = page.js(HELD)
    Workload.objects.create(id="a", ref_id="a", name="A new one")
    eventually(lambda: "A new one" in page.js("return document.body.innerText"), what="the page shows what is new")
    assert page.js(HELD) == before
    assert before[0] == "W 30"


def opened(page: Page, text: str) -> bool:
    """Open the page, and tell whether it holds a text: another page may have been made a moment ago."""
    page.open("/")
    return text in page.js("return document.body.innerText")


HOLD = """
const link = document.querySelector('[id="workload:w30"] a.line');
link.focus();
link.scrollIntoView({block: 'center'});
getSelection().selectAllChildren(document.querySelector('[id="workload:w31"] th'));
document.querySelector('select[name=state]').value = 'missing';
"""
HELD = """
return [document.activeElement.innerText, getSelection().toString(), scrollY > 100,
    document.querySelector('select[name=state]').value]
"""
