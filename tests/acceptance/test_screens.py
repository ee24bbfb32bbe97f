"""The pages in a real Chromium: how they look, and that they fit, in light and dark, on a laptop and on a phone."""

import contextlib
import gzip
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.keys import Keys

from alerts.models import Incident
from dev.axe import axe_script
from dev.process import ServiceError
from reconciler.models import Container, Host, Workload
from tests.acceptance.browser import LAPTOP, PAGES, PHONE, Window, picture
from tests.acceptance.fleet import make_hostile
from tests.builders import cid
from tests.channels import channel, fire_all
from tests.conftest import unavailable
from tests.waiting import eventually
from web.pages.live import RENDERINGS

SIZES = {"laptop": LAPTOP, "phone": PHONE}
# each scheme and each size once, and in CI each with each
SCHEMES_AND_SIZES = [
    ("light", "laptop"),
    ("dark", "phone"),
    pytest.param("light", "phone", marks=pytest.mark.slow),
    pytest.param("dark", "laptop", marks=pytest.mark.slow),
]
WIDER_THAN_SCREEN = """return [...document.querySelectorAll('body, body *')]
    .filter(box => box.checkVisibility() && !box.closest('.sr, .skip, dialog'))
    .filter(box => box.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(box => `${box.localName}.${box.className}: ${box.innerText}`.slice(0, 120))"""


@pytest.mark.parametrize(("scheme", "size"), SCHEMES_AND_SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_screen_and_its_picture_is_kept(window: Window, name: str, scheme: str, size: str) -> None:
    window.cdp("Emulation.setDeviceMetricsOverride", **SIZES[size])
    window.prefer(scheme)
    window.open(PAGES[name])
    window.picture(picture(f"{name}-{scheme}-{size}"))
    assert window.js(WIDER_THAN_SCREEN) == []


def let_all_be_well() -> None:
    """Let every host answer, and no container be in trouble."""
    Incident.objects.all().delete()
    well = {"last_success_at": timezone.now(), "last_error": "", "failures": 0, "held_since": None, "held_reason": ""}
    Host.objects.update(**well)
    Container.objects.in_trouble().delete()


def lose_the_server(window: Window) -> None:
    """Let nothing get through, and wait until the page says so."""
    window.block("*")
    eventually(lambda: window.js("return document.documentElement.classList.contains('is-lost')"))


@pytest.mark.parametrize(("scheme", "size"), SCHEMES_AND_SIZES)
def test_pictures_are_kept_of_a_page_where_all_is_well_of_one_that_follows_and_of_one_that_is_lost(
    window: Window, scheme: str, size: str
) -> None:
    window.cdp("Emulation.setDeviceMetricsOverride", **SIZES[size])
    window.prefer(scheme)
    let_all_be_well()
    window.open("/")
    assert "as they should be" in window.find("h1").text
    window.picture(picture(f"well-{scheme}-{size}"))
    Container.objects.filter(id="shop:web").update(state="stopped", exit_code=137)
    eventually(lambda: window.find("h1").text.startswith("1 thing wants you."), what="the page follows")
    window.picture(picture(f"live-{scheme}-{size}"))
    lose_the_server(window)
    window.picture(picture(f"lost-{scheme}-{size}"))
    assert window.js(WIDER_THAN_SCREEN) == []


def test_whatever_is_named_however_every_page_fits_a_phone_of_360_pixels_and_runs_nothing(window: Window) -> None:
    rows = make_hostile()
    window.cdp("Emulation.setDeviceMetricsOverride", **PHONE | {"width": 360})
    incidents = [f"/incidents/{pk}" for pk in Incident.objects.filter(subject__in=rows).values_list("pk", flat=True)]
    pages = ["/", "/containers", "/changes", "/hosts/berlin", *incidents]
    pages += [quote(f"/containers/{row}") for row in rows]
    for page in [*pages, *(quote(f"/workloads/{row.rpartition(':')[0]}") for row in rows)]:
        window.open(page)
        assert window.js("return document.querySelector('main h1') && document.title.length > 0"), page
        assert window.js(WIDER_THAN_SCREEN) == [], page
        assert window.js("return document.querySelectorAll('main :is(script, img, b b)').length") == 0, page


AXE = """const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ['violations']}).then(found => done(found.violations.map(
    each => `${each.id}: ${each.help}: ${each.nodes.map(node => node.html).join(' ')}`.slice(0, 600))))"""


@pytest.fixture(scope="module")
def axe() -> str:
    try:
        return axe_script()
    except ServiceError as error:
        unavailable(str(error))


@pytest.mark.parametrize(("scheme", "size"), SCHEMES_AND_SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_that_keeps_anybody_from_using_a_page(
    window: Window, axe: str, name: str, scheme: str, size: str
) -> None:
    window.cdp("Emulation.setDeviceMetricsOverride", **SIZES[size])
    window.prefer(scheme)
    window.open(PAGES[name])
    window.js(axe)
    assert window.js_later(AXE) == []


def test_a_page_that_has_lost_its_server_can_be_used_by_everybody_too(window: Window, axe: str) -> None:
    window.open("/")
    lose_the_server(window)
    window.js(axe)
    assert window.js_later(AXE) == []


# Keys


def test_a_slash_leads_to_the_search(window: Window) -> None:
    window.open("/")
    window.press("/")
    assert window.js("return document.activeElement.id") == "search"
    window.press("shop", Keys.ENTER)
    eventually(lambda: window.js("return location.search") == "?q=shop")


def test_arrows_move_from_line_to_line(window: Window) -> None:
    window.open("/")
    told = []
    for key in (Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP):
        window.press(key)
        told.append(window.js("return document.activeElement.innerText"))
    assert told == ["berlin", "shop:search", "berlin"]
    window.press(Keys.ENTER)
    eventually(lambda: window.js("return location.pathname") == "/hosts/berlin")


def test_a_question_mark_tells_the_keys_and_escape_ends_that(window: Window) -> None:
    window.open("/")
    window.press("?")
    assert window.find("#help").is_displayed()
    window.press(Keys.ESCAPE)
    assert not window.find("#help").is_displayed()


def test_a_command_can_be_copied(window: Window) -> None:
    window.open("/")
    button = window.find("button.copy")
    button.click()
    eventually(lambda: button.text.splitlines()[0] in ("Copied", "Press Ctrl-C"), what="the button says what to do")


# What is heard, and what works without a script


def test_a_change_of_the_verdict_is_announced_politely(window: Window) -> None:
    window.open("/")
    announced = window.find("#announce")
    assert (announced.get_attribute("aria-live"), announced.get_attribute("textContent")) == ("polite", "")
    Container.objects.filter(id="shop:cache").update(state="running")
    eventually(lambda: "8 things want you." in str(announced.get_attribute("textContent")), what="it is said")


def test_without_javascript_a_page_says_all_and_says_to_reload(window: Window) -> None:
    window.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        window.open("/")
        text = window.find("body").text
    finally:
        window.cdp("Emulation.setScriptExecutionDisabled", value=False)
    assert "9 things want you." in text
    assert "UTC. Reload for news." in text
    assert "Copy" not in text


def says(window: Window, text: str) -> bool:
    """Tell whether a page holds a text; another page may just come."""
    with contextlib.suppress(StaleElementReferenceException):
        return text in window.find("body").text
    return False


def test_without_javascript_whoever_is_on_call_acknowledges_all_the_same(window: Window) -> None:
    window.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        window.open("/")
        window.find("button.acknowledge").click()
        eventually(lambda: says(window, "Acknowledged: nobody is reminded of it any more."), what="the page says so")
    finally:
        window.cdp("Emulation.setScriptExecutionDisabled", value=False)
    assert Incident.objects.get(subject="berlin").acknowledged_by == "admin"


def test_the_keyboard_acknowledges_and_what_came_of_it_is_announced(window: Window) -> None:
    window.open("/")
    window.js("document.querySelector('button.acknowledge').focus()")
    window.press(Keys.ENTER)
    eventually(lambda: Incident.objects.get(subject="berlin").acknowledged_by == "admin", what="it is acknowledged")
    eventually(lambda: window.find("#announce").get_attribute("textContent") == "Acknowledged.", what="it is said")
    eventually(lambda: "acknowledged by admin" in window.find("[id='host:berlin']").text, what="the line says so")
    assert window.js("return document.activeElement.closest('li').id") == "host:berlin"


def test_what_could_not_be_acknowledged_says_so_and_can_be_tried_again(window: Window) -> None:
    window.open("/")
    window.block("*/incidents/acknowledge", "*/api/v1/changes*")
    button = window.find("button.acknowledge")
    button.click()
    eventually(lambda: "Not acknowledged: try again" in button.text, what="the button says so")
    window.block("*/api/v1/changes*")
    button.click()
    eventually(lambda: Incident.objects.get(subject="berlin").acknowledged_by == "admin", what="it is acknowledged")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_a_page_moves_while_it_loads_and_nothing_is_asked_for_elsewhere(window: Window, name: str) -> None:
    window.open(PAGES[name])
    assert window.js_later(SHIFTS) == 0
    files = window.js("return performance.getEntriesByType('resource').map(file => file.name)")
    assert [name for name in files if not name.startswith(window.url)] == []


SHIFTS = """const done = arguments[arguments.length - 1];
let sum = 0;
new PerformanceObserver(list => { for (const each of list.getEntries()) sum += each.value; })
    .observe({type: 'layout-shift', buffered: true});
setTimeout(() => done(Math.round(sum * 1000) / 1000), 300)"""


def test_the_first_page_is_small_with_a_hundred_workloads_and_as_many_incidents(
    admin_client: Client, local: Host
) -> None:
    RENDERINGS.forget()
    names = [f"workload-{number:03}" for number in range(100)]
    Workload.objects.bulk_create(Workload(id=name, ref_id=name, name=name) for name in names)
    rows = [
        Container(id=f"{name}:{role}", workload_id=name, role=role, container_id=cid(name + role), state="running")
        for name in names
        for role in ("web", "worker", "db")
    ]
    Container.objects.bulk_create(rows)
    channel("ops")
    fire_all([f"{name}:web" for name in names], at=timezone.now(), host="local", condition="oom", severity="notify")
    assert len(gzip.compress(admin_client.get("/").content)) < 100_000
