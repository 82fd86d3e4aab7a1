"""One try to deliver one notification. What follows it is decided in `schedule`; nothing is remembered here."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

from workers.gateway.notify import mail
from workers.gateway.notify.addresses import Network, NotResolved, Resolver, destination_of, refusal, resolve
from workers.gateway.notify.posting import NotSent, Patience, post
from workers.gateway.notify.presets import Notice, event, slack
from workers.gateway.notify.recipients import Recipient
from workers.gateway.notify.schedule import Tried, verdict_of
from workers.gateway.notify.settings import EmailEndpoint, RelaySettings, SlackEndpoint, Source, WebhookEndpoint
from workers.gateway.notify.sources import SecretMissing, Sources
from workers.gateway.notify.urls import AddressRefused, url_of
from workers.gateway.notify.webhooks import BadSecret, Secret, signed

JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True)
class Courier:
    """Delivers. `tls` is the trust for https and mail, the system's by default."""

    sources: Sources
    allowed: Sequence[Network] = ()
    resolver: Resolver = resolve
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    patience: Patience = field(default_factory=Patience)

    async def deliver(self, recipient: Recipient, notice: Notice, now: float) -> Tried:
        """Try once; `now` (unix seconds) is what a webhook is signed with. Failures are answers, not errors."""
        try:
            match recipient.endpoint:
                case WebhookEndpoint() as endpoint:
                    return await self._webhook(endpoint, notice, now)
                case SlackEndpoint() as endpoint:
                    return await self._post(endpoint.url, notice, JSON, slack(notice))
                case EmailEndpoint() as endpoint:
                    return await self._mail(endpoint, recipient.person, notice)
        except AddressRefused as error:
            return Tried("refused", reason=str(error))
        except (SecretMissing, BadSecret, NotResolved, NotSent) as error:
            return Tried("again", reason=str(error))

    async def _webhook(self, endpoint: WebhookEndpoint, notice: Notice, now: float) -> Tried:
        secrets = [Secret(text) for text in await asyncio.to_thread(self.sources.lines, endpoint.secrets)]
        body = event(notice)
        return await self._post(endpoint.url, notice, JSON | signed(secrets, notice.id, now, body), body)

    async def _post(self, address: str | Source, notice: Notice, headers: Mapping[str, str], body: bytes) -> Tried:
        url = url_of(await self._text(address))
        destination = await destination_of(url, self.allowed, self.resolver)
        if url.scheme == "http" and notice.choices and not all(map(refusal, destination.addresses)):
            raise AddressRefused(f"links that answer a gate are not sent in the open: {url.host} needs https")
        answered = await post(destination, headers, body, self.tls, self.patience)
        verdict = verdict_of(answered.status)
        reason = "" if verdict == "delivered" else f"{url.place} answered {answered.status}{_hint(answered.status)}"
        return Tried(verdict, answered.status, reason, answered.retry_after_s)

    async def _mail(self, endpoint: EmailEndpoint, person: str, notice: Notice) -> Tried:
        relay = await asyncio.to_thread(self._relay, endpoint.relay)
        return await mail.send(mail.written(notice, endpoint.sender, person), relay, self.tls)

    def _relay(self, settings: RelaySettings) -> mail.Relay:
        password = self.sources.line(settings.password) if settings.password is not None else ""
        return mail.Relay(settings.host, settings.port, settings.security, settings.user, SecretStr(password))

    async def _text(self, given: str | Source) -> str:
        return given if isinstance(given, str) else await asyncio.to_thread(self.sources.line, given)


def _hint(status: int) -> str:
    if 300 <= status < 400:
        return ", a redirect, and redirects are not followed: put the new address into the settings"
    return ": it wants no more notifications" if status == 410 else ""
