"""Which addresses notifications may go to: only public ones, and those that an allow-list names.

A name is resolved first, each address is judged, and the connection is made to a judged address and never to the name:
a server of names that answers otherwise the second time (DNS rebinding) is not asked a second time.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

from workers.gateway.notify.urls import IP, AddressRefused, Url, ip_of

Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Name and port to addresses as text; raises `OSError`."""

MOST_ADDRESSES = 8
RESOLVE_S = 5.0

_CLOSED_4 = tuple(IPv4Network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
))  # fmt: skip
"""IANA's special-purpose registry (RFC 6890) and multicast. Written out: `is_global` changed between Pythons."""

_OPEN_6 = IPv6Network("2000::/3")
_CLOSED_6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
"""Within global unicast: protocol assignments with Teredo, documentation, 6to4. All else outside of it is closed."""

_METADATA = frozenset(ip_address(text) for text in (
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
))  # fmt: skip
"""Where clouds hand out credentials (AWS, ECS, EKS, Alibaba, Azure, Oracle, GCP). One of them is a public address."""

_EMBEDDING = tuple((IPv6Network(network), shift, flipped) for network, shift, flipped in (
    ("::ffff:0:0/96", 0, False), ("::ffff:0:0:0/96", 0, False), ("::/96", 0, False), ("64:ff9b::/96", 0, False),
    ("64:ff9b:1::/48", 0, False), ("2002::/16", 80, False), ("2001::/32", 0, True),
))  # fmt: skip
"""IPv6 that stands for an IPv4 address: mapped, translated, compatible, NAT64 twice, 6to4, Teredo (bits inverted)."""


class NotResolved(OSError):
    """The name has no address now; it may have one later."""


@dataclass(frozen=True)
class Destination:
    """A URL and the addresses that were judged; connections go to these and nowhere else."""

    url: Url
    addresses: tuple[str, ...]


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """An allow-list: addresses and networks. Raises `ValueError` that names the entry which is neither."""
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(ip_network(text))
        except ValueError:
            raise ValueError(
                f"{text!r} is no address and no network; write 10.1.2.3 or 10.1.2.0/24 or fd00:1::/64"
            ) from None
    return tuple(networks)


def refusal(address: str, allowed: Sequence[Network] = ()) -> str:
    """Why nothing is sent to an address, "" if it may be. Pure.

    A metadata address must be named by itself: a network around it doesn't open it. IPv6 that stands for an IPv4
    address needs both: its own entry, and that the IPv4 address may be reached.
    """
    ip = ip_of(address)
    if ip is None or "%" in address:
        return "is no address"
    named = [network for network in allowed if network.version == ip.version and ip in network]
    if ip in _METADATA:
        return "" if any(network.num_addresses == 1 for network in named) else "is where a cloud keeps its credentials"
    inner = _embedded(ip)
    if inner is not None:
        why = refusal(str(inner), allowed)
        return "stands for an IPv4 address" if not named else why and f"stands for {inner}, which {why}"
    return "" if named or _is_public(ip) else "is not public"


def _is_public(ip: IP) -> bool:
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _CLOSED_4)
    return ip in _OPEN_6 and not any(ip in network for network in _CLOSED_6)


def _embedded(ip: IP) -> IPv4Address | None:
    if isinstance(ip, IPv4Address) or int(ip) <= 1:
        return None
    for network, shift, flipped in _EMBEDDING:
        if ip in network:
            bits = (int(ip) >> shift) & 0xFFFFFFFF
            return IPv4Address(bits ^ 0xFFFFFFFF if flipped else bits)
    return None


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, from the system's resolver; raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def destination_of(url: Url, allowed: Sequence[Network] = (), resolver: Resolver = resolve) -> Destination:
    """Where a URL leads: the addresses of its host that may be reached.

    Raises `AddressRefused` when none may be, `NotResolved` when it has none.
    """
    if ip_of(url.host) is not None:
        found: Sequence[str] = [url.host]
    else:
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await resolver(url.host, url.port)
        except (OSError, TimeoutError, UnicodeError):
            found = []
    if not found:
        raise NotResolved(f"{url.host} has no address: is the name right, and does the server of names answer?")
    judged = [(address, refusal(address, allowed)) for address in found]
    good = tuple(address for address, why in judged if not why)
    if not good:
        address, why = judged[0]
        raise AddressRefused(f"{url.host} is {address}, which {why}; if it is meant, name it under `allow`")
    return Destination(url, good[:MOST_ADDRESSES])
