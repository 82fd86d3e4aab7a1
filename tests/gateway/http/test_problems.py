"""Problems: each refusal has its kind, says what to do, and says nothing of what is inside."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from contracts.codec import NotJson, decode
from contracts.v1.runs import RunRequested
from workers.gateway.http import problems
from workers.gateway.http.idempotency import BadIdempotencyKey
from workers.gateway.http.kinds import KINDS
from workers.gateway.http.pages import BadCursor, BadLimit
from workers.gateway.http.problems import FieldFault, Problem, ProblemBody, Refused
from workers.gateway.http.refusals import clients_fault, pointer, problem_of, problem_of_refusal, wrong_request
from workers.gateway.identity.limits import BadLength
from workers.gateway.identity.rights import Principal, refused
from workers.llm.records import RecordsUnavailable
from workers.runtime.errors import BusUnavailable, TooLarge

FROM_INSIDE = "nats://admin:pa55@10.0.0.7:4222 flotilla.acme.r42.result.design"


def _said(problem: Problem) -> dict[str, object]:
    found: dict[str, object] = json.loads(problem.encoded())
    return found


def _faults_of(body: object) -> Problem:
    with pytest.raises(Refused) as caught, clients_fault():
        RunRequested.model_validate(body)
    return caught.value.problem


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_its_type_title_status_and_detail(kind: str) -> None:
    said = _said(Problem(kind, "why"))
    assert said == {
        "type": f"/problems/{kind}",
        "title": KINDS[kind].title,
        "status": KINDS[kind].status,
        "detail": "why",
    }


def test_types_never_change() -> None:
    assert {kind: found.status for kind, found in KINDS.items()} == {
        "malformed-request": 400, "unauthenticated": 401, "forbidden": 403, "not-found": 404,
        "method-not-allowed": 405, "not-acceptable": 406, "conflict": 409, "gone": 410, "too-large": 413,
        "unsupported-media-type": 415, "wrong-input": 422, "idempotency-key-reused": 422, "too-many-requests": 429,
        "headers-too-large": 431, "internal": 500, "bus-unavailable": 503,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("problem", "header", "value"),
    [
        (problems.unauthenticated("who?"), "WWW-Authenticate", 'Bearer realm="flotilla"'),
        (problems.unauthenticated("no", True), "WWW-Authenticate", 'Bearer realm="flotilla", error="invalid_token"'),
        (problems.too_many(7), "Retry-After", "7"),
        (problems.too_many(0), "Retry-After", "1"),
        (problems.bus_unavailable(), "Retry-After", "2"),
        (problems.of_status(401), "WWW-Authenticate", 'Bearer realm="flotilla"'),
    ],
)
def test_a_refusal_that_needs_a_header_has_it(problem: Problem, header: str, value: str) -> None:
    assert problem.headers[header] == value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BusUnavailable(FROM_INSIDE), "bus-unavailable"),
        (RecordsUnavailable(FROM_INSIDE), "bus-unavailable"),
        (TooLarge("flotilla.acme.r42.result.design", 2_000_000), "too-large"),
        (NotJson(FROM_INSIDE), "internal"),
        (RuntimeError(FROM_INSIDE), "internal"),
        (KeyError(FROM_INSIDE), "internal"),
        (TimeoutError(FROM_INSIDE), "internal"),
    ],
)
def test_nothing_from_inside_is_said(error: Exception, kind: str) -> None:
    problem = problem_of(error)
    assert problem.kind == kind
    text = problem.encoded().decode()
    assert not any(part in text for part in ("nats", "10.0.0.7", "r42", "Error"))


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (BadLength("x"), {"header": "Content-Length"}),
        (BadIdempotencyKey("x"), {"header": "Idempotency-Key"}),
        (BadCursor("x"), {"parameter": "cursor"}),
        (BadLimit("x"), {"parameter": "limit"}),
    ],
)
def test_a_bad_header_or_parameter_is_named(error: Exception, named: dict[str, str]) -> None:
    problem = problem_of(error)
    assert problem.status == 400
    assert _said(problem)["errors"] == [{"detail": "x", **named}]


def test_what_was_refused_on_purpose_is_said_as_it_is() -> None:
    problem = problems.key_reused("run r42")
    assert problem_of(Refused(problem)) is problem
    assert (problem.status, problem.detail) == (
        422,
        "this key stands for run r42, which was asked for with another body",
    )


def test_each_wrong_field_of_a_body_has_a_pointer() -> None:
    problem = _faults_of({"tenant": "acme", "run": "r1", "idea": "", "budget": {"usd": -1}, "designs": 99})
    assert problem.status == 422
    found = {fault.pointer for fault in problem.errors}
    assert {"#/idea", "#/designs"} <= found
    assert all(fault.detail for fault in problem.errors)


def test_a_body_that_is_no_json_is_malformed_where_the_request_is_read() -> None:
    with pytest.raises(Refused) as caught, clients_fault():
        raise NotJson(FROM_INSIDE)
    assert (caught.value.problem.kind, "nats" in caught.value.problem.detail) == ("malformed-request", False)


def test_a_message_that_does_not_validate_is_the_clients_fault_where_the_request_is_read_alone() -> None:
    payload = b'{"kind": "run_requested", "version": 1, "idea": ""}'
    with pytest.raises(Refused) as caught, clients_fault():
        decode("flotilla.acme.r1.run.requested", payload)
    assert [fault.pointer for fault in caught.value.problem.errors] == ["#/idea"]
    with pytest.raises(Exception, match="idea") as spoiled:
        decode("flotilla.acme.r1.run.requested", payload)
    assert problem_of(spoiled.value).kind == "internal"


def test_faults_of_the_framework_say_where_they_are() -> None:
    problem = wrong_request(
        [(("body", "options", 0, "a/b~c"), "no"), (("query", "limit"), "no"), (("header", "prefer"), "no"), ((), "no")]
    )
    assert problem.detail == "4 fields are wrong; `errors` says which and why"
    assert _said(problem)["errors"] == [
        {"detail": "no", "pointer": "#/options/0/a~1b~0c"},
        {"detail": "no", "parameter": "limit"},
        {"detail": "no", "header": "prefer"},
        {"detail": "no", "pointer": "#"},
    ]


@given(st.lists(st.text(max_size=20) | st.integers(0, 99), max_size=6))
def test_a_pointer_leads_back_to_its_place(place: list[str | int]) -> None:
    written = pointer(place)
    assert written.isprintable() or any(not str(part).isprintable() for part in place)
    if all(str(part).isprintable() for part in place):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in written.removeprefix("#").split("/")[1:]]
        assert parts == [str(part) for part in place]


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "Z", "C")), max_size=1_500))
def test_whatever_a_detail_holds_the_body_is_one_bounded_line_of_json(text: str) -> None:
    problem = problems.wrong_input([FieldFault(detail=problems.plain(text), pointer=pointer([text]))])
    assert len(problem.encoded()) < 12_000
    assert ProblemBody.model_validate_json(problem.encoded()) == problem.body
    assert _said(Problem("conflict", text))["detail"] == problems.plain(text)
    assert "\n" not in problems.plain(text)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


def test_a_body_with_very_many_faults_names_only_so_many() -> None:
    with pytest.raises(Refused) as caught, clients_fault():
        _Strict.model_validate({f"field{n}": 1 for n in range(500)})
    assert len(caught.value.problem.body.errors or ()) == problems.MOST_ERRORS


def test_a_foreign_thing_reads_exactly_like_a_missing_one() -> None:
    refusal = refused(Principal("Ann", "acme", "admin", "key"), "read_runs", "globex")
    assert refusal is not None
    assert problem_of_refusal(refusal).encoded() == problems.not_found().encoded()


@pytest.mark.parametrize(("right", "status"), [("read_runs", None), ("approve", 403)])
def test_a_refusal_has_the_status_that_it_says(right: str, status: int | None) -> None:
    refusal = refused(Principal("Ann", "acme", "viewer", "key"), right, "acme")  # type: ignore[arg-type]
    assert (problem_of_refusal(refusal).status if refusal else None) == status


def test_who_presented_a_wrong_key_is_told_by_the_challenge() -> None:
    refusal = refused(None, "read_runs", "acme")
    assert refusal is not None
    assert "error=" not in problem_of_refusal(refusal).headers["WWW-Authenticate"]


def test_the_instance_is_the_path_without_its_query() -> None:
    assert _said(problems.not_found("run r42").at("/api/v1/runs/r42?token=secret"))["instance"] == "/api/v1/runs/r42"


@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 405, 406, 409, 413, 415, 418, 422, 429, 431, 500, 502, 503, 599]
)
def test_a_bare_status_becomes_a_problem(status: int) -> None:
    problem = problems.of_status(status, {"Allow": "GET", "X-Inside": FROM_INSIDE})
    assert problem.status == (
        status if status in {kind.status for kind in KINDS.values()} else 400 if status < 500 else 500
    )
    assert "nats" not in str(problem)
    assert status == 401 or problem.headers["Allow"] == "GET"
