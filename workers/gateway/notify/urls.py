"""Addresses as people write them into the settings, taken apart: plain http and https, with nothing hidden in them."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

IP = IPv4Address | IPv6Address

MOST_URL = 2_000
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\.?$){_LABEL}(?:\.{_LABEL})*\.?")
_NUMERIC = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)\.?")


class AddressRefused(ValueError):
    """Nothing is sent there. The message names host and reason, never path, query or password of the address."""


@dataclass(frozen=True)
class Url:
    """An address as it was configured, taken apart. `target` is path and query; it is often a secret, so not shown."""

    scheme: str
    host: str
    port: int
    target: str

    def __repr__(self) -> str:
        return f"Url({self.place})"

    @property
    def place(self) -> str:
        """What may be shown of it: `https://host:port`."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """For the header `Host`; the port is left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _port_of(self.scheme) else f"{host}:{self.port}"


def url_of(text: str) -> Url:
    """Take an address apart; raises `AddressRefused` for all that is no plain http or https URL."""
    if not 1 <= len(text) <= MOST_URL or not (text.isascii() and text.isprintable()) or set(text) & set(' \\"<>^`{|}'):
        raise AddressRefused(
            f"an address has 1 to {MOST_URL} plain ASCII characters; write umlauts in a host as xn--…, elsewhere as %XX"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise AddressRefused("host or port of the address can't be read") from None
    if parts.scheme not in ("http", "https"):
        raise AddressRefused("an address begins with https:// or http://")
    if "@" in parts.netloc:
        raise AddressRefused("an address has no user and password; give them to the receiver in another way")
    _check_host(host, literal=parts.netloc.startswith("["))
    if port == 0 or parts.netloc.endswith(":"):
        raise AddressRefused(f"the port of {host} must be 1 to 65535")
    query = f"?{parts.query}" if parts.query else ""
    return Url(parts.scheme, host, port or _port_of(parts.scheme), (parts.path or "/") + query)


def _check_host(host: str, *, literal: bool) -> None:
    if literal:
        if "%" in host or ip_of(host) is None:
            raise AddressRefused("the host in brackets is no IPv6 address (without a zone)")
    elif not _HOST.fullmatch(host):
        raise AddressRefused("the host of the address is no name of a host")
    elif _NUMERIC.fullmatch(host.rstrip(".").rpartition(".")[2]) and ip_of(host) is None:
        # `127.1`, `0x7f000001`, `2130706433`: resolvers read these as addresses.
        raise AddressRefused("a host of numbers must be an IPv4 address of four decimal numbers")


def _port_of(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def ip_of(text: str) -> IP | None:
    """The address that a text is, None if it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None
