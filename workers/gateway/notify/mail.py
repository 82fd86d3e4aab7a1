"""Notifications by e-mail: one message for each recipient, made with the standard library, and handed to a relay.

Nothing that a model wrote gets into a header as it is: control characters and line ends become spaces, and the library
refuses a header with a line end besides.
"""

import asyncio
import re
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from pydantic import SecretStr

from workers.gateway.notify.presets import Notice, about, shortened
from workers.gateway.notify.schedule import Tried

MOST_SUBJECT = 150
TIMEOUT_S = 20.0
LINKS_ARE_YOURS = "Each link works once and is meant for you; please don't pass this message on."
_ADDRESS = re.compile(
    r"(?=.{3,254}$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}){0,10}"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?){0,10}"
)


class BadAddress(ValueError):
    """The text is no plain address of e-mail."""


@dataclass(frozen=True)
class Relay:
    """The server that takes the mail. `security`: `tls` from the start, `starttls`, or `none` on a trusted network."""

    host: str
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password: SecretStr = field(default_factory=lambda: SecretStr(""))


def address_of(text: str) -> Address:
    """`name@host` in ASCII, no more: no display name, comment or quoting. Raises `BadAddress`."""
    if not _ADDRESS.fullmatch(text):
        raise BadAddress(f"{_one_line(text, 100)!r} is no address of e-mail; write name@host and no more")
    return Address(addr_spec=text)


def written(notice: Notice, sender: str, recipient: str) -> EmailMessage:
    """The message for one recipient, plain and as HTML. Raises `BadAddress`."""
    mail = EmailMessage(policy=SMTP)
    from_, to = address_of(sender), address_of(recipient)
    mail["From"], mail["To"] = from_, to
    mail["Subject"] = _one_line(notice.title, MOST_SUBJECT)
    mail["Date"] = format_datetime(datetime.fromtimestamp(notice.opened_at, UTC))
    # The same at every try, so that a mailbox can see a message that came twice.
    mail["Message-ID"] = f"<{notice.id}@{from_.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_writable(_plain(notice)), cte="quoted-printable")
    mail.add_alternative(_writable(_html(notice)), subtype="html", cte="quoted-printable")
    return mail


async def send(mail: EmailMessage, relay: Relay, tls: ssl.SSLContext | None = None) -> Tried:
    """Hand a message to the relay; refusals that last (5xx) end the notification, all else is tried again."""
    try:
        async with asyncio.timeout(2 * TIMEOUT_S):
            await asyncio.to_thread(_hand_over, mail, relay, tls or ssl.create_default_context())
    except smtplib.SMTPException as error:
        return _refused(error, relay)
    except (OSError, TimeoutError) as error:
        return Tried("again", reason=f"the relay {relay.host}:{relay.port} can't be reached ({type(error).__name__})")
    return Tried("delivered", 250)


def _hand_over(mail: EmailMessage, relay: Relay, tls: ssl.SSLContext) -> None:
    if relay.security == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL(relay.host, relay.port, timeout=TIMEOUT_S, context=tls)
    else:
        client = smtplib.SMTP(relay.host, relay.port, timeout=TIMEOUT_S)
    with client:
        if relay.security == "starttls":
            client.starttls(context=tls)
        if relay.user:
            client.login(relay.user, relay.password.get_secret_value())
        client.send_message(mail)


def _refused(error: smtplib.SMTPException, relay: Relay) -> Tried:
    """The relay's own words are left out: it may repeat what it was sent."""
    code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else 0
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = max((code for code, _ in error.recipients.values()), default=0)
    reason = f"the relay {relay.host}:{relay.port} refused ({type(error).__name__}, {code or 'no code'})"
    # A wrong password may be put right; a recipient who isn't there stays away.
    lasting = 500 <= code < 600 and not isinstance(error, smtplib.SMTPAuthenticationError)
    return Tried("refused" if lasting else "again", code, reason)


def _plain(notice: Notice) -> str:
    answers = [f"{choice.label}: {choice.link.get_secret_value()}" for choice in notice.choices]
    last = [LINKS_ARE_YOURS] if answers else []
    return "\n\n".join([notice.title, about(notice), notice.question, f"Open: {notice.page}", *answers, *last]) + "\n"


def _html(notice: Notice) -> str:
    links = [("Open", notice.page), *((choice.label, choice.link.get_secret_value()) for choice in notice.choices)]
    listed = "".join(f'<li><a href="{escape(url)}">{escape(label)}</a></li>' for label, url in links)
    last = f"<p>{LINKS_ARE_YOURS}</p>" if notice.choices else ""
    return (
        f'<!doctype html><html lang="en"><body><h1>{escape(notice.title)}</h1><p>{escape(about(notice))}</p>'
        f'<p style="white-space: pre-wrap">{escape(notice.question)}</p><ul>{listed}</ul>'
        f"{last}</body></html>\n"
    )


def _one_line(text: str, most: int) -> str:
    return shortened(" ".join("".join(sign if sign.isprintable() else " " for sign in text).split()), most)


def _writable(text: str) -> str:
    """Without lone surrogates and without control characters, which no mail may have."""
    kept = "".join(sign if sign.isprintable() or sign in "\n\t" else " " for sign in text.replace("\r\n", "\n"))
    return kept.encode("utf-8", "replace").decode()
