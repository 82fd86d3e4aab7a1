import json

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from contracts.schema_files import PUBLISHED, kind_of
from contracts.subjects import NOUNS, parse
from workers.runtime.asyncapi import DEAD, PARTIES, channel_of, document

DOCUMENT = document()


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from references(part)


def resolve(reference):
    registry = Registry().with_resource("", Resource(contents=DOCUMENT, specification=DRAFT202012))
    return registry.resolver().lookup(reference).contents


def test_every_reference_leads_somewhere():
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        assert isinstance(resolve(reference), dict)


def test_it_is_plain_json():
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_is_a_channel_whose_address_is_its_subject(noun):
    channel = DOCUMENT["channels"][noun]
    assert set(channel["parameters"]) == {"tenant", "run", *NOUNS[noun]}
    filled = channel["address"].format(**dict.fromkeys(channel["parameters"], "x"))
    assert parse(filled).noun == noun


@pytest.mark.parametrize("cls", PUBLISHED, ids=kind_of)
def test_every_message_is_on_its_channel_with_the_schema_of_its_payload(goldens, cls):
    message = resolve(DOCUMENT["channels"][channel_of(cls)]["messages"][kind_of(cls)]["$ref"])
    schema = {**resolve(message["payload"]["$ref"]), "components": DOCUMENT["components"]}
    _, payload = goldens[f"v1/{kind_of(cls)}"]
    # AsyncAPI's own schema dialect is a superset of JSON Schema draft 7.
    Draft7Validator(schema).validate(payload)
    assert not Draft7Validator(schema).is_valid({**payload, "kind": "another"})


@pytest.mark.parametrize("cls", PUBLISHED, ids=kind_of)
def test_every_message_is_sent_by_somebody_and_all_but_dead_letters_are_received(cls):
    name = f"#/channels/{channel_of(cls)}/messages/{kind_of(cls)}"
    done = {
        operation["action"] for operation in DOCUMENT["operations"].values() if {"$ref": name} in operation["messages"]
    }
    assert done == ({"send"} if channel_of(cls) == DEAD else {"send", "receive"})


def test_an_operation_names_messages_of_its_own_channel_only():
    for operation in DOCUMENT["operations"].values():
        channel = operation["channel"]["$ref"]
        assert operation["messages"]
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])


def test_every_party_takes_part():
    for party in PARTIES:
        assert any(name.startswith(f"{party.name}.") for name in DOCUMENT["operations"])


def test_the_prefix_is_a_setting():
    channels = document("fleet")["channels"]
    assert channels["vote"]["address"] == "fleet.{tenant}.{run}.vote.{ballot}.{voter}"
    assert channels[DEAD]["address"] == "fleet-dead.{worker}"
