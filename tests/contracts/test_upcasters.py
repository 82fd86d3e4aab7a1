import json
from typing import ClassVar, Literal

import pytest

from contracts.codec import CODEC, MESSAGES, Codec, Malformed, NewerVersion, WrongName, encode
from contracts.message import Fact, Token
from contracts.v1.ballots import VoteCast


class VoteCastV2(Fact):
    """A made-up second version: a vote carries a weight in percent, and `choice` is named `option`."""

    noun: ClassVar[str] = "vote"
    kind: Literal["vote_cast"] = "vote_cast"
    version: Literal[2] = 2
    ballot: Token
    voter: Token
    option: Token | None
    weight: int
    rationale: str = ""


class VoteCastV3(Fact):
    """A made-up third version: the weight is a part of 1."""

    noun: ClassVar[str] = "vote"
    kind: Literal["vote_cast"] = "vote_cast"
    version: Literal[3] = 3
    ballot: Token
    voter: Token
    option: Token | None
    share: float
    rationale: str = ""


def to_v2(raw):
    choice = raw.pop("choice")
    return {**raw, "option": choice, "weight": 100}


def to_v3(raw):
    return {**raw, "share": raw["weight"] / 100}


def renewed(newest, upcasters):
    others = (cls for cls in MESSAGES if cls is not VoteCast)
    return Codec((*others, newest), upcasters)


V2 = renewed(VoteCastV2, {("vote_cast", 1): to_v2})
V3 = renewed(VoteCastV3, {("vote_cast", 1): to_v2, ("vote_cast", 2): to_v3})


@pytest.fixture
def vote(goldens):
    """Subject and payload of the vote that was recorded in version 1."""
    return goldens["v1/vote_cast"]


def test_a_recorded_vote_is_carried_to_the_next_version(vote):
    subject, payload = vote
    message = V2.decode(subject, json.dumps(payload).encode())
    assert isinstance(message, VoteCastV2)
    assert (message.version, message.option, message.weight) == (2, payload["choice"], 100)
    assert (message.ballot, message.voter, message.rationale) == ("database", "ada", payload["rationale"])


def test_a_recorded_vote_is_carried_over_two_versions(vote):
    subject, payload = vote
    message = V3.decode(subject, json.dumps(payload).encode())
    assert isinstance(message, VoteCastV3)
    assert (message.version, message.option, message.share) == (3, payload["choice"], 1.0)


def test_a_payload_of_the_version_between_takes_the_last_hop_only(vote):
    subject, payload = vote
    second = {**payload, "version": 2, "option": "sqlite", "weight": 25}
    assert V3.decode(subject, json.dumps(second).encode()).share == 0.25


def test_a_payload_of_the_newest_version_is_not_touched(vote):
    subject, payload = vote
    third = VoteCastV3(
        tenant="acme", run="r42", ballot=payload["ballot"], voter=payload["voter"], option=None, share=0.5
    )
    assert V3.decode(subject, encode(third)) == third


def test_other_kinds_are_decoded_as_before(logged):
    for name, (subject, payload) in logged.items():
        if name != "v1/vote_cast":
            data = json.dumps(payload).encode()
            assert V3.decode(subject, data) == CODEC.decode(subject, data)


def test_a_newer_version_is_left_for_a_newer_worker(vote):
    subject, payload = vote
    with pytest.raises(NewerVersion, match="vote_cast version 2 is newer than 1"):
        CODEC.decode(subject, json.dumps({**payload, "version": 2}).encode())
    with pytest.raises(NewerVersion, match="vote_cast version 4 is newer than 3"):
        V3.decode(subject, json.dumps({**payload, "version": 4}).encode())


def test_fields_that_nobody_knows_are_ignored(logged):
    for subject, payload in logged.values():
        more = {**payload, "mood": {"of": ["the", "day"]}}
        assert CODEC.decode(subject, json.dumps(more).encode()) == CODEC.decode(subject, json.dumps(payload).encode())


def test_an_old_payload_that_never_was_valid_is_malformed_and_no_crash(vote):
    subject, payload = vote
    payload = {field: value for field, value in payload.items() if field != "choice"}
    with pytest.raises(Malformed, match="can't be carried from version 1 to 2: KeyError"):
        V2.decode(subject, json.dumps(payload).encode())


def test_an_upcaster_can_not_give_a_message_another_name(vote):
    subject, payload = vote
    forging = renewed(VoteCastV2, {("vote_cast", 1): lambda raw: {**to_v2(raw), "voter": "somebody-else"}})
    with pytest.raises(WrongName, match="somebody-else"):
        forging.decode(subject, json.dumps(payload).encode())


def test_a_codec_without_an_upcaster_for_an_old_version_can_not_be_made():
    with pytest.raises(ValueError, match="an upcaster must carry version 1 on"):
        renewed(VoteCastV3, {("vote_cast", 2): to_v3})
