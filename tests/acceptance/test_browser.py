"""The admin in a real Chromium: what a person sees, in words, in colours and on a laptop's screen."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from selenium import webdriver
from selenium.webdriver.support.select import Select

from dev.engine import DockerEngine
from dev.index import Processes
from reconciler.models import Container, Host, Transition, Workload
from tests.acceptance.browser import CONTRASTS, Window
from tests.acceptance.conftest import Containers
from tests.acceptance.fleet import make_fleet
from tests.builders import workload
from tests.waiting import eventually

CONTAINERS = reverse("admin:reconciler_container_changelist")
HISTORY = reverse("admin:reconciler_transition_changelist")
HOSTS = reverse("admin:reconciler_host_changelist")


class Browser(Window):
    """What a person does and sees in the admin; it returns only text that is visible."""

    def filling(self, selector: str) -> str:
        """Return the colour that an element is filled with."""
        return self.find(selector).value_of_css_property("background-color")

    def heading(self) -> str:
        """Return the page's heading."""
        return self.find("#content h1").text

    def column(self, name: str) -> dict[str, str]:
        """Return the text in a column of a list, by the text of each line's own link."""
        return dict(self.js(COLUMN, name))

    def lines(self, *names: str) -> list[list[str]]:
        """Return the text of some columns of a list, line by line."""
        return [list(line) for line in zip(*(self.js(CELLS, name) for name in names), strict=True)]

    def colours(self, column: str) -> dict[str, str]:
        """Return the hue of what is in a column's cells, by the text of each line's own link."""
        return {key: hue(colour) for key, colour in self.js(TEXT_COLOURS, column)}

    def edges(self) -> dict[str, str]:
        """Return the hue of each line's edge, by the text of the line's own link."""
        return {key: hue(shadow) for key, shadow in self.js(EDGES)}


CELLS = "return [...document.querySelectorAll(`#result_list tbody .field-${arguments[0]}`)].map(td => td.innerText)"
LINES = """const lines = [...document.querySelectorAll('#result_list tbody tr')]
    .map(tr => [tr.querySelector('th').innerText, tr]);"""
COLUMN = LINES + "return lines.map(([key, tr]) => [key, tr.querySelector(`.field-${arguments[0]}`).innerText])"
EDGES = LINES + "return lines.map(([key, tr]) => [key, getComputedStyle(tr.firstElementChild).boxShadow])"
TEXT_COLOURS = (
    LINES
    + """return lines.map(([key, tr]) => {
        const cell = tr.querySelector(`.field-${arguments[0]}`);
        return [key, getComputedStyle(cell.querySelector('span') || cell).color];
    })"""
)
DETAILS = """return Object.fromEntries([...document.querySelectorAll('#content-main .form-row label')].map(
    label => [label.innerText, label.nextElementSibling.innerText]))"""
OVERFLOW = """return [...document.querySelectorAll('html, #content, #content-main, #changelist .results, .form-row')]
    .map(box => box.scrollWidth - box.clientWidth).filter(pixels => pixels > 0)"""
OFFERS = """const shows = element => element.checkVisibility() && !element.closest('#toolbar, thead');
const controls = [...document.querySelectorAll('#content :is(button, select, textarea, input)')].filter(shows);
const links = [...document.querySelectorAll('#content a')].filter(shows);
return [...controls.map(control => control.value || control.type), ...links.map(link => link.innerText)
    .filter(text => /^(add|change|delete|save)\\b/i.test(text))]"""


def hue(colour: str) -> str:
    """Return the name of the first colour in a style."""
    found = re.search(r"rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?", colour)
    if found is None or found[4] == "0":
        return ""
    red, green, blue = (int(found[part]) for part in (1, 2, 3))
    if max(red, green, blue) - min(red, green, blue) < 22:
        return "grey"
    if red == max(red, green, blue):
        return "red" if green - blue < 20 else "orange"
    return "green" if green > blue else "blue"


@pytest.fixture
def browser(chromium: webdriver.Chrome, live_server: Any) -> Iterator[Browser]:
    browser = Browser(chromium, live_server.url)
    yield browser
    browser.forget()


@pytest.fixture
def operator(browser: Browser, admin_client: Client) -> Browser:
    """A browser in which somebody is logged in."""
    browser.sign_in(admin_client)
    return browser


@pytest.fixture
def fleet(local: Host) -> None:
    """Containers in every condition, on hosts in every condition."""
    make_fleet()


def page_of(row_id: str) -> str:
    return reverse("admin:reconciler_container_change", args=[quote(row_id)])


PAGES = {"containers": CONTAINERS, "a row": page_of("metrics:db"), "history": HISTORY, "hosts": HOSTS}
UNKNOWN = {"metrics:agent@berlin", "shop:web@berlin"}
EDGES_EXPECTED = {
    "landing:site": "orange",
    "metrics:agent@berlin": "grey",
    "metrics:db": "red",
    "shop:cache": "orange",
    "shop:mailer": "orange",
    "shop:reports": "red",
    "shop:search": "red",
    "shop:web@berlin": "grey",
    "shop:worker": "red",
}


# Coming in


def test_a_person_logs_in_and_goes_to_the_containers(browser: Browser, fleet: None, admin_user: User) -> None:
    browser.open("/")
    browser.find("#id_username").send_keys(admin_user.username)
    browser.find("#id_password").send_keys("password")
    browser.follow(browser.find("main button"))
    browser.click("Admin", within="header")
    browser.click("Containers", within="#content-main")
    assert browser.heading() == "Containers"
    assert len(browser.column("shown_state")) == 16


def test_every_file_of_a_page_is_served(operator: Browser, fleet: None) -> None:
    operator.open(CONTAINERS)
    files = operator.js("return performance.getEntriesByType('resource').map(file => [file.name, file.responseStatus])")
    # Chromium asks for the icon by itself, at a moment of its own
    assert [name for name, status in files if status >= 400 and not name.endswith("/favicon.ico")] == []
    assert [name for name, _ in files if name.endswith("reconciler/admin.css")]


# The list of containers


def test_every_row_says_in_words_how_its_container_is(operator: Browser, fleet: None) -> None:
    operator.open(CONTAINERS)
    assert operator.column("shown_state") == {
        "blog-production": "● running",
        "landing:site": "● running",
        "metrics:agent@berlin": "◌ unknown was stopped",
        "metrics:api": "● running",
        "metrics:db": "■ stopped exit 137 OOM",
        "shop:cache": "‖ paused",
        "shop:mailer": "● running ! unhealthy",
        "shop:migrate": "■ stopped exit 0",
        "shop:next": "… pending",
        "shop:reports": "✗ failed",
        "shop:search": "? missing",
        "shop:web": "● running",
        "shop:web@berlin": "◌ unknown was running",
        "shop:web@edge": "● running",
        "shop:worker": "● running in a restart loop",
        "wiki:site": "● running",
    }


def test_an_orphan_says_that_its_workload_is_gone(operator: Browser, fleet: None) -> None:
    operator.open(CONTAINERS)
    assert operator.column("shown_workload")["landing:site"] == "landing (gone)"
    assert operator.colours("shown_workload")["landing:site"] == "orange"


def test_rows_that_want_somebody_have_an_edge_and_no_others(operator: Browser, fleet: None) -> None:
    operator.open(CONTAINERS)
    assert {row: edge for row, edge in operator.edges().items() if edge} == EDGES_EXPECTED


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_trouble_is_filled_with_its_colour_and_the_unknown_with_none(
    operator: Browser, fleet: None, scheme: str
) -> None:
    operator.prefer(scheme)
    operator.open(CONTAINERS)
    expected = {"level-down": "red", "level-warn": "orange", "state-running": "green", "level-unknown": ""}
    assert {badge: hue(operator.filling(f".state.{badge}")) for badge in expected} == expected


@pytest.mark.parametrize(
    ("title", "choice", "found"),
    [
        ("trouble", "any", {*EDGES_EXPECTED}),
        ("trouble", "unhealthy", {"shop:mailer"}),
        ("trouble", "in a restart loop", {"shop:worker"}),
        ("trouble", "unknown: host does not answer", UNKNOWN),
        ("state", "missing", {"shop:search"}),
        ("state", "failed", {"shop:reports"}),
        ("state", "pending", {"shop:next"}),
        ("trouble", "orphan: workload is gone", {"landing:site"}),
        ("host", "berlin", UNKNOWN),
    ],
)
def test_a_filter_leads_to_the_rows_that_want_a_second_look(
    operator: Browser, fleet: None, title: str, choice: str, found: set[str]
) -> None:
    operator.open(CONTAINERS)
    operator.click(choice, within=f'#changelist-filter [data-filter-title="{title}"]')
    assert set(operator.column("shown_state")) == found


# The page of one row, and history


def test_a_row_s_page_tells_how_its_container_ended(operator: Browser, fleet: None) -> None:
    operator.open(CONTAINERS)
    operator.click("metrics:db")
    told = operator.js(DETAILS)
    assert told["State:"] == "■ stopped exit 137 OOM"
    assert told["Exit code:"] == "137 OOM-killed"
    assert told["Restarts:"] == "4 by its restart policy"
    assert re.fullmatch(r"[-\d]+ [:\d]+ UTC 3\shours ago", told["Started:"])
    assert re.fullmatch(r"[-\d]+ [:\d]+ UTC 42\sminutes ago", told["Finished:"])


def test_a_row_s_page_says_in_red_that_memory_ran_out(operator: Browser, fleet: None) -> None:
    operator.open(page_of("metrics:db"))
    assert hue(operator.filling(".field-ended .state")) == "red"


def test_the_page_of_an_unknown_row_says_what_was_known_and_until_when(operator: Browser, fleet: None) -> None:
    """I17."""
    operator.open(page_of("shop:web@berlin"))
    told = operator.js(DETAILS)
    assert told["State:"] == "◌ unknown was running"
    assert re.search(r"UTC 11\sminutes ago$", told["Last seen:"])


@pytest.mark.parametrize("link", ["what became of it", "HISTORY"])
def test_a_row_leads_to_its_history_and_that_leads_back(operator: Browser, fleet: None, link: str) -> None:
    operator.open(page_of("metrics:db"))
    operator.click(link, within="#content")
    assert operator.heading() == "History of metrics:db"
    assert operator.lines("shown_row") == [["metrics:db"]] * 2
    operator.click("metrics:db", within="#result_list")
    assert operator.find("#content h2").text == "metrics:db"


def test_history_tells_the_newest_first_what_changed_and_why(operator: Browser, fleet: None) -> None:
    operator.open(HISTORY)
    told = operator.lines("shown_row", "change", "cause")
    restarted = "container a54e095e43ee was restarted, restart count 15 → 16"
    assert told[0] == ["shop:worker", "● running restarted 1×", restarted]
    assert told[3:] == [
        ["shop:search", "● running → ? missing", "container 1d3b7e0c9f42 is in no complete listing"],
        ["metrics:db", "● running → ■ stopped exit 137 OOM", "state running → stopped"],
        ["metrics:db", "… pending → ● running", "container 90c1d2ab0f11 (db) is running"],
    ]


# Hosts


def test_every_host_says_in_words_how_it_is_doing(operator: Browser, fleet: None) -> None:
    operator.open(HOSTS)
    conditions = operator.column("shown_condition")
    assert re.fullmatch(r"failing \(5×, next try in \d+ s\)", conditions.pop("berlin"))
    assert conditions == {"attic": "off", "edge": "held: 1 of 1 present rows would go missing", "local": "fresh"}


def test_a_held_host_is_orange_and_a_failing_one_has_the_colour_of_what_is_not_known(
    operator: Browser, fleet: None
) -> None:
    operator.open(HOSTS)
    expected = {"attic": "grey", "berlin": "grey", "edge": "orange", "local": "grey"}
    assert operator.colours("shown_condition") == expected


def test_a_failing_host_says_why(operator: Browser, fleet: None) -> None:
    operator.open(HOSTS)
    assert operator.column("trouble")["berlin"] == "cannot be reached: connection refused"


def test_reconcile_now_brings_what_has_changed_into_the_list(
    operator: Browser, processes: Processes, docker_engine: DockerEngine, containers: Containers
) -> None:
    def shown() -> str | None:
        operator.open(CONTAINERS)
        return operator.column("shown_state").get("shop:web")

    made = containers.run(workload("shop", role="web"))
    processes.worker(DOCKER_HOST=docker_engine.url)
    eventually(lambda: shown() == "● running", what="the boot pass fills the list")
    made.kill()
    assert shown() == "● running"
    operator.open(HOSTS)
    operator.find("#result_list [name=_selected_action][value=local]").click()
    Select(operator.find("[name=action]")).select_by_visible_text("Reconcile now")
    operator.follow(operator.find(".actions [type=submit]"))
    assert operator.find(".messagelist").text == "A pass was asked for: local"
    eventually(lambda: shown() == "■ stopped exit 137", what="the list shows that the container has ended")


# On every page


@pytest.mark.parametrize("page", ["containers", "a row", "history"])
def test_nothing_invites_to_add_change_or_delete_what_is_only_to_be_looked_at(
    operator: Browser, fleet: None, page: str
) -> None:
    operator.open(PAGES[page])
    assert operator.find("#content :is(#result_list, .form-row)").is_displayed()
    assert operator.js(OFFERS) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_laptop_s_screen_is_wide_enough(operator: Browser, fleet: None, page: str) -> None:
    words = "a-role-with-a-very-long-name"
    Container.objects.filter(id="shop:web").update(id=f"shop:{words * 3}", role=words, image_ref=f"{words * 5}:latest")
    Container.objects.filter(id="metrics:db").update(image_ref=f"{words * 5}:latest", subdomain="x" * 200)
    Workload.objects.filter(id="wiki").update(name=words.replace("-", ""))
    Transition.objects.filter(row_id="shop:search").update(row_id=f"shop:{words * 3}", cause=words * 3)
    operator.open(PAGES[page])
    assert operator.js(OVERFLOW) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_all_text_stands_out_from_what_is_behind_it(operator: Browser, fleet: None, page: str, scheme: str) -> None:
    operator.prefer(scheme)
    operator.open(PAGES[page])
    contrasts = operator.js(CONTRASTS)
    assert len(contrasts) > 30
    assert [(text, round(ratio, 1)) for text, ratio, needed in contrasts if ratio < needed] == []


def test_the_theme_s_button_turns_the_badges_dark_too(operator: Browser, fleet: None) -> None:
    operator.open(CONTAINERS)
    before = operator.filling(".state-running")
    operator.find(".theme-toggle").click()
    after = operator.filling(".state-running")
    assert (sum(rgb(before)) > 600, sum(rgb(after)) < 200) == (True, True)


def rgb(colour: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", colour)[:3]]
