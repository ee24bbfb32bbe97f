"""The URL of an Engine: which ones are accepted, what their parts are, and how a URL is shown.

The parts go to ssh configurations, shells among them, so only plain characters are accepted. Pure:
imports no framework, reads no clock, does no I/O.
"""

import re
from dataclasses import dataclass

SCHEMES = ("unix", "tcp", "http", "https", "ssh")
TLS_SCHEMES = frozenset({"tcp", "https"})
MAX_URL_CHARS = 512
MAX_PORT = 65_535

_HOST = re.compile(r"(?!-)[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_USER = re.compile(r"(?!-)[A-Za-z0-9._-]+", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_MACHINE = re.compile(r"(?P<host>\[[^]]*\]|[^:]*)(?::(?P<port>.*))?", re.DOTALL)
_MASK = "***"


class BadEngineUrl(ValueError):
    """The URL is not accepted for an Engine. The text says why, and never quotes the URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineUrl:
    """The parts of a URL. Parts that it does not name are empty, or 0 for the port. IPv6 addresses have no brackets."""

    scheme: str
    path: str = ""
    user: str = ""
    host: str = ""
    port: int = 0


def parse_engine_url(url: str) -> EngineUrl:
    """Return the parts of a URL. Raises BadEngineUrl for every URL that is not accepted for an Engine."""
    if len(url) > MAX_URL_CHARS:
        raise BadEngineUrl(f"it is longer than {MAX_URL_CHARS} characters")
    if not url.isprintable() or url != url.strip():
        raise BadEngineUrl("it holds a character that cannot be printed, or begins or ends with a space")
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in SCHEMES:
        raise BadEngineUrl(f"its scheme is none of {', '.join(SCHEMES)}")
    return _socket(rest) if scheme == "unix" else _machine(scheme, rest.removesuffix("/"))


def engine_url_problem(url: str) -> str:
    """Return in words why a URL is not accepted for an Engine, or nothing if it is."""
    try:
        parse_engine_url(url)
    except BadEngineUrl as error:
        return str(error)
    return ""


def scheme_of(url: str) -> str:
    """Return the scheme of a URL, or of whatever text was given for one, in lower case."""
    return url.partition("://")[0].lower()


def shown_url(url: str) -> str:
    """Return an Engine's URL as it may be shown; if it is not accepted, without user, password and query."""
    if not engine_url_problem(url):
        return url
    shown = without_password(url)[:MAX_URL_CHARS]
    return shown if shown.isprintable() else ascii(shown)[1:-1]


def without_password(url: str) -> str:
    """Return a URL, or a text that was meant to be one, without user, password and query, so that it may be shown."""
    head, at, tail = url.rpartition("@")
    scheme, separator, _ = (head if at else url).partition("://")
    prefix = f"{scheme}://" if separator else ""
    place, query, _ = (tail if at else url.removeprefix(prefix)).partition("?")
    machine, slash, path = place.partition("/")
    parts = _MACHINE.fullmatch(machine)
    if separator and not at and (parts is None or (parts["port"] and not (parts["host"] and _is_port(parts["port"])))):
        # a password without its machine, or with a slash in it: redis://:secret
        machine = _MASK
    return f"{prefix}{_MASK + '@' if at else ''}{machine}{slash}{path}{f'?{_MASK}' if query else ''}"


def _socket(path: str) -> EngineUrl:
    """Return the parts of a unix:// URL."""
    if not path.startswith("/") or not path.strip("/"):
        raise BadEngineUrl("it names no socket: unix:///path")
    return EngineUrl(scheme="unix", path=path)


def _machine(scheme: str, place: str) -> EngineUrl:
    """Return the parts of a URL that names a machine."""
    user, at, machine = place.rpartition("@")
    if at:
        _check_user(scheme, user)
    parts = _MACHINE.fullmatch(machine)
    if re.search(r"[/?#]", machine) or parts is None:
        raise BadEngineUrl("it has more than a machine and its port")
    host, port = parts["host"], parts["port"]
    if port is not None and not (_is_port(port) and 0 < int(port) <= MAX_PORT):
        raise BadEngineUrl(f"its port is no number from 1 to {MAX_PORT}")
    if not host or (port is None and scheme != "ssh"):
        raise BadEngineUrl(f"it names no machine with its port: {scheme}://name:port")
    if not _HOST.fullmatch(host):
        raise BadEngineUrl("its machine's name may hold letters, digits, '.', '_' and '-', and begins with no '-'")
    return EngineUrl(scheme=scheme, user=user, host=host.strip("[]"), port=int(port or 0))


def _check_user(scheme: str, user: str) -> None:
    if scheme != "ssh":
        raise BadEngineUrl("it names a user or a password, and only ssh:// may name a user")
    if ":" in user:
        raise BadEngineUrl("it names a password; over ssh a key is used: ssh://user@name")
    if not _USER.fullmatch(user):
        raise BadEngineUrl("its user's name may hold letters, digits, '.', '_' and '-', and begins with no '-'")


def _is_port(text: str) -> bool:
    return _PORT.fullmatch(text) is not None
