"""Settings of logins by OIDC: off unless an issuer is named, and then complete and over TLS."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from tinyforge.env import Env
from tinyforge.oidc import oidc

COMPLETE = {
    "OIDC_ISSUER": "https://id.example.org",
    "OIDC_AUTHORIZATION_ENDPOINT": "https://id.example.org/authorize",
    "OIDC_TOKEN_ENDPOINT": "https://id.example.org/token",
    "OIDC_USERINFO_ENDPOINT": "https://id.example.org/userinfo",
    "OIDC_JWKS_URI": "https://id.example.org/keys",
    "OIDC_CLIENT_ID": "index",
    "OIDC_CLIENT_SECRET": "a secret",
}


def test_there_are_no_settings_without_an_issuer() -> None:
    assert oidc(Env({name: value for name, value in COMPLETE.items() if name != "OIDC_ISSUER"})) == {}


def test_pkce_is_on() -> None:
    assert oidc(Env(COMPLETE))["OIDC_USE_PKCE"] is True


@pytest.mark.parametrize("name", sorted(set(COMPLETE) - {"OIDC_ISSUER"}))
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        oidc(Env(COMPLETE | {name: ""}))


@pytest.mark.parametrize("name", sorted(name for name, value in COMPLETE.items() if value.startswith("https:")))
def test_a_provider_is_asked_without_tls_on_this_machine_only(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        oidc(Env(COMPLETE | {name: "http://id.example.org/"}))
    assert oidc(Env(COMPLETE | {name: "http://127.0.0.1:8000/"}))


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyforge.oidc.find_spec", lambda _: None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install --require-hashes -r requirements-oidc\.txt"):
        oidc(Env(COMPLETE))
