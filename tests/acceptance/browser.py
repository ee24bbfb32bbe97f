"""A real Chromium for tests: how it is started, and what a person does in it."""

import base64
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from dev.packages import find_program, has_browser
from tests.conftest import unavailable
from tests.waiting import eventually

LAPTOP = {"width": 1366, "height": 768, "deviceScaleFactor": 1, "mobile": False}
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def start_chromium(profile: Path) -> webdriver.Chrome:
    """Start a headless Chromium with an empty profile; nothing is downloaded, because both programs are named."""
    if not has_browser():
        unavailable("no chromium and chromedriver here; python -m dev.packages installs them")
    options = Options()
    options.binary_location = str(find_program("chromium"))
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    try:
        return webdriver.Chrome(options=options, service=Service(str(find_program("chromedriver"))))
    except WebDriverException as error:
        unavailable(f"Chromium does not start: {error.msg}")


class Window:
    """What a person does and sees in a browser."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self._driver = driver
        self.url = url
        self.cdp("Emulation.setDeviceMetricsOverride", **LAPTOP)
        self.prefer("light")

    def cdp(self, command: str, **arguments: Any) -> Any:
        """Send a command to Chromium's developer tools."""
        return self._driver.execute_cdp_cmd(command, arguments)

    def js(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns."""
        return self._driver.execute_script(script, *arguments)

    def js_later(self, script: str) -> Any:
        """Return what a script hands to the function that is its last argument."""
        return self._driver.execute_async_script(script)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        ActionChains(self._driver).send_keys(*keys).perform()

    def prefer(self, scheme: str) -> None:
        """Let the browser behave as if the user preferred a colour scheme."""
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def sign_in(self, client: Client) -> None:
        """Log in by taking over the session of a Django test client."""
        name = settings.SESSION_COOKIE_NAME
        self.cdp("Network.setCookie", name=name, value=client.cookies[name].value, url=self.url)

    def forget(self) -> None:
        """Log out and delete what the browser has stored."""
        self._driver.get("about:blank")
        self.cdp("Network.clearBrowserCookies")
        self.cdp("Storage.clearDataForOrigin", origin=self.url, storageTypes="all")

    def block(self, *addresses: str) -> None:
        """Let no request get through to these addresses, which may hold `*`."""
        self.cdp("Network.enable")
        self.cdp("Network.setBlockedURLs", urls=list(addresses))

    def open(self, path: str) -> None:
        """Go to a page."""
        self._driver.get(f"{self.url}{path}")

    def find(self, selector: str) -> WebElement:
        """Return an element."""
        return self._driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, text: str, within: str = "body") -> None:
        """Click the link with this text."""
        self.follow(self.find(within).find_element(By.LINK_TEXT, text))

    def follow(self, element: WebElement) -> None:
        """Click what leads to another page, and wait for that page, which begins to load a moment after the click."""
        self.js("window.isLeft = true")
        element.click()
        eventually(self._has_arrived, what="another page")

    def _has_arrived(self) -> bool:
        try:
            return bool(self.js("return !window.isLeft && document.readyState === 'complete'"))
        except WebDriverException:
            # the old page is gone and the new one is not there yet
            return False

    def picture(self, path: Path) -> None:
        """Keep a picture of the whole page, as long as it is."""
        shot = self.cdp("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
