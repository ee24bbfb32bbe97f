"""The pages in a real Chromium: how they look, and that they fit, in light and dark, on a laptop and on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from selenium import webdriver

from dev.place import PROJECT
from reconciler.models import Container, Host, Workload
from tests.acceptance.browser import LAPTOP, PHONE, Window, start_chromium
from tests.acceptance.fleet import make_fleet
from tests.pages import HOSTILE
from web.pages.live import RENDERINGS

PAGES = {
    "overview": "/",
    "containers": "/containers",
    "container": "/containers/metrics:db",
    "workload": "/workloads/shop",
    "host": "/hosts/berlin",
    "changes": "/changes",
    "login": "/login",
}
SCREENS = PROJECT / "var" / "screens"
SIZES = {"laptop": LAPTOP, "phone": PHONE}
WIDER_THAN_SCREEN = """return [...document.querySelectorAll('body, body *')]
    .filter(box => box.checkVisibility() && !box.closest('.sr, .skip, dialog'))
    .filter(box => box.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(box => `${box.localName}.${box.className}: ${box.innerText}`.slice(0, 120))"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A headless Chromium with an empty profile."""
    driver = start_chromium(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture
def window(chromium: webdriver.Chrome, live_server: Any, admin_client: Client, local: Host) -> Iterator[Window]:
    """A browser in which somebody is logged in, before a fleet in every condition."""
    RENDERINGS.forget()
    make_fleet()
    window = Window(chromium, live_server.url)
    window.sign_in(admin_client)
    # a stream would outlive its test
    window.block("*/api/v1/changes*")
    yield window
    window.block()
    window.forget()


def picture(name: str) -> Path:
    SCREENS.mkdir(parents=True, exist_ok=True)
    return SCREENS / f"{name}.png"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_screen_and_its_picture_is_kept(window: Window, name: str, scheme: str, size: str) -> None:
    window.cdp("Emulation.setDeviceMetricsOverride", **SIZES[size])
    window.prefer(scheme)
    window.open(PAGES[name])
    window.picture(picture(f"{name}-{scheme}-{size}"))
    assert window.js(WIDER_THAN_SCREEN) == []


@pytest.mark.parametrize("name", ["overview", "containers", "container", "workload", "changes"])
@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_is_named_however_the_page_fits_a_phone_of_360_pixels(window: Window, name: str, text: str) -> None:
    Container.objects.update(image_ref=text[:255], role=text[:100])
    Workload.objects.update(name=text[:255])
    window.cdp("Emulation.setDeviceMetricsOverride", **PHONE | {"width": 360})
    window.open(PAGES[name])
    assert window.js(WIDER_THAN_SCREEN) == []
    assert window.js("return document.title.length > 0 && !window.hacked")
