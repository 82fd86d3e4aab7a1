"""Which broker a command talks to, and whether it answers."""

import asyncio
import socket
import time

import pytest

from workers.cli.brokers import addresses, given_broker, reach, some_broker
from workers.cli.complaints import Misused, Unreachable
from workers.cli.upfile import Up
from workers.runtime.settings import Settings, without_password


@pytest.fixture
def plain_settings(monkeypatch):
    monkeypatch.delenv("FLOTILLA_NATS_URL", raising=False)
    return Settings()


class TestChoice:
    def test_the_option_wins_over_the_environment_and_that_over_a_fleet_that_is_up(self, plain_settings):
        up = Up(1, "nats://up:1")
        given = Settings(nats_url="nats://env:1")
        assert given_broker("nats://option:1", given, up).url == "nats://option:1"
        assert given_broker("", given, up).url == "nats://env:1"
        assert given_broker("", plain_settings, up).url == "nats://up:1"
        assert given_broker("", plain_settings, None) is None

    def test_commands_that_need_one_fall_back_to_the_default(self, plain_settings):
        assert some_broker("", plain_settings, None) == ("nats://127.0.0.1:4222", "the default")


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("nats://host:4222", "nats://host:4222"),
            ("nats://ada:secret@host:4222", "nats://***@host:4222"),
            ("token@host", "***@host"),
            ("nats://a:b@one:1, tls://c@two:2", "nats://***@one:1, tls://***@two:2"),
        ],
    )
    def test_secrets_are_masked(self, url, shown):
        assert without_password(url) == shown

    def test_every_server_of_a_list_is_found(self):
        assert addresses("nats://a:1,b,tls://u:p@c:3") == [("a", 1), ("b", 4222), ("c", 3)]

    @pytest.mark.parametrize("url", ["nats://", "nats://host:port", "nats://host:99999999", "://"])
    def test_what_is_no_address_is_misuse_and_not_a_crash(self, url):
        with pytest.raises(Misused, match="no address of a broker"):
            addresses(url)


class TestReach:
    async def serve(self, greeting: bytes) -> tuple[asyncio.Server, str]:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(greeting)
            await writer.drain()
            await reader.read(1)
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        return server, f"nats://ada:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def test_a_server_that_greets_like_nats_is_one(self):
        server, url = await self.serve(b'INFO {"server_id":"x"}\r\n')
        async with server:
            assert await reach(url) is None
            assert await reach(f"nats://127.0.0.1:1,{url}") is None

    async def test_something_else_is_told_apart(self):
        server, url = await self.serve(b"SSH-2.0-OpenSSH\r\n")
        async with server:
            with pytest.raises(Unreachable, match="no NATS broker") as caught:
                await reach(url)
        assert "secret" not in str(caught.value)

    async def test_a_closed_port_says_address_reason_and_what_to_do(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"nats://127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(Unreachable, match="connection refused") as caught:
                await reach(url)
        assert url in str(caught.value)
        assert "flotilla up" in str(caught.value)

    async def test_a_port_that_never_answers_is_given_up_within_three_seconds(self):
        # A full backlog drops connections without a word, as a firewall does.
        with socket.socket() as silent, socket.socket() as first:
            silent.bind(("127.0.0.1", 0))
            silent.listen(0)
            first.connect(silent.getsockname())
            began = time.monotonic()
            with pytest.raises(Unreachable, match="no answer"):
                await reach(f"nats://127.0.0.1:{silent.getsockname()[1]}")
            assert time.monotonic() - began < 4
