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
from dev.place import PROJECT
from tests.conftest import unavailable
from tests.waiting import eventually

LAPTOP = {"width": 1366, "height": 768, "deviceScaleFactor": 1, "mobile": False}
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
PAGES = {
    "overview": "/",
    "containers": "/containers",
    "container": "/containers/metrics:db",
    "workload": "/workloads/shop",
    "host": "/hosts/berlin",
    "changes": "/changes",
    "incident": "/incidents/1004",
    "api": "/api/v1/",
    "login": "/login",
}
SCREENS = PROJECT / "var" / "screens"
STATUS = "return performance.getEntriesByType('navigation')[0].responseStatus"
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
# for all visible text: the text and its contrast with what is painted behind it, by the formula of WCAG 2
CONTRASTS = """
const parse = colour => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const behind = box => {
    if (!box) return [255, 255, 255, 1];
    const colour = parse(getComputedStyle(box).backgroundColor);
    return colour[3] === 1 ? colour : over(colour, behind(box.parentElement));
};
const light = colour => colour.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const found = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim(), box = texts.currentNode.parentElement;
    if (!text || !box.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
    const back = behind(box), front = over(parse(getComputedStyle(box).color), back);
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const {fontSize, fontWeight} = getComputedStyle(box);
    const isLarge = parseFloat(fontSize) >= (fontWeight >= 700 ? 18.66 : 24);
    found.push([text, (high + 0.05) / (low + 0.05), isLarge ? 3 : 4.5]);
}
return found;
"""


def picture(name: str) -> Path:
    """Return where the picture of this name is kept."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    return SCREENS / f"{name}.png"


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

    def prefer(self, scheme: str, **more: str) -> None:
        """Let the browser behave as if the user preferred a colour scheme, and more: `forced_colors="active"`."""
        wanted = {"prefers-color-scheme": scheme} | {name.replace("_", "-"): value for name, value in more.items()}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.cdp("Emulation.setEmulatedMedia", features=features)

    def weight(self) -> dict[str, float]:
        """Return how many nodes and listeners a page has, and the bytes of its objects, after all garbage is gone."""
        self.cdp("Performance.enable")
        self.cdp("HeapProfiler.collectGarbage")
        metrics = {each["name"]: each["value"] for each in self.cdp("Performance.getMetrics")["metrics"]}
        return {name: metrics[name] for name in ("Nodes", "JSEventListeners", "JSHeapUsedSize")}

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
        """Go to a page, which has to be there."""
        self._driver.get(f"{self.url}{path}")
        status = self.js(STATUS)
        assert 200 <= status < 400, f"{path} was answered with {status}"

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
        """Keep a picture of the whole page, as long as it is, and as wide as it is without the bar for scrolling."""
        width, height = self.js("return [window.innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.cdp("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))
