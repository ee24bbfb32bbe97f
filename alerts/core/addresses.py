"""Which addresses a webhook may be sent to. Pure: who connects asks for the very address that it connects to."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

NEVER = tuple(
    ip_network(text)
    for text in (
        # link-local addresses, where most clouds answer questions about a machine
        *("169.254.0.0/16", "fe80::/10"),
        # where AWS, Alibaba, Oracle and Azure do
        *("fd00:ec2::/32", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"),
        # this network, multicast and what is reserved
        *("0.0.0.0/8", "::/128", "224.0.0.0/4", "ff00::/8", "240.0.0.0/4"),
    )
)
NAT64 = IPv6Network("64:ff9b::/96")


def refusal_of(text: str, allowed: Iterable[str]) -> str:
    """Return why nothing may be sent to an address, or nothing. Private addresses have to be in an allowed network."""
    address = inner_address(ip_address(text))
    if any(address in network for network in NEVER if network.version == address.version):
        return f"{address} is an address to which webhooks are never sent (link-local, metadata, multicast or reserved)"
    networks = [ip_network(name) for name in allowed]
    if address.is_global or any(address in network for network in networks if network.version == address.version):
        return ""
    return f"{address} is a private address: name its network in WEBHOOK_NETWORKS to allow it"


def inner_address(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it stands for one, and the address itself if not."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or _without_scope(address)


def _without_scope(address: IPv6Address) -> IPv6Address:
    return IPv6Address(int(address))
