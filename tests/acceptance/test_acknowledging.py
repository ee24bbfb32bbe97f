"""Who is on call, before two open pages and real processes: a container dies, people are told, and somebody says so."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from selenium import webdriver

from alerts.core.conditions import Phase
from alerts.models import Incident
from dev.engine import DockerEngine
from dev.index import Processes
from reconciler.models import Workload
from tests.acceptance.browser import Window, start_chromium
from tests.acceptance.conftest import Containers
from tests.acceptance.site import Web
from tests.builders import workload
from tests.waiting import eventually, within

pytestmark = pytest.mark.slow

ALERTS = ("--queues=alerts", "--concurrency=1", "--loglevel=INFO", "--without-gossip", "--without-mingle")
UNTIL_TOLD = "trap 'exit 1' TERM; while :; do sleep 0.1; done"
LINE = "return document.getElementById('row:shop:web')?.innerText.replace(/\\s+/g, ' ') ?? ''"
VERDICT = "return document.querySelector('h1').innerText"
ALL_WELL = "The only container on 1 host is as it should be."
IS_STREAMING = "return live.stream?.readyState === 1"
ASKS_ONLY_FOR_NEWS = "rest = () => 3_600_000; schedule(0)"


@pytest.fixture
def index(processes: Processes, docker_engine: DockerEngine) -> Processes:
    """Everything that runs; what ends with an error is told of after a second, and over after two."""
    engine = {"DOCKER_HOST": docker_engine.url}
    processes.worker(**engine)
    processes.worker(*ALERTS, name="alerts", ALERT_RULES="ended=1/2/page")
    processes.watcher(**engine)
    processes.beat("1")
    return processes


@pytest.fixture
def site(processes: Processes) -> Web:
    made = Web(processes)
    made.start()
    Workload.objects.create(id="shop", ref_id="shop", name="Shop")
    return made


@pytest.fixture
def operators_page(chromium: webdriver.Chrome, site: Web) -> Iterator[Window]:
    page = opened(chromium, site, "olga", "operator")
    yield page
    page.forget()


@pytest.fixture
def viewers_page(site: Web, tmp_path: Path) -> Iterator[Window]:
    """The first page in another browser."""
    driver = start_chromium(tmp_path / "other")
    yield opened(driver, site, "vera", "viewer")
    driver.quit()


def opened(driver: webdriver.Chrome, site: Web, name: str, group: str) -> Window:
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    page = Window(driver, f"http://127.0.0.1:{site.port}")
    page.sign_in(client)
    page.open("/")
    return page


def line(page: Window) -> str:
    return str(page.js(LINE))


def all_show(pages: Iterable[Window], what: Callable[[Window], bool]) -> None:
    """Wait until something can be seen on all pages."""
    for page in pages:
        eventually(partial(what, page), what=f"{page.url} shows it")


def test_whoever_is_on_call_sees_an_incident_acknowledges_it_and_sees_it_go(
    index: Processes, containers: Containers, operators_page: Window, viewers_page: Window
) -> None:
    web = containers.run(workload("shop", role="web"), command=["sh", "-c", UNTIL_TOLD])
    both = (operators_page, viewers_page)
    all_show(both, lambda page: bool(page.js(IS_STREAMING)) and page.js(VERDICT) == ALL_WELL)
    for page in both:
        page.js(ASKS_ONLY_FOR_NEWS)
    web.kill(signal="SIGTERM")

    all_show(both, lambda page: "told to nobody: no channel is set up for it" in line(page))
    assert "has ended with an error" in line(operators_page)
    assert "exit 1" in line(operators_page)
    assert operators_page.js(VERDICT) == "1 thing wants you. 0 containers are as they should be."
    assert ["Acknowledge" in line(page) for page in both] == [True, False]

    operators_page.find("button.acknowledge").click()
    with within(1):
        all_show(both, lambda page: "acknowledged by olga" in line(page))
    assert operators_page.js("return document.querySelector('button.acknowledge')") is None
    assert operators_page.js("return document.activeElement.closest('li')?.id") == "row:shop:web"
    assert operators_page.js("return location.pathname + location.search") == "/"

    web.start()
    all_show(both, lambda page: "seems to be well again" in line(page))
    all_show(both, lambda page: not line(page) and page.js(VERDICT) == ALL_WELL)
    assert [each.phase for each in Incident.objects.all()] == [Phase.RESOLVED]
