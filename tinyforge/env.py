"""Strict readers of the environment: a wrong value stops start-up and says what is allowed."""

import math
import os
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from reconciler.core.engine_url import without_password

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class Env:
    """Reads variables; every method raises ImproperlyConfigured naming variable, value and what is allowed."""

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
        self._variables = variables

    def text(self, name: str, default: str = "") -> str:
        """Return a text without surrounding white space; empty counts as unset."""
        return self._variables.get(name, "").strip() or default

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value."""
        value = self.text(name).lower()
        if not value:
            return default
        if value not in _TRUE | _FALSE:
            raise wrong(name, value, "1, true, yes, on, 0, false, no or off")
        return value in _TRUE

    def number(self, name: str, default: float, *, above: float | None = None, most: float | None = None) -> float:
        """Return a finite number, in the unit the setting's documentation names."""
        value = self.text(name)
        allowed = "a number"
        if above is not None:
            allowed += f" greater than {above:g}"
        if most is not None:
            allowed += f"{' and' if above is not None else ''} not greater than {most:g}"
        try:
            number = float(value or default)
        except ValueError:
            raise wrong(name, value, allowed) from None
        in_range = (above is None or number > above) and (most is None or number <= most)
        if not in_range or not math.isfinite(number):
            raise wrong(name, value, allowed)
        return number

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number within a range."""
        value = self.text(name)
        allowed = f"a whole number from {least} to {most}"
        try:
            number = int(value or default)
        except ValueError:
            raise wrong(name, value, allowed) from None
        if not least <= number <= most:
            raise wrong(name, value, allowed)
        return number

    def words(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """Return the parts of a comma-separated list."""
        return [part for raw in self.text(name).split(",") if (part := raw.strip())] or list(default)

    def networks(self, name: str) -> list[str]:
        """Return a comma-separated list of addresses and networks, each as a network."""
        words = self.words(name)
        try:
            return [str(ip_network(word)) for word in words]
        except ValueError as error:
            raise wrong(
                name, ",".join(words), f"addresses and networks such as 127.0.0.1,10.0.0.0/8 ({error})"
            ) from None

    def choice(self, name: str, default: str, allowed: Sequence[str]) -> str:
        """Return one of the allowed words, which are upper-case."""
        value = self.text(name, default).upper()
        if value not in allowed:
            raise wrong(name, value, ", ".join(allowed))
        return value

    def url(self, name: str, default: str, schemes: Sequence[str]) -> str:
        """Return a URL with one of the allowed schemes."""
        value = self.text(name, default)
        allowed = " or ".join(f"{scheme}://…" for scheme in schemes)
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            # the error's own text may quote a password
            raise wrong(name, without_password(value), f"{allowed}, with a number as its port") from None
        if parts.scheme not in schemes or not (parts.netloc or parts.path.strip("/")):
            raise wrong(name, without_password(value), allowed)
        return value

    def secret(self, name: str) -> str:
        """Return a secret from `NAME` or from the file that `NAME_FILE` names, or nothing."""
        if value := self.text(name):
            return value
        path = self.text(f"{name}_FILE")
        if not path:
            return ""
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise wrong(f"{name}_FILE", path, f"a readable text file ({error})") from None
        if not value:
            raise wrong(f"{name}_FILE", path, "a file that is not empty")
        return value


def wrong(name: str, value: str, allowed: str) -> ImproperlyConfigured:
    """Return the error for a setting's wrong value."""
    return ImproperlyConfigured(f"{name}={value!r} is not usable; allowed: {allowed}")


def followers_most(env: Env) -> int:
    """Return how many may follow the feed in one web process: the application and its server go by it."""
    return env.whole("FOLLOWERS_MOST", 200, least=0, most=10_000)
