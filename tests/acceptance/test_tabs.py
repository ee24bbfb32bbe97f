"""A tab in a real Chromium: it rests while nobody sees it, keeps what is open, and shows its reader's own time."""

import pytest

from dev.engine import DockerEngine
from dev.index import Processes
from reconciler.models import Container
from tests.acceptance.browser import Window
from tests.waiting import eventually
from web.pages.live import RENDERINGS

TEXT = "return document.body.innerText"
SHOW = """Object.defineProperty(document, 'hidden', {configurable: true, get: () => !arguments[0]});
document.dispatchEvent(new Event('visibilitychange'));"""
COUNT = (
    "window.asked = 0; const get = window.fetch; window.fetch = (...all) => { window.asked += 1; return get(...all); }"
)


def test_a_hidden_tab_asks_for_nothing_and_is_true_again_as_soon_as_it_is_seen(window: Window) -> None:
    window.open("/")
    eventually(lambda: window.js("return !live.asking"))
    window.js(SHOW, False)
    window.js(COUNT)
    Container.objects.filter(id="shop:cache").update(state="running")
    RENDERINGS.forget()
    assert window.js("return [live.stream, rest()]") == [None, 60_000]
    assert "9 things want you." in window.js(TEXT)
    assert window.js("return window.asked") == 0
    window.js(SHOW, True)
    eventually(lambda: "8 things want you." in window.js(TEXT), what="the tab is true again")


def test_a_part_that_is_open_stays_open_when_what_is_in_it_changes(window: Window) -> None:
    window.open("/")
    window.js("""document.querySelector('[data-part=itself]').innerHTML =
        '<details id="more"><summary>More</summary><p>old</p></details>'""")
    window.find("#more summary").click()
    window.js("""put('itself', '<details id="more"><summary>More</summary><p>new</p></details>')""")
    assert window.find("#more p").text == "new"
    assert window.js("return document.getElementById('more').open")


def test_moments_are_told_in_the_time_zone_of_the_browser_and_in_utc_for_who_points_at_them(window: Window) -> None:
    window.cdp("Emulation.setTimezoneOverride", timezoneId="Asia/Kathmandu")
    try:
        window.open("/containers/metrics:db")
        moments = window.js(MOMENTS)
    finally:
        window.cdp("Emulation.setTimezoneOverride", timezoneId="")
    assert moments
    assert [
        each for each in moments if not (each["text"].endswith(each["there"]) and each["title"] == each["utc"])
    ] == []


MOMENTS = """return [...document.querySelectorAll('time.clock')].map(each => {
    const at = new Date(each.dateTime);
    const there = new Intl.DateTimeFormat(undefined, {timeStyle: 'medium', timeZone: 'Asia/Kathmandu'}).format(at);
    const utc = at.toISOString().slice(0, 19).replace('T', ' ') + ' UTC';
    return {text: each.textContent, title: each.title, there, utc};
});"""


@pytest.mark.slow
def test_look_now_shows_what_came_of_it(window: Window, processes: Processes, docker_engine: DockerEngine) -> None:
    processes.worker(DOCKER_HOST=docker_engine.url)
    # after its boot nothing but a person makes this worker look
    here = Container.objects.filter(host="local").exclude(container_id="")
    eventually(lambda: not here.exclude(state="missing").exists(), what="the boot's passes are over")
    window.open("/hosts/local")
    before = window.js(LAST_LOOK)
    window.follow(window.find("form.ask button"))
    assert "A pass over host local was asked for." in window.js(TEXT)
    eventually(lambda: window.js(LAST_LOOK)[0] > before[0], what="the page shows the look")
    assert window.js(LAST_LOOK)[1].endswith(": it answered")


LAST_LOOK = """const terms = [...document.querySelectorAll('dt')];
const look = terms.find(each => each.textContent === 'Last look').nextSibling;
return [look.querySelector('time').dateTime, look.textContent];"""
