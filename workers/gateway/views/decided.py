"""The ballots that decided on a project's design or on its files."""

from typing import Literal

from contracts.v1.approvals import ApprovalGiven
from contracts.v1.projects import FileRef
from workers.consensus.box import Box
from workers.gateway.views.facts import RunFacts
from workers.gateway.views.files import DecidedView, VoiceView
from workers.gateway.views.shape import Shape, first_of


def decided_boxes(state: RunFacts) -> list[Box]:
    """The ballots with a decision, in the order of the decisions."""
    boxes = [(box.decided.sequence, box) for box in state.boxes.values() if box.decided and box.decision and box.terms]
    return [box for _, box in sorted(boxes, key=lambda pair: pair[0])]


def is_on_design(box: Box, shape: Shape) -> bool:
    """Whether the ballot was on the design that is built by, or sent it back to be made anew."""
    if shape.chosen is None or box.terms is None:
        return False
    options = {option.option for option in box.terms.options}
    return shape.chosen.task in options or first_of(shape.chosen.task, shape.planned) in options


def decided_by(state: RunFacts, box: Box, about: Literal["design", "files"]) -> DecidedView:
    """What a ballot decided, and who stood for what."""
    answer = state.fact(f"approval.{box.ballot}", ApprovalGiven)
    return state.derived(f"decided.{about}.{box.ballot}", (box.decided, answer), lambda: _decided(box, about, answer))


def _decided(box: Box, about: Literal["design", "files"], answer: ApprovalGiven | None) -> DecidedView:
    made = box.decision
    assert made is not None, "only ballots with a decision are asked"
    person = answer if made.by == "escalated" else None
    return DecidedView(
        ballot=box.ballot,
        about=about,
        option=made.option or (person.option if person else None),
        by=made.by,
        answered_by=person.by if person else "",
        reason=made.reason,
        votes=tuple(VoiceView(voter=one.voter, options=one.options, text=one.text) for one in made.counted),
    )


def files_put_to(box: Box) -> list[tuple[FileRef, ...]]:
    """The files of each option of a ballot that has any."""
    return [option.files for option in box.terms.options if option.files] if box.terms else []
