"""Requests that are sent again make the same thing once, for one tenant, and another body is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import decode, encode
from contracts.subjects import is_token, subject_of
from contracts.v1.ballots import BallotOpened, Option, ballot_of, voting_task
from contracts.v1.budgets import Budget
from contracts.v1.runs import RunRequested
from workers.gateway.http.idempotency import BadIdempotencyKey, digest_of, key_of, name_for, repeat

printable = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)
tenants = st.sampled_from(["acme", "globex", "a", "ac"])


def _request(**fields: object) -> RunRequested:
    return RunRequested.model_validate({"tenant": "acme", "run": "r1", "idea": "A web shop", **fields})


def _ballot(**fields: object) -> BallotOpened:
    options = (Option(option="yes"), Option(option="no"))
    return BallotOpened(
        tenant="acme", run="b1", ballot="b1", question="?", options=options, electorate=("a",)
    ).model_copy(update=fields)


@given(printable)
def test_a_quoted_key_is_read_as_it_was_meant(key: str) -> None:
    written = key.replace("\\", "\\\\").replace('"', '\\"')
    assert key_of(f'"{written}"') == key
    assert key_of(f' "{written}"\t') == key


def test_a_bare_word_is_a_key_as_well() -> None:
    assert key_of("8e03978e-40d5-43dd-bc93-6894a57f9324") == "8e03978e-40d5-43dd-bc93-6894a57f9324"


def test_no_header_is_no_key() -> None:
    assert key_of(None) is None


@pytest.mark.parametrize(
    "header", ["", '""', " ", '"a', 'a"', "a b", "a, b", '"a"; b', '"é"', "é", "x" * 256, '"\\x"', '"\n"']
)
def test_another_header_is_refused(header: str) -> None:
    with pytest.raises(BadIdempotencyKey, match="must be 1 to 255 printable ASCII characters"):
        key_of(header)


@given(tenants, printable)
def test_a_name_is_a_token_and_the_same_each_time(tenant: str, key: str) -> None:
    name = name_for("run", tenant, key)
    assert is_token(name)
    assert len(name) == 27
    assert name == name_for("run", tenant, key)


@given(st.tuples(tenants, printable), st.tuples(tenants, printable))
def test_another_tenant_or_key_has_another_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (name_for("run", *one) == name_for("run", *other)) == (one == other)


def test_a_key_names_one_of_each_sort() -> None:
    assert len({name_for(made, "acme", "k") for made in ("run", "ballot", "task", "agent")}) == 4


@given(printable)
def test_a_ballots_name_fits_into_the_names_of_its_voting_tasks(key: str) -> None:
    name = name_for("ballot", "acme", key)
    assert ballot_of(voting_task(name, "ann")) == (name, "ann")


def test_names_never_change() -> None:
    assert name_for("run", "acme", "8e03978e") == "rnryrdgrjsf7kw7miuod4pcnlna"


def test_nothing_in_the_log_is_new() -> None:
    assert repeat(_request(), None) == "new"


@given(st.text(min_size=1, max_size=50).filter(str.strip), st.integers(1, 9), st.booleans())
def test_the_same_request_is_the_same_after_it_was_in_the_log(idea: str, designs: int, budgeted: bool) -> None:
    meant = _request(idea=idea, designs=designs, budget=Budget(usd=1.5) if budgeted else None)
    assert repeat(meant, decode_again(meant)) == "same"


def decode_again(message: RunRequested) -> RunRequested:
    stored = decode(subject_of(message), encode(message))
    assert isinstance(stored, RunRequested)
    return stored


@pytest.mark.parametrize("other", [{"idea": "A web shop!"}, {"designs": 2}, {"deadline_s": 60}, {"model": "builtin"}])
def test_another_body_is_noticed(other: dict[str, object]) -> None:
    assert repeat(_request(), _request(**other)) == "other"


def test_who_asked_makes_no_other_request() -> None:
    assert repeat(_request(requested_by="Ann (key 1)"), _request(requested_by="Ann (key 2)")) == "same"
    assert repeat(_ballot(opened_by="Ann"), _ballot(opened_by="Bob")) == "same"


def test_what_the_gateway_fills_in_makes_no_other_request_where_it_is_said() -> None:
    before, now = _ballot(weights={"a": 1_000_000}), _ballot(weights={"a": 2_000_000})
    assert repeat(now, before) == "other"
    assert repeat(now, before, beside={"weights"}) == "same"


def test_a_digest_does_not_depend_on_the_order_of_a_mapping() -> None:
    assert digest_of(_ballot(weights={"a": 1, "b": 2})) == digest_of(_ballot(weights={"b": 2, "a": 1}))
