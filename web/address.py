"""Whom a request comes from, which a proxy may tell only if it is trusted."""

from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the client's address: the last one in X-Forwarded-For that no trusted proxy has.

    Who is not in TRUSTED_PROXIES speaks for himself only: his X-Forwarded-For is not read.
    """
    address = str(request.META.get("REMOTE_ADDR", ""))
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    while is_within(address, settings.TRUSTED_PROXIES) and forwarded:
        told = forwarded.pop()
        if not _is_address(told):
            break
        address = told
    return address


def is_within(address: str, networks: list[str]) -> bool:
    """Tell whether an address is in one of these networks; what is no address is in none."""
    return _is_address(address) and any(ip_address(address) in ip_network(network) for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
