"""Logins by OIDC: nobody gets in with a token that is not the provider's word about him, made for this site, now."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import User
from django.test import Client
from django.urls import include, path
from mozilla_django_oidc.views import OIDCAuthenticationRequestView
from pytest_django.fixtures import Settings

from tinyforge.env import Env
from tinyforge.oidc import oidc
from web.oidc import Callback

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [
    path("oidc/callback/", Callback.as_view(), name="oidc_authentication_callback"),
    path("oidc/authenticate/", OIDCAuthenticationRequestView.as_view(), name="oidc_authentication_init"),
    path("", include("web.urls")),
]
KEY, STRANGERS_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
SITE = "index"


class Provider(ThreadingHTTPServer):
    """A provider that says whatever a test wants: in its token, and when it is asked about a person."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = KEY
        self.token: dict[str, Any] = {"iss": self.url, "aud": SITE, "sub": "7", "exp": time.time() + 60}
        self.person: dict[str, Any] = {"sub": "7", "groups": ["tinyforge-viewer"]}

    def answer(self, path: str) -> dict[str, Any]:
        """Return what is said at a path."""
        if path == "/token":
            return {"access_token": "a", "id_token": jwt.encode(self.token, self.key, "RS256", headers={"kid": "1"})}
        if path == "/keys":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            return {"keys": [public | {"kid": "1", "alg": "RS256"}]}
        return self.person


class Answers(BaseHTTPRequestHandler):
    """Gives the provider's answers."""

    server: Provider

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps(self.server.answer(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    """A provider, at which the index lets people log in."""
    with Provider() as server:
        told = {"ISSUER": "", "AUTHORIZATION_ENDPOINT": "/", "TOKEN_ENDPOINT": "/token", "JWKS_URI": "/keys"}
        told |= {"USERINFO_ENDPOINT": "/person"}
        variables = {f"OIDC_{name}": server.url + path for name, path in told.items()}
        settings.OIDC = oidc(Env(variables | {"OIDC_CLIENT_ID": SITE, "OIDC_CLIENT_SECRET": "s"}))
        for name, value in settings.OIDC.items():
            setattr(settings, name, value)
        settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, "web.oidc.Provider"]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def log_in(client: Client, provider: Provider) -> bool:
    """Log in, with a token that answers this login, and tell whether the site opens."""
    asked = parse_qs(urlsplit(client.get("/oidc/authenticate/")["Location"]).query)
    provider.token.setdefault("nonce", asked["nonce"][0])
    client.get("/oidc/callback/", {"code": "c", "state": asked["state"][0]})
    return "_auth_user_id" in client.session


def test_the_providers_word_lets_somebody_in(client: Client, provider: Provider) -> None:
    assert log_in(client, provider)
    assert User.objects.get().username == "oidc:7"


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", "https://another.example.org"),
        ("aud", "another site"),
        ("aud", ["another site"]),
        ("azp", "another site"),
        ("exp", 1),
        ("exp", None),
        ("nonce", "that of another login"),
        ("nonce", None),
        ("sub", None),
        ("sub", "8"),
    ],
)
def test_a_wrong_token_lets_nobody_in(client: Client, provider: Provider, claim: str, value: object) -> None:
    provider.token[claim] = value
    if value is None and claim != "nonce":
        del provider.token[claim]
    assert not log_in(client, provider)
    assert not User.objects.exists()


def test_a_token_that_somebody_else_has_signed_lets_nobody_in(client: Client, provider: Provider) -> None:
    provider.key = STRANGERS_KEY
    assert not log_in(client, provider)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("groups", []),
        ("groups", None),
        ("groups", "tinyforge"),
        ("groups", {"tinyforge-viewer": True}),
        ("groups", ["viewer", "superuser", 7, None]),
    ],
)
def test_who_is_given_no_role_stays_out(client: Client, provider: Provider, claim: str, value: object) -> None:
    provider.person[claim] = value
    assert not log_in(client, provider)
    assert not User.objects.exists()


@pytest.mark.parametrize("subject", ["x" * 200, "a\0b", "a\nb"])
def test_a_subject_that_no_account_can_have_stays_out(client: Client, provider: Provider, subject: str) -> None:
    provider.token["sub"] = provider.person["sub"] = subject
    assert not log_in(client, provider)


def test_the_role_may_stand_in_the_token_and_be_a_single_word(client: Client, provider: Provider) -> None:
    provider.token["groups"] = "tinyforge-superuser"
    del provider.person["groups"]
    log_in(client, provider)
    assert User.objects.get().is_superuser


@pytest.mark.parametrize(
    ("told", "kept"), [("ann@example.org", "ann@example.org"), ("a\0b", ""), (7, ""), ("x" * 300, "")]
)
def test_the_address_is_kept_as_far_as_it_can_be(client: Client, provider: Provider, told: object, kept: str) -> None:
    provider.person["email"] = told
    log_in(client, provider)
    assert User.objects.get().email == kept


def test_logins_that_fail_at_the_provider_lock_nobody_out(client: Client, provider: Provider) -> None:
    provider.person["groups"] = []
    for _ in range(6):
        log_in(client, provider)
    provider.person["groups"] = ["tinyforge-viewer"]
    provider.token.pop("nonce")
    assert log_in(client, provider)


def test_a_refusal_by_the_provider_is_told_on_the_page_for_logins(client: Client, provider: Provider) -> None:
    asked = parse_qs(urlsplit(client.get("/oidc/authenticate/")["Location"]).query)
    answer = client.get("/oidc/callback/", {"error": "access_denied", "state": asked["state"][0]}, follow=True)
    assert "The login at the provider failed" in answer.content.decode()


def test_nobody_is_logged_out_by_an_answer_that_he_did_not_ask_for(client: Client, provider: Provider) -> None:
    log_in(client, provider)
    client.get("/oidc/callback/", {"error": "access_denied", "state": "another"})
    assert "_auth_user_id" in client.session
