"""On a real broker: a link answers its gate once, whoever opens it, however often, at however many gateways."""

import asyncio

import pytest_asyncio

from contracts.v1.approvals import ApprovalGiven
from workers.gateway.notify.recipients import notice_for, recipients_of
from workers.gateway.notify.tokens import approval_of
from workers.runtime import topology


@pytest_asyncio.fixture
async def log(bus, settings):
    await topology.provision(bus.js, settings, ())
    return bus.log


async def test_of_all_links_used_at_once_and_again_one_answer_is_kept(log, notifications, gate, keyring):
    relay = {"host": "mail", "security": "none"}
    people = ["ann@example.org", "bob@example.org"]
    endpoint = {"kind": "email", "name": "leads", "tenants": ["*"], "sender": "f@e.org", "to": people, "relay": relay}
    notices = [notice_for(each, gate, 1000.0, keyring, "https://f") for each in recipients_of(notifications(endpoint))]
    tokens = [choice.link.get_secret_value().partition("#")[2] for notice in notices for choice in notice.choices]
    assert len(tokens) == 6

    async def opened(token: str) -> tuple[bool, ApprovalGiven]:
        fact = approval_of(keyring.open(token, 1001), gate.options)
        return (await log.say(fact)).news, fact

    said = await asyncio.gather(*(opened(token) for token in tokens * 5))
    [kept] = [fact for news, fact in said if news]
    again = await asyncio.gather(*(opened(token) for token in tokens))
    assert not any(news for news, _ in again)
    assert kept.by in people
