"""The settings by which people are told: mail, webhooks, the keys of what is kept secret, and the heartbeat."""

from typing import Any
from urllib.parse import urlsplit

from tinyforge.env import Env, wrong

PORTS = {"NONE": 25, "STARTTLS": 587, "TLS": 465}


def alerting(env: Env, *, site: str) -> dict[str, Any]:
    """Return the settings; `site` is the site's address if the environment does not name it."""
    security = env.choice("EMAIL_SECURITY", "STARTTLS", list(PORTS))
    return {
        "EMAIL_HOST": env.text("EMAIL_HOST", "localhost"),
        "EMAIL_PORT": env.whole("EMAIL_PORT", PORTS[security], least=1, most=65_535),
        "EMAIL_HOST_USER": env.text("EMAIL_HOST_USER"),
        "EMAIL_HOST_PASSWORD": env.secret("EMAIL_HOST_PASSWORD"),
        "EMAIL_USE_TLS": security == "STARTTLS",
        "EMAIL_USE_SSL": security == "TLS",
        "EMAIL_TIMEOUT": env.number("EMAIL_TIMEOUT", 10, above=0, most=30),
        "DEFAULT_FROM_EMAIL": env.text("EMAIL_FROM", "container-index@localhost"),
        "WEBHOOK_NETWORKS": env.networks("WEBHOOK_NETWORKS"),
        "CHANNEL_KEYS": [key for raw in env.secret("CHANNEL_KEYS").split(",") if (key := raw.strip())],
        "HEARTBEAT_URL": _address(env, "HEARTBEAT_URL", ""),
        "SITE_URL": _address(env, "SITE_URL", site).rstrip("/"),
    }


def site_of(hosts: list[str], *, https: bool) -> str:
    """Return the address of the site as far as the names that it answers to tell."""
    name = next((host.lstrip(".") for host in hosts if host.strip("*.")), "localhost")
    return f"{'https' if https else 'http'}://{name}"


def _address(env: Env, name: str, default: str) -> str:
    value = env.text(name, default)
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise wrong(name, "…", "an address that begins with http:// or https://")
    return value
