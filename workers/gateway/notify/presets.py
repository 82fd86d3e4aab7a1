"""What a notification says, and the bodies that carry it: the event of a webhook and the blocks of Slack. Pure."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from html import escape

from pydantic import SecretStr

MOST_QUESTION = 2_900
"""Slack refuses a text of over 3,000 characters in a block; the whole question is behind the link."""

MOST_BUTTONS = 25
_MOST_LABEL, _MOST_HEADER, _MOST_URL = 75, 150, 3_000
_STYLES = {"approve": "primary", "reject": "danger"}
_LABELS = {"approve": "Approve", "reject": "Reject", "ask_for_changes": "Ask for changes"}


@dataclass(frozen=True)
class Choice:
    """One way to answer, with the link for it. The link has a token in it and doesn't show itself."""

    option: str
    link: SecretStr

    @property
    def label(self) -> str:
        """What stands on the button."""
        return _LABELS.get(self.option, self.option)


@dataclass(frozen=True)
class Notice:
    """A gate that waits, as one recipient is told. `page` shows it in full; times are unix seconds."""

    id: str
    tenant: str
    run: str
    gate: str
    question: str
    page: str
    opened_at: float
    deadline: float | None = None
    subject_task: str | None = None
    choices: tuple[Choice, ...] = ()

    @property
    def title(self) -> str:
        """One line."""
        return f"Run {self.run} waits for an answer at {self.gate}"


def notice_id(tenant: str, run: str, gate: str, endpoint: str, recipient: str = "") -> str:
    """The id of a notification. The same words make the same id, so a receiver drops what several replicas send."""
    words = json.dumps([tenant, run, gate, endpoint, recipient])
    return f"msg_{sha256(words.encode()).hexdigest()[:40]}"


def event(notice: Notice) -> bytes:
    """The body of a signed webhook: `type`, `timestamp` and `data`, as Standard Webhooks recommends."""
    data = {
        "tenant": notice.tenant,
        "run": notice.run,
        "gate": notice.gate,
        "question": notice.question,
        "subject_task": notice.subject_task,
        "deadline": _iso(notice.deadline) if notice.deadline is not None else None,
        "page": notice.page,
        "choices": [{"option": each.option, "link": each.link.get_secret_value()} for each in notice.choices],
    }
    return _json({"type": "gate.opened", "timestamp": _iso(notice.opened_at), "data": data})


def slack(notice: Notice) -> bytes:
    """The body for a Slack webhook. What models wrote goes out as plain text: no mention and no link works in it."""
    buttons = [_button(each) for each in notice.choices if len(each.link.get_secret_value()) <= _MOST_URL]
    opening = {"type": "button", "action_id": "open", "text": _plain("Open"), "url": notice.page}
    blocks: list[dict[str, object]] = [
        {"type": "header", "text": _plain(notice.title, _MOST_HEADER)},
        {"type": "section", "text": _plain(notice.question or "(no question)", MOST_QUESTION)},
        {"type": "context", "elements": [_plain(about(notice), MOST_QUESTION)]},
        {"type": "actions", "elements": [opening, *buttons[: MOST_BUTTONS - 1]]},
    ]
    text = escape(notice.title, quote=False)
    return _json({"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False})


def about(notice: Notice) -> str:
    """Tenant, task and deadline in one line."""
    parts = [f"tenant {notice.tenant}"]
    if notice.subject_task:
        parts.append(f"about {notice.subject_task}")
    if notice.deadline is not None:
        parts.append(f"answer by {datetime.fromtimestamp(notice.deadline, UTC):%Y-%m-%d %H:%M} UTC")
    return " · ".join(parts)


def shortened(text: str, most: int) -> str:
    """At most that many characters, with a sign that there is more."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _button(choice: Choice) -> dict[str, object]:
    button: dict[str, object] = {
        "type": "button",
        "action_id": f"answer-{choice.option}",
        "text": _plain(choice.label, _MOST_LABEL),
        "url": choice.link.get_secret_value(),
    }
    return button | ({"style": _STYLES[choice.option]} if choice.option in _STYLES else {})


def _plain(text: str, most: int = _MOST_LABEL) -> dict[str, object]:
    return {"type": "plain_text", "text": shortened(text, most), "emoji": False}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(content: object) -> bytes:
    # Lone surrogates can't be written as UTF-8; a model may have left one.
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
