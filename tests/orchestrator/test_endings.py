"""The end of a run can always be said, however large what led to it has grown."""

from contracts.codec import decode, encode
from contracts.message import MAX_PAYLOAD_BYTES
from contracts.subjects import subject_of
from contracts.v1.projects import CaseFailure
from workers.orchestrator.endings import in_place_of


def test_a_command_that_the_bus_can_not_carry_fails_the_run_and_names_the_task(make):
    needs = [f"t{n}" for n in range(60)]
    plan = make.plan(*(make.task(name) for name in needs), make.task("all", needs=needs))
    run = make.run(make.request(plan), *(make.performed(name, "x" * 20_000) for name in needs))
    command = make.said(run)["task.writer.all.1"]
    size = len(encode(command))
    assert size > MAX_PAYLOAD_BYTES
    closed = in_place_of(run, command, size)
    assert (closed.status, closed.failed_task) == ("failed", "all")
    assert closed.reason == f"the message task.writer.all.1 has {size} bytes, more than the bus carries; " + (
        "ask for less at once"
    )


def test_an_end_that_the_bus_can_not_carry_is_cut_and_still_validates(make):
    failures = tuple(CaseFailure(case=f"case {n}", message="\N{SNOWMAN}" * 20_000) for n in range(20))
    evidence = make.evidence(True, "y" * 20_000, failures=failures)
    known = [*make.up_to_verify(), make.verified(1, green=True).model_copy(update={"evidence": evidence})]
    run = make.run(*known, make.reviewed(1), make.packed())
    closed = make.said(run)["run.closed"]
    size = len(encode(closed))
    assert size > MAX_PAYLOAD_BYTES
    shorter = in_place_of(run, closed, size)
    assert len(encode(shorter)) < 50_000
    assert (shorter.status, shorter.capsule, shorter.evidence.passed) == ("completed", make.SHA, True)
    assert decode(subject_of(shorter), encode(shorter)) == shorter
