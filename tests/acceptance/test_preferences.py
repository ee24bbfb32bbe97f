"""Pages in a real Chromium as readers prefer them: with colours of their own, without motion, open for long."""

import pytest
from django.utils import timezone

from reconciler.models import Container, Transition
from tests.acceptance.browser import CONTRASTS, PAGES, Window, picture
from tests.waiting import eventually
from web.pages.live import RENDERINGS


@pytest.mark.parametrize("name", ["overview", "container", "host"])
def test_with_colours_of_the_reader_s_own_everything_stands_out_and_states_have_an_edge(
    window: Window, name: str
) -> None:
    window.prefer("dark", forced_colors="active")
    window.open(PAGES[name])
    window.picture(picture(f"{name}-forced-colours"))
    contrasts = window.js(CONTRASTS)
    assert len(contrasts) > 30
    assert [(text, round(ratio, 1)) for text, ratio, needed in contrasts if ratio < needed] == []
    assert set(window.js(EDGES)) <= {"solid", "dashed"}
    assert len(set(window.js(FILLS))) == 3


EDGES = """return [...document.querySelectorAll('.state, .mark, .thing, .verdict')]
    .map(each => getComputedStyle(each).borderLeftStyle.replace('double', 'solid'))"""
FILLS = """return [...document.querySelectorAll('.tl-up, .tl-down, .tl-unknown')]
    .map(each => getComputedStyle(each).fill)"""


@pytest.mark.parametrize(("motion", "moves"), [("reduce", 0), ("no-preference", 1)])
def test_what_is_new_is_pointed_out_by_motion_only_to_readers_who_like_it(
    window: Window, motion: str, moves: int
) -> None:
    window.prefer("light", prefers_reduced_motion=motion)
    window.open("/")
    window.js("document.addEventListener('animationstart', () => window.moved = 1, true); window.moved = 0")
    Container.objects.filter(id="metrics:api").update(state="missing")
    eventually(lambda: window.js("return document.querySelector('.thing.is-news') !== null"))
    window.js_later("const done = arguments[arguments.length - 1]; setTimeout(done, 100)")
    assert window.js("return window.moved") == moves


@pytest.mark.slow
def test_a_page_through_which_a_thousand_changes_have_gone_is_not_larger_than_before(window: Window) -> None:
    """I19."""
    window.open("/")
    change_many(window, turns=15)
    before = window.weight()
    change_many(window, turns=85)
    after = window.weight()
    assert after["Nodes"] <= before["Nodes"] * 1.05
    assert after["JSEventListeners"] <= before["JSEventListeners"]
    assert after["JSHeapUsedSize"] <= before["JSHeapUsedSize"] + 500_000


def change_many(window: Window, turns: int) -> None:
    """Let each of so many turns bring a dozen changes into the page; afterwards it shows what it showed before."""
    up = Container.objects.filter(state="running", host="local")
    ids = list(up.values_list("id", flat=True))
    for turn in range(turns):
        state = "running" if turn % 2 else "stopped"
        Container.objects.filter(id__in=ids).update(state=state, exit_code=None if turn % 2 else turn)
        # of rows that are gone, since a step of a row that is there would add to its timeline
        entries = [Transition(row_id=f"{each}-{turn}", host_id="local", at=timezone.now()) for each in ids]
        Transition.objects.bulk_create(entries)
        RENDERINGS.forget()
        window.js_later(ASK)


ASK = """const done = arguments[arguments.length - 1];
const go = () => live.asking ? setTimeout(go, 5) : ask().then(done);
go();"""
