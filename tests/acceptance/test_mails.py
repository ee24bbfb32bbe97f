"""Mails in a real Chromium, as wide as a phone: they fit, can be read, and their pictures are kept."""

from pathlib import Path

import pytest
from selenium import webdriver

from alerts.core.letter import Letter
from alerts.sending.rendering import rendered
from tests.acceptance.browser import CONTRASTS, PHONE, Window, picture
from tests.acceptance.test_screens import WIDER_THAN_SCREEN
from tests.letters import NOW, entries, entry, letter

SITE = "https://index.example.org"
ENDED = entry(
    "sample-shop:worker",
    short="ended",
    sentence="ended with an error",
    where="berlin, workload sample-shop",
    why=[
        "container 7aa47cd9f548 (shop-worker) is stopped",
        "exit 139 (crashed)",
        "image example.org/shop:2.4",
    ],
    link=f"{SITE}/containers/sample-shop:worker",
)
MUTE = "make a silence in the admin, for host berlin or for one workload; or give the container tinyforge.alerts=off"
LETTERS = {
    "begun": letter(begun=entries(ENDED), stands=entries(entry("blog:site")), mute=MUTE, link=f"{SITE}/"),
    "mass": letter(
        begun=entries(*(entry(f"shop:{number}") for number in range(5)), left_out=4_995),
        over=entries(entry("blog:db", over_at=NOW, link=f"{SITE}/containers/blog:db"), left_out=12),
        mute=MUTE,
        link=f"{SITE}/",
    ),
    "over": letter(over=entries(entry("sample-shop:worker", short="ended", over_at=NOW)), link=f"{SITE}/"),
    "host": letter(
        begun=entries(entry("host berlin", short="cannot be seen", where="", why=["timed out"])),
        severity="page",
    ),
    "hostile": letter(begun=entries(entry("w" * 300, where="<b>" + "h" * 200, why=["y" * 900])), mute="m" * 300),
    "test": letter(is_test=True, severity="", host="", link=f"{SITE}/"),
}


@pytest.mark.parametrize("name", sorted(LETTERS))
def test_a_mail_fits_a_phone_and_can_be_read(chromium: webdriver.Chrome, tmp_path: Path, name: str) -> None:
    shown: Letter = LETTERS[name]
    mail = rendered(shown)
    (tmp_path / "mail.html").write_text(mail.html)
    window = Window(chromium, "")
    window.cdp("Emulation.setDeviceMetricsOverride", **PHONE | {"width": 360})
    chromium.get((tmp_path / "mail.html").as_uri())
    window.picture(picture(f"mail-{name}-phone"))
    assert chromium.title == mail.subject
    assert window.js(WIDER_THAN_SCREEN) == []
    assert [found for found in window.js(CONTRASTS) if found[1] < found[2]] == []
