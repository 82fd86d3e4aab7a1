"""Whether the gateway may open its door, and with which keys. Only loopback may stand open, or make up a key."""

import ipaddress
from dataclasses import dataclass, field

from workers.gateway.identity.keys import Draw, Keys, mint
from workers.gateway.identity.rights import Principal

KEY_NAME = "local"
ANYBODY = Principal("anybody", None, "admin", "open")
"""Who asks where authentication is off."""


class RefusedToStart(Exception):
    """The gateway must not listen like this; the message says why and what to do."""


@dataclass(frozen=True)
class Door:
    """How the gateway listens. `shown` is a generated key to print once; `anybody` is who asks without a key."""

    keys: Keys
    shown: str = field(default="", repr=False)
    anybody: Principal | None = None


def door(host: str, authentication: bool, keys: Keys, draw: Draw, tokens: bool = False) -> Door:
    """How to listen on `host`; `tokens` says that JWTs of an issuer are accepted too. Raises `RefusedToStart`."""
    if not authentication:
        if (why := refused_open(host)) is not None:
            raise RefusedToStart(why)
        return Door(keys, anybody=ANYBODY)
    if len(keys) or tokens:
        return Door(keys)
    if not is_loopback(host):
        raise RefusedToStart(
            f"the gateway would listen on {host or 'every address'} and nobody could enter: there is no key and no "
            "issuer of tokens. Name a keys file, or listen on 127.0.0.1, where a key is made up and printed"
        )
    minted = mint(draw, KEY_NAME, None, "admin")
    return Door(Keys([minted.key]), minted.text)


def refused_open(host: str) -> str | None:
    """Why a door without authentication must not be opened on that host; None on loopback."""
    if is_loopback(host):
        return None
    return (
        f"the gateway would listen on {host or 'every address'} with authentication off, so whoever reaches it could "
        "start runs and approve them. Turn authentication on and name a keys file, or listen on 127.0.0.1"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host. A name other than localhost may lead anywhere."""
    bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if bare.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_own_name(host_header: str | None) -> bool:
    """Whether a request to an open door names this machine.

    A page of another site can have its own name resolve to 127.0.0.1 and so reach an open door from the reader's
    browser (DNS rebinding); the `Host` header then names that site. Needed only where authentication is off.
    """
    if host_header is None:
        return False
    host, colon, port = host_header.rpartition(":")
    if not colon or host_header.endswith("]") or not (port.isascii() and port.isdigit()):
        host = host_header
    return is_loopback(host)
