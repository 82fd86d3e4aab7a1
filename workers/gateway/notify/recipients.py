"""Who is told of a gate, and what each is told. Pure.

A recipient is an endpoint, or one person of an e-mail endpoint. Each has its own id for a gate and its own retries: one
that is away holds up no other. The same gate makes the same notice for a recipient, byte for byte, at every try and by
every replica.
"""

from dataclasses import dataclass
from hashlib import sha256

from contracts.v1.approvals import GateOpened
from workers.gateway.notify.presets import Choice, Notice, notice_id
from workers.gateway.notify.settings import EmailEndpoint, Endpoint, Notifications
from workers.gateway.notify.tokens import VERDICTS, Answer, Keyring, link

WITHOUT_DEADLINE_S = 7 * 86_400
"""How long the links of a gate work that waits for ever; its page works on."""

ANSWER_PAGE = "/answer"
RUN_PAGE = "/runs"


@dataclass(frozen=True)
class Recipient:
    """An endpoint; `person` is the address where it is e-mail, "" elsewhere."""

    endpoint: Endpoint
    person: str = ""

    @property
    def name(self) -> str:
        """A subject token, one for each recipient; fit for the name of a consumer."""
        if not self.person:
            return self.endpoint.name
        return f"{self.endpoint.name[:47]}-{sha256(f'{self.endpoint.name} {self.person}'.encode()).hexdigest()[:16]}"

    @property
    def principal(self) -> str | None:
        """Whom an approval by its links names."""
        return self.person if isinstance(self.endpoint, EmailEndpoint) else self.endpoint.principal


def recipients_of(settings: Notifications) -> tuple[Recipient, ...]:
    """Everybody whom the settings name, in the file's order."""
    found: list[Recipient] = []
    for endpoint in settings.endpoints:
        people = tuple(dict.fromkeys(endpoint.to)) if isinstance(endpoint, EmailEndpoint) else ("",)
        found += (Recipient(endpoint, person) for person in people)
    return tuple(found)


def notice_for(
    recipient: Recipient, gate: GateOpened, opened_at: float, keyring: Keyring, public_url: str
) -> Notice | None:
    """What a recipient is told of a gate that opened at `opened_at` (unix seconds); None if it isn't told."""
    if not recipient.endpoint.wants(gate.tenant, gate.gate):
        return None
    opened = int(opened_at)
    expires = opened + (gate.deadline_s or WITHOUT_DEADLINE_S)
    return Notice(
        id=notice_id(gate.tenant, gate.run, gate.gate, recipient.endpoint.name, recipient.person),
        tenant=gate.tenant, run=gate.run, gate=gate.gate, question=gate.question, subject_task=gate.subject_task,
        page=f"{public_url}{RUN_PAGE}/{gate.run}", opened_at=opened_at,
        deadline=opened_at + gate.deadline_s if gate.deadline_s else None,
        choices=_choices(recipient.principal, gate, opened, expires, keyring, f"{public_url}{ANSWER_PAGE}"),
    )  # fmt: skip


def _choices(
    principal: str | None, gate: GateOpened, opened: int, expires: int, keyring: Keyring, page: str
) -> tuple[Choice, ...]:
    if principal is None:
        return ()
    answers = (
        Answer(tenant=gate.tenant, run=gate.run, gate=gate.gate, option=option, principal=principal, expires=expires)
        for option in gate.options or VERDICTS
    )
    return tuple(Choice(answer.option, link(page, keyring.seal(answer, opened))) for answer in answers)
