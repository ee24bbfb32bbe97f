"""Logins at a real OpenID Connect provider, over HTTP: who gets in, as whom, and what is refused."""

from collections.abc import Iterator

import pytest
import requests
from django.contrib.auth.models import User

from dev.index import Processes
from dev.process import ServiceError
from tests.acceptance.identity_provider import (
    ANSWER_SECONDS,
    CLIENT_ID,
    CLIENT_SECRET,
    Browser,
    IdentityProvider,
    parameter,
)
from tests.acceptance.site import Web
from tests.conftest import unavailable
from tests.environment import DIRECTORY

pytestmark = pytest.mark.slow

PEOPLE = {
    "vera": ["tinyforge-viewer"],
    "otto": ["tinyforge-operator", "tinyforge-viewer"],
    "sue": ["tinyforge-superuser"],
    "nemo": ["the group of something else"],
}


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    made = IdentityProvider(DIRECTORY / "idp", PEOPLE)
    try:
        made.start()
    except ServiceError as error:
        unavailable(str(error))
    yield made
    made.stop()


@pytest.fixture
def browser(processes: Processes, provider: IdentityProvider) -> Browser:
    """A browser that is not logged in, before an index whose people log in at the provider."""
    web = Web(processes)
    web.start(workers=1, **provider.environment())
    return Browser(f"http://127.0.0.1:{web.port}")


def test_who_has_a_role_at_the_provider_logs_in_there_and_sees_the_page_he_wanted(browser: Browser) -> None:
    page = browser.log_in("vera", "/containers")
    assert (page.status_code, page.url) == (200, f"{browser.site}/containers")


def test_both_pages_for_logins_lead_to_the_provider(browser: Browser) -> None:
    for page in ("/login?next=/containers", "/admin/login/?next=/containers"):
        assert 'href="/oidc/authenticate/?next=%2Fcontainers"' in browser.get(browser.site + page).text


@pytest.mark.parametrize(
    ("name", "superuser", "staff", "groups"),
    [("vera", False, False, ["viewer"]), ("otto", False, True, ["operator"]), ("sue", True, True, [])],
)
def test_everybody_gets_the_most_powerful_role_that_the_provider_gives_him(
    browser: Browser, name: str, superuser: bool, staff: bool, groups: list[str]
) -> None:
    browser.log_in(name)
    account = User.objects.get()
    assert account.username.startswith("oidc:")
    assert (account.is_superuser, account.is_staff) == (superuser, staff)
    assert [group.name for group in account.groups.all()] == groups
    assert browser.status_of("/admin/") == (200 if staff else 302)


def test_who_has_no_role_at_the_provider_is_refused_and_gets_no_account(browser: Browser) -> None:
    page = browser.log_in("nemo")
    assert "gives you no role here" in page.text
    assert browser.status_of("/") == 302
    assert not User.objects.exists()


def test_an_account_with_a_password_is_nobodys_at_the_provider(browser: Browser) -> None:
    User.objects.create_superuser("vera", email="vera@example.org", password="her own")
    browser.log_in("vera")
    assert User.objects.get(username="vera").last_login is None
    assert browser.status_of("/admin/") == 302


def test_a_role_that_was_taken_away_is_gone_at_the_next_login(browser: Browser) -> None:
    browser.log_in("vera")
    User.objects.update(is_superuser=True, is_staff=True)
    browser.log_in("vera")
    assert User.objects.filter(is_superuser=False, is_staff=False).count() == 1


def test_an_account_that_was_switched_off_here_stays_out(browser: Browser) -> None:
    browser.log_in("vera")
    User.objects.update(is_active=False)
    other = Browser(browser.site)
    other.log_in("vera")
    assert other.status_of("/") == 302


@pytest.mark.parametrize("state", ["another", ""])
def test_an_answer_with_a_state_that_this_browser_was_not_given_logs_nobody_in(browser: Browser, state: str) -> None:
    back = browser.log_in_at_provider(browser.ask_to_log_in(), "vera")
    browser.get(back.replace(parameter(back, "state"), state))
    assert browser.status_of("/") == 302


def test_an_answer_that_was_meant_for_another_browser_logs_nobody_in(browser: Browser) -> None:
    back = browser.log_in_at_provider(browser.ask_to_log_in(), "vera")
    other = Browser(browser.site)
    other.ask_to_log_in()
    other.get(back)
    assert other.status_of("/") == 302


def test_an_answer_logs_in_once(browser: Browser) -> None:
    back = browser.log_in_at_provider(browser.ask_to_log_in(), "vera")
    browser.get(back)
    browser.get(f"{browser.site}/login")
    used_again = Browser(browser.site)
    used_again.get(back)
    assert (browser.status_of("/"), used_again.status_of("/")) == (200, 302)


def test_the_provider_gives_tokens_only_to_who_knows_the_verifier(browser: Browser, provider: IdentityProvider) -> None:
    asked = browser.ask_to_log_in()
    assert parameter(asked, "code_challenge_method") == "S256"
    back = browser.log_in_at_provider(asked, "vera")
    stolen = {
        "grant_type": "authorization_code",
        "code": parameter(back, "code"),
        "redirect_uri": f"{browser.site}/oidc/callback/",
        "code_verifier": "a" * 64,
    }
    answer = requests.post(
        provider.document()["token_endpoint"],
        data=stolen,
        auth=(CLIENT_ID, CLIENT_SECRET),
        timeout=ANSWER_SECONDS,
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_provider_that_does_not_answer_lets_nobody_in(browser: Browser, provider: IdentityProvider) -> None:
    back = browser.log_in_at_provider(browser.ask_to_log_in(), "vera")
    provider.stop()
    try:
        page = browser.get(back, follow=True)
        assert page.status_code == 200
        assert "The login at the provider failed" in page.text
        assert browser.status_of("/") == 302
    finally:
        provider.start()
