"""From a gate that opened to what a receiver hears, and from its answer to what follows."""

import json
from dataclasses import replace
from typing import Any

import pytest

from contracts.v1.approvals import GateOpened
from workers.gateway.notify.addresses import networks_of
from workers.gateway.notify.delivery import Courier
from workers.gateway.notify.recipients import notice_for, recipients_of
from workers.gateway.notify.schedule import after
from workers.gateway.notify.tokens import approval_of
from workers.gateway.notify.webhooks import Secret, verified

PUBLIC = "https://flotilla.example.org"
LOOPBACK = networks_of(["127.0.0.1"])
AT = 1_700_000_000.5


def webhook(url: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "webhook",
        "name": "ops",
        "tenants": ["acme"],
        "url": url,
        "secrets": {"env": "OPS_SECRETS"},
        **more,
    }


def mailing(*people: str) -> dict[str, Any]:
    relay = {"host": "127.0.0.1", "port": 1, "security": "none"}
    return {"kind": "email", "name": "leads", "tenants": ["*"], "sender": "f@e.org", "to": list(people), "relay": relay}


@pytest.fixture
def told(notifications, gate, keyring):
    """The one recipient of these settings, and what it is told."""

    def make(endpoint: dict[str, Any], of: GateOpened = gate) -> Any:
        [recipient] = recipients_of(notifications(endpoint))
        return recipient, notice_for(recipient, of, AT, keyring, PUBLIC)

    return make


async def test_a_webhook_arrives_signed_and_its_links_answer_the_gate(told, receiver, sources, secrets, keyring, gate):
    recipient, notice = told(webhook(f"http://127.0.0.1:{receiver.port}/hook", principal="ops bot"))
    tried = await Courier(sources, LOOPBACK).deliver(recipient, notice, AT + 9)
    assert (tried.verdict, tried.status) == ("delivered", 204)
    [heard] = receiver.heard
    for secret in secrets:
        assert verified([Secret(secret)], heard.headers, heard.body, AT + 10) == notice.id
    content = json.loads(heard.body)["data"]
    assert content["page"] == f"{PUBLIC}/runs/r42"
    page, _, token = content["choices"][1]["link"].partition("#")
    assert page == f"{PUBLIC}/answer"
    fact = approval_of(keyring.open(token, AT + 3599), gate.options)
    assert (fact.tenant, fact.run, fact.gate, fact.verdict, fact.by) == ("acme", "r42", "release", "reject", "ops bot")


async def test_every_try_says_the_same_under_the_same_id_with_its_own_time(told, receiver, sources):
    recipient, notice = told(webhook(f"http://127.0.0.1:{receiver.port}/", principal="ops bot"))
    courier = Courier(sources, LOOPBACK)
    for at in (AT, AT + 60):
        await courier.deliver(
            recipient, told(webhook(f"http://127.0.0.1:{receiver.port}/", principal="ops bot"))[1], at
        )
    first, second = receiver.heard
    assert first.body == second.body and first.headers["webhook-id"] == second.headers["webhook-id"] == notice.id
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 60
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_slack_gets_blocks_and_no_signature(told, receiver, sources, environment):
    environment["SLACK"] = f"http://127.0.0.1:{receiver.port}/services/T/B/geheim"
    recipient, notice = told({"kind": "slack", "name": "team", "tenants": ["*"], "url": {"env": "SLACK"}})
    assert (await Courier(sources, LOOPBACK).deliver(recipient, notice, AT)).verdict == "delivered"
    [heard] = receiver.heard
    assert heard.line == "POST /services/T/B/geheim HTTP/1.1" and "webhook-id" not in heard.headers
    buttons = json.loads(heard.body)["blocks"][3]["elements"]
    assert [button["text"]["text"] for button in buttons] == ["Open"]


@pytest.mark.parametrize(
    ("answer", "verdict", "why"),
    [
        (b"HTTP/1.1 410 Gone\r\n\r\n", "gone", "answered 410: it wants no more"),
        (b"HTTP/1.1 404 No\r\n\r\n", "refused", "answered 404"),
        (b"HTTP/1.1 302 Found\r\nLocation: /geheim\r\n\r\n", "again", "answered 302, a redirect"),
        (b"HTTP/1.1 500 geheim\r\n\r\ngeheim", "again", "answered 500"),
        (b"", "again", "closed the connection"),
    ],
)
async def test_an_answer_says_what_follows_and_no_secret_of_the_address(told, started, sources, answer, verdict, why):
    async with started(answer=answer) as receiver:
        recipient, notice = told(webhook(f"http://127.0.0.1:{receiver.port}/geheim?geheim"))
        tried = await Courier(sources, LOOPBACK).deliver(recipient, notice, AT)
    assert tried.verdict == verdict and why in tried.reason and "geheim" not in tried.reason
    assert (after(notice.id, 1, tried, AT, AT).at is None) == (verdict != "again")


async def test_a_receiver_on_the_loopback_hears_nothing_unless_it_is_allowed(told, receiver, sources):
    recipient, notice = told(webhook(f"http://127.0.0.1:{receiver.port}/geheim"))
    tried = await Courier(sources).deliver(recipient, notice, AT)
    assert tried.verdict == "refused" and "127.0.0.1, which is not public" in tried.reason
    assert receiver.heard == [] and "geheim" not in tried.reason


async def test_a_name_that_changes_its_address_after_it_was_judged_leads_nowhere_else(told, receiver, sources):
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",) if len(asked) == 1 else ("10.0.0.1",)

    recipient, notice = told(webhook(f"http://rebinding.invalid:{receiver.port}/"))
    courier = Courier(sources, LOOPBACK, rebinding)
    assert (await courier.deliver(recipient, notice, AT)).verdict == "delivered"
    assert asked == ["rebinding.invalid"]
    assert (await courier.deliver(recipient, notice, AT)).verdict == "refused"
    assert len(receiver.heard) == 1


async def test_links_are_not_sent_in_the_open_to_a_public_address(told, sources):
    async def public(host: str, port: int) -> tuple[str, ...]:
        return ("8.8.8.8",)

    recipient, notice = told(webhook("http://public.example.org/", principal="ops bot"))
    tried = await Courier(sources, (), public).deliver(recipient, notice, AT)
    assert tried.verdict == "refused" and "needs https" in tried.reason


async def test_a_missing_or_bad_secret_is_tried_again_for_it_may_be_put_right(told, receiver, sources, environment):
    recipient, notice = told(webhook(f"http://127.0.0.1:{receiver.port}/"))
    for secret in ("", "whsec_geheim", " ".join(["whsec_" + "A" * 44] * 6)):
        environment["OPS_SECRETS"] = secret
        tried = await Courier(sources, LOOPBACK).deliver(recipient, notice, AT)
        assert tried.verdict == "again" and "geheim" not in tried.reason
    assert receiver.heard == []


async def test_a_relay_that_is_away_is_tried_again(told, sources):
    recipient, notice = told(mailing("ann@example.org"))
    assert (await Courier(sources).deliver(recipient, notice, AT)).verdict == "again"


def test_each_person_of_an_endpoint_has_an_id_a_name_and_links_of_their_own(notifications, gate, keyring):
    people = recipients_of(notifications(mailing("ann@example.org", "bob@example.org", "ann@example.org")))
    notices = [notice_for(each, gate, AT, keyring, PUBLIC) for each in people]
    assert [each.principal for each in people] == ["ann@example.org", "bob@example.org"]
    assert len({each.name for each in people}) == len({each.id for each in notices}) == 2
    links = {choice.link.get_secret_value() for each in notices for choice in each.choices}
    assert len(links) == 6
    assert {keyring.open(link.partition("#")[2], AT).principal for link in links} == {
        "ann@example.org",
        "bob@example.org",
    }


def test_who_is_not_meant_is_told_nothing(told, gate):
    endpoint = webhook("https://ops.example.org/", gates=["release"])
    assert told(endpoint)[1] is not None
    assert told(endpoint, gate.model_copy(update={"tenant": "beta"}))[1] is None
    assert told(endpoint, gate.model_copy(update={"gate": "design"}))[1] is None


def test_a_gate_with_options_offers_those_and_one_without_deadline_has_links_for_a_week(told, gate, keyring):
    asked = gate.model_copy(update={"options": ("plan-a", "plan-b"), "deadline_s": None})
    _, notice = told(webhook("https://ops.example.org/", principal="ops bot"), asked)
    assert [choice.label for choice in notice.choices] == ["plan-a", "plan-b"] and notice.deadline is None
    token = notice.choices[0].link.get_secret_value().partition("#")[2]
    assert keyring.open(token, AT).expires == int(AT) + 7 * 86_400


def test_without_a_principal_there_are_no_links_that_answer(told):
    assert told(webhook("https://ops.example.org/"))[1].choices == ()


def test_names_of_recipients_fit_the_names_of_consumers(notifications):
    long = {**mailing("ann@example.org"), "name": "n" * 64}
    [recipient] = recipients_of(notifications(long))
    assert len(recipient.name) == 64
    assert replace(recipient, person="bob@example.org").name != recipient.name
