"""Notifications go to public addresses and to those that are named, however an address is dressed up."""

import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.gateway.notify.addresses import NotResolved, destination_of, networks_of, refusal
from workers.gateway.notify.urls import AddressRefused, url_of

PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.1.1", "172.16.0.1",
    "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "100::1", "2001:db8::1", "3fff::1",
    "2001:2::1", "5f00::1", "4000::1",
]  # fmt: skip
METADATA = [
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "fd00:ec2::254", "fd20:ce::254",
]  # fmt: skip
DRESSED = [
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8",
    "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::200e"]

v4 = st.ip_addresses(v=4)


def dressed(inner: IPv4Address) -> list[str]:
    bits = int(inner)
    return [
        str(IPv6Address(number))
        for number in (
            (0xFFFF << 32) | bits,
            (0xFFFF << 48) | bits,
            (0x64FF9B << 96) | bits,
            (0x64FF9B0001 << 80) | bits,
            (0x2002 << 112) | (bits << 80) | 1,
            (0x20010000 << 96) | (bits ^ 0xFFFFFFFF),
        )
    ]


@pytest.mark.parametrize("address", [*PRIVATE, *METADATA, *DRESSED, "fe80::1%eth0", "", "localhost", "1.2.3"])
def test_what_is_not_public_is_refused(address):
    assert refusal(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_may_be_reached(address):
    assert refusal(address) == ""


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_may_be_reached_when_it_is_named(address):
    assert refusal(address, networks_of([address])) == ""


@pytest.mark.parametrize("address", METADATA)
def test_a_network_around_it_does_not_open_a_metadata_address(address):
    around = ip_network(f"{address}/{'16' if '.' in address else '32'}", strict=False)
    assert "credentials" in refusal(address, (around,))
    assert refusal(address, networks_of([address])) == ""


@given(st.ip_addresses())
@example(ip_address("64:ff9b::1"))
def test_nothing_that_the_standard_library_calls_not_global_is_reached(address):
    if not refusal(str(address)):
        assert address.is_global and not address.is_multicast and not address.is_reserved


@given(v4)
def test_ipv6_around_an_ipv4_address_is_refused_whatever_is_inside(inner):
    assert all(refusal(address) for address in dressed(inner))


@given(v4)
def test_a_named_way_of_dressing_up_opens_nothing_that_is_not_open_by_itself(inner):
    ways = networks_of(["::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"])
    for address in dressed(inner):
        assert bool(refusal(address, ways)) == bool(refusal(str(inner)))


@given(st.ip_addresses(), st.lists(st.ip_addresses(v=4).map(str), max_size=3))
def test_naming_some_addresses_opens_no_others(address, named):
    if str(address) not in named:
        assert refusal(str(address), networks_of(named)) == refusal(str(address))


@pytest.mark.parametrize("entry", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "", "*"])
def test_an_allow_list_says_which_entry_is_wrong(entry):
    with pytest.raises(ValueError, match="no address and no network"):
        networks_of(["10.0.0.0/8", entry])


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://example.org", "file:///etc/passwd", "gopher://x", "//example.org", "example.org", "https://",
        "https://user:geheim@example.org/", "https://user@example.org", "https://@example.org", "https://exa mple.org",
        "https://example.org\r\nX: y", "https://example.org/\n", "https://exämple.org", "https://example.org:0",
        "https://example.org:65536", "https://example.org:x", "https://example.org:", "https://[::1", "https://[::1%lo]",
        "https://[::1%25lo]", "https://[v1.x]", "https://127.1", "https://2130706433", "https://0x7f000001",
        "https://0177.0.0.1", "https://127.0.0.0x1", "https://1.2.3.4.5", "https://256.1.1.1", "https://a..b",
        "https://-a.org", "https://example.org\\@127.0.0.1", "https://a/" + "x" * 2000, "https://127.0.0.1%2f.example.org",
        "https://127.1.",
    ],
)  # fmt: skip
def test_only_plain_addresses_of_http_are_taken(url):
    with pytest.raises(AddressRefused) as refused:
        url_of(url)
    assert "geheim" not in str(refused.value)


def test_an_address_is_taken_apart_and_shows_no_path():
    url = url_of("https://Hooks.Example.org:8443/T0/B0/geheim?key=x#part")
    assert (url.scheme, url.host, url.port, url.target) == ("https", "hooks.example.org", 8443, "/T0/B0/geheim?key=x")
    assert url.authority == "hooks.example.org:8443" and "geheim" not in repr(url)
    assert url_of("http://[2001:DB8::1]").authority == "[2001:db8::1]" and url_of("http://a").target == "/"
    assert url_of("https://a?x=1").target == "/?x=1"


@given(st.text(max_size=60) | st.builds("https://{}".format, st.text(max_size=40)))
def test_any_text_is_an_address_or_refused(text):
    try:
        url = url_of(text)
    except AddressRefused:
        return
    assert not set(url.host + url.target) & set("\r\n\t @")


def answering(*addresses: str, calls: list[str] | None = None):
    async def resolver(host: str, port: int) -> tuple[str, ...]:
        if calls is not None:
            calls.append(host)
        return addresses

    return resolver


async def test_only_the_addresses_that_may_be_reached_are_kept():
    url = url_of("https://mixed.example.org")
    found = await destination_of(url, resolver=answering("10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111"))
    assert found.addresses == ("8.8.8.8", "2606:4700::1111")


async def test_a_name_of_private_addresses_is_refused_and_says_what_to_do():
    with pytest.raises(AddressRefused, match=r"inside\.example\.org is 10\.0\.0\.1, which is not public.*`allow`"):
        await destination_of(url_of("https://inside.example.org/geheim"), resolver=answering("10.0.0.1"))
    found = await destination_of(url_of("https://a"), networks_of(["10.0.0.0/8"]), answering("10.0.0.1"))
    assert found.addresses == ("10.0.0.1",)


async def test_a_literal_address_is_judged_without_asking_for_names():
    calls: list[str] = []
    with pytest.raises(AddressRefused):
        await destination_of(url_of("http://[::ffff:127.0.0.1]/"), resolver=answering("8.8.8.8", calls=calls))
    with pytest.raises(AddressRefused):
        await destination_of(url_of("http://169.254.169.254/latest"), resolver=answering("8.8.8.8", calls=calls))
    assert calls == []


async def test_the_name_localhost_is_refused_by_the_real_resolver():
    with pytest.raises(AddressRefused):
        await destination_of(url_of("http://localhost:1/"))


async def test_a_name_without_an_address_may_have_one_later():
    async def failing(host: str, port: int) -> tuple[str, ...]:
        raise OSError("no such name")

    with pytest.raises(NotResolved):
        await destination_of(url_of("https://gone.example.org"), resolver=failing)
    with pytest.raises(NotResolved):
        await destination_of(url_of("https://gone.example.org"), resolver=answering())


async def test_a_resolver_that_hangs_is_not_waited_for_for_ever(monkeypatch):
    async def hanging(host: str, port: int) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr("workers.gateway.notify.addresses.RESOLVE_S", 0.01)
    with pytest.raises(NotResolved):
        await destination_of(url_of("https://slow.example.org"), resolver=hanging)
