"""Signed votes: what is signed, byte for byte, so that any language can write it, and what is refused."""

import base64
from hashlib import sha256

import nkeys
import pytest
from nacl.signing import SigningKey

from contracts.v1.ballots import VoteCast
from workers.consensus.signatures import fault, key_fault
from workers.runtime.signing import BadKey, Signer, check_bytes

SEED = b"SUAEL6GG2L2HIF7DUGZJGMRUFKXELGGYFMHF76UO2AYBG3K4YLWR3FKC2Q"
KEY = "UD6OU4D3CIOGIDZVL4ANXU3NWXOW5DCDE2YPZDBHPBXCVKHSODUA4FKI"
SIGNATURE = "C/+k46ZLuwLnh4KNuw6RbEacLdNazfnDvC4abs2YZ4fQ54QQVH/R0bcKpLNrrEnE+VNiXT2YyP+YmTmCJ8/EAQ=="
BYTES = (
    b"flotilla-vote-1\nacme\nrun-7\nrelease-1\nada\nrelease\nrelease,repair\nrelease,repair\nrelease=9,repair=2\n"
    b"0885a251d29099281c4acb8dedf65ab3a614e918bc8c08bde1f780c1bfcafc05\n"
    b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)


def vote(**more) -> VoteCast:
    fields = {
        "choice": "release",
        "approved": ("repair", "release"),
        "ranking": ("release", "repair"),
        "scores": {"repair": 2, "release": 9},
        "rationale": "Alle Prüfungen sind grün.",
    }
    return VoteCast(tenant="acme", run="run-7", ballot="release-1", voter="ada", **{**fields, **more})


def ballot(made, **more):
    names = {"tenant": "acme", "run": "run-7", "ballot": "release-1", "electorate": ("ada", "bob")}
    keys = {"ada": KEY, "bob": Signer().public_key}
    return made.ballot(options=("release", "repair"), **{**names, "signed": True, "keys": keys, **more})


def test_the_bytes_and_the_signature_are_those_that_are_written_here():
    """The signature is made by libsodium alone, from the 32 bytes inside of the seed."""
    assert vote().signed_bytes == BYTES
    assert BYTES.split(b"\n")[-2:] == [
        sha256("Alle Prüfungen sind grün.".encode()).hexdigest().encode(), sha256(b"").hexdigest().encode()
    ]  # fmt: skip
    raw = base64.b32decode(SEED + b"=" * (-len(SEED) % 8))[2:34]
    assert base64.b64encode(SigningKey(raw).sign(BYTES).signature).decode() == SIGNATURE
    assert Signer(SEED).sign_bytes(BYTES) == SIGNATURE
    assert Signer(SEED).public_key == KEY == nkeys.from_seed(SEED).public_key.decode()
    check_bytes(BYTES, SIGNATURE, KEY)


def test_a_vote_without_a_preference_has_empty_lines(made):
    empty = VoteCast(tenant="t", run="r", ballot="x", voter="v")
    nothing = sha256(b"").hexdigest()
    assert empty.signed_bytes == f"flotilla-vote-1\nt\nr\nx\nv\n\n\n\n\n{nothing}\n{nothing}".encode()


def test_a_rightly_signed_vote_counts(made):
    assert fault(ballot(made), vote(signature=SIGNATURE)) == ""


def test_a_ballot_that_wants_no_signatures_looks_at_none(made):
    assert fault(ballot(made, signed=False), vote(signature="nonsense")) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"choice": "repair"},
        {"choice": None},
        {"approved": ()},
        {"ranking": ("repair", "release")},
        {"scores": {"repair": 2}},
        {"rationale": "Alle Prüfungen sind rot."},
        {"because": "later"},
        {"signature": Signer(SEED).sign_bytes(b"something else")},
        {"signature": Signer().sign_bytes(BYTES)},
        {"signature": "not base64!"},
        {"signature": "ü"},
    ],
)
def test_what_was_changed_after_it_was_signed_is_refused(made, change):
    assert "the signature is wrong" in fault(ballot(made), vote(**{"signature": SIGNATURE, **change}))


def test_nobody_votes_with_the_signature_of_another(made):
    assert "is not of" in fault(ballot(made), vote(signature=SIGNATURE).model_copy(update={"voter": "bob"}))


@pytest.mark.parametrize("elsewhere", [{"tenant": "other"}, {"run": "run-8"}, {"ballot": "release-2"}])
def test_a_signature_is_worth_nothing_on_another_ballot(made, elsewhere):
    assert "worth nothing here" in fault(ballot(made, **elsewhere), vote(signature=SIGNATURE))


def test_an_unsigned_vote_and_a_voter_without_a_key_are_told_so(made):
    assert "is not signed" in fault(ballot(made), vote())
    assert "no key of ada" in fault(ballot(made, keys={}), vote(signature=SIGNATURE))


def test_a_key_is_checked_before_anybody_votes():
    assert key_fault(KEY) == ""
    for bad in ("", "hello", KEY[:-1] + ("A" if KEY[-1] != "A" else "B"), SEED.decode()):
        assert key_fault(bad)


def test_bytes_that_were_not_signed_are_refused():
    with pytest.raises(BadKey, match="is not of"):
        check_bytes(b"other", SIGNATURE, KEY)
