"""E-mail: whatever a model or a setting says, there is one recipient and no header that was not meant."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from workers.gateway.notify.mail import BadAddress, Relay, address_of, send, written
from workers.gateway.notify.presets import Choice, Notice

HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version",
    "Content-Type",
}  # fmt: skip
NOTICE = Notice(
    "msg_1", "acme", "r42", "release", "Release <b>it</b>?", "https://f.example.org/runs/r42", 1_700_000_000.0, None,
    None, (Choice("approve", SecretStr("https://f.example.org/answer#a.b")),),
)  # fmt: skip
nasty = st.text(max_size=300) | st.sampled_from(
    [
        "x\r\nBcc: eve@example.org",
        "x\nTo: eve@example.org\n\nbody",
        "x\u2028Bcc: e@e",
        "x\x0bBcc: e",
        "\ud800",
        "\x00",
        "\r\n.\r\n",
    ]
)


def test_a_mail_says_it_plainly_and_as_html_and_shows_no_marks_of_models():
    mail = written(NOTICE, "fleet@example.org", "ann@example.org")
    assert (mail["From"], mail["To"]) == ("fleet@example.org", "ann@example.org")
    assert mail["Subject"] == "Run r42 waits for an answer at release"
    assert mail["Message-ID"] == "<msg_1@example.org>" and mail["Auto-Submitted"] == "auto-generated"
    plain, html = (part.get_content() for part in mail.iter_parts())
    assert "Approve: https://f.example.org/answer#a.b" in plain and "Release <b>it</b>?" in plain
    assert 'href="https://f.example.org/answer#a.b"' in html and "Release &lt;b&gt;it&lt;/b&gt;?" in html


@given(nasty, nasty, nasty)
def test_no_text_adds_a_header_or_a_recipient(question, run, gate):
    mail = written(replace(NOTICE, question=question, run=run, gate=gate), "fleet@example.org", "ann@example.org")
    read = message_from_bytes(mail.as_bytes(), policy=default)
    assert set(read.keys()) == HEADERS and len(read.keys()) == len(HEADERS)
    assert str(read["To"]) == "ann@example.org" and len(str(read["Subject"])) <= 150
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert all(part.get_content() for part in read.iter_parts())


@pytest.mark.parametrize(
    "text",
    [
        "", "ann", "@example.org", "ann@", "ann@exa mple.org", "ann@example.org\n", "ann@example.org\r\nBcc: e@e.org",
        "Ann <ann@example.org>", "ann@example.org, eve@example.org", "ann@example.org,eve@example.org", "a@b@c",
        '"a b"@example.org', "ann@[127.0.0.1]", "änn@example.org", "ann@-a.org", "a..b@example.org", ".a@example.org",
        "x" * 65 + "@example.org", "ann@" + "a." * 200 + "org", "ann@example.org;eve@example.org", "ann(x)@example.org",
    ],
)  # fmt: skip
def test_only_a_plain_address_is_taken(text):
    with pytest.raises(BadAddress, match="no address of e-mail"):
        address_of(text)


@given(st.text(max_size=80) | st.from_regex(r"[ -~]{1,30}@[ -~]{1,30}", fullmatch=True))
def test_an_address_that_is_taken_is_written_as_it_was_given(text):
    try:
        address = address_of(text)
    except BadAddress:
        return
    assert address.addr_spec == text and str(address) == text and address.display_name == ""


@dataclass
class FakeRelay:
    """Enough of SMTP. `refuse` maps a command to the line it is answered with."""

    refuse: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        await say("220 relay")
        while line := (await reader.readline()).decode().strip():
            self.said.append(line)
            word = line.split()[0].upper()
            if word in self.refuse:
                await say(self.refuse[word])
            elif word == "EHLO":
                await say("250-relay\r\n250 AUTH PLAIN")
            elif word == "DATA":
                await say("354 go on")
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                await say("250 taken")
            elif word == "QUIT":
                break
            else:
                await say("235 in" if word == "AUTH" else "250 fine")
        writer.close()


@pytest.fixture
async def relay() -> AsyncIterator[FakeRelay]:
    fake = FakeRelay()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    yield fake
    server.close()
    await server.wait_closed()


def of(fake: FakeRelay, user: str = "", password: str = "") -> Relay:
    return Relay("127.0.0.1", fake.port, "none", user, SecretStr(password))


async def test_a_mail_is_handed_to_the_relay_for_one_recipient(relay):
    tried = await send(written(NOTICE, "fleet@example.org", "ann@example.org"), of(relay))
    assert tried.verdict == "delivered"
    assert [line for line in relay.said if line.startswith("rcpt")] == ["rcpt TO:<ann@example.org>"]
    assert message_from_bytes(relay.mails[0], policy=default)["Message-ID"] == "<msg_1@example.org>"


@pytest.mark.parametrize(
    ("command", "answer", "verdict"),
    [
        ("RCPT", "550 geheim is not here", "refused"),
        ("RCPT", "450 geheim later", "again"),
        ("MAIL", "452 geheim full", "again"),
        ("DATA", "554 geheim spam", "refused"),
        ("AUTH", "535 geheim wrong", "again"),
    ],
)
async def test_a_refusal_that_lasts_ends_it_and_the_relays_words_are_not_repeated(relay, command, answer, verdict):
    relay.refuse = {command: answer}
    given = of(relay, "fleet", "geheim-password") if command == "AUTH" else of(relay)
    tried = await send(written(NOTICE, "fleet@example.org", "ann@example.org"), given)
    assert (tried.verdict, tried.status) == (verdict, int(answer[:3]))
    assert "geheim" not in tried.reason and base64.b64encode(b"geheim").decode()[:6] not in tried.reason


async def test_a_relay_that_is_away_or_offers_no_tls_is_tried_again(relay):
    mail = written(NOTICE, "fleet@example.org", "ann@example.org")
    tried = await send(mail, Relay("127.0.0.1", relay.port, "starttls", "fleet", SecretStr("geheim-password")))
    assert tried.verdict == "again" and not any("AUTH" in line.upper() for line in relay.said)
    tried = await send(mail, Relay("127.0.0.1", 1, "none"))
    assert tried.verdict == "again" and "can't be reached" in tried.reason


def test_a_relay_does_not_show_its_password():
    assert "geheim" not in repr(Relay("h", password=SecretStr("geheim")))
