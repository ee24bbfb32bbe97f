"""Settings of logins at an OpenID Connect provider: there are none unless OIDC_ISSUER names one."""

from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from tinyforge.env import Env, wrong

PROVIDER_SECONDS = 10
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
# The settings of mozilla-django-oidc, and the variables they come from, which are called as in a provider's own page.
ENDPOINTS = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "OIDC_AUTHORIZATION_ENDPOINT",
    "OIDC_OP_TOKEN_ENDPOINT": "OIDC_TOKEN_ENDPOINT",
    "OIDC_OP_USER_ENDPOINT": "OIDC_USERINFO_ENDPOINT",
    "OIDC_OP_JWKS_ENDPOINT": "OIDC_JWKS_URI",
}
_DECIDED = {
    "OIDC_CALLBACK_CLASS": "web.oidc.Callback",
    "OIDC_TIMEOUT": PROVIDER_SECONDS,
    # the one way to show the client's secret that every provider has to know (RFC 6749, 2.3.1)
    "OIDC_TOKEN_USE_BASIC_AUTH": True,
    "OIDC_USE_PKCE": True,
}
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


def oidc(env: Env) -> dict[str, Any]:
    """Return the settings that mozilla-django-oidc and web/oidc.py read; none without an issuer."""
    issuer = _address(env, "OIDC_ISSUER")
    needed = {setting: _address(env, variable) for setting, variable in ENDPOINTS.items()}
    needed["OIDC_RP_CLIENT_ID"] = env.text("OIDC_CLIENT_ID")
    needed["OIDC_RP_CLIENT_SECRET"] = env.secret("OIDC_CLIENT_SECRET")
    chosen = {
        "OIDC_RP_SCOPES": env.text("OIDC_SCOPES", "openid email"),
        "OIDC_RP_SIGN_ALGO": env.choice("OIDC_SIGN_ALGORITHM", "RS256", ALGORITHMS),
        "OIDC_ROLES_CLAIM": env.text("OIDC_ROLES_CLAIM", "groups"),
    }
    if not issuer:
        return {}
    _refuse_what_is_missing(issuer, needed)
    return {"OIDC_ISSUER": issuer, **needed, **chosen, **_DECIDED}


def _address(env: Env, name: str) -> str:
    """Return an address at the provider. Whoever can change its answers can log in, so it has to speak TLS."""
    if not env.text(name):
        return ""
    url = env.url(name, "", ["https", "http"])
    if url.startswith("http:") and urlsplit(url).hostname not in _THIS_MACHINE:
        raise wrong(name, url, "https://…, or http:// on this machine")
    return url


def _refuse_what_is_missing(issuer: str, needed: dict[str, str]) -> None:
    variables = ENDPOINTS | {"OIDC_RP_CLIENT_ID": "OIDC_CLIENT_ID", "OIDC_RP_CLIENT_SECRET": "OIDC_CLIENT_SECRET"}
    if missing := [variables[setting] for setting, value in needed.items() if not value]:
        raise ImproperlyConfigured(
            f"OIDC_ISSUER is set, so these must be set too: {', '.join(missing)}; the provider names its endpoints at "
            f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        )
    if find_spec("mozilla_django_oidc") is None:
        raise ImproperlyConfigured(
            "OIDC_ISSUER is set, but the package mozilla-django-oidc is not installed; "
            "run pip install --require-hashes -r requirements-oidc.txt"
        )
