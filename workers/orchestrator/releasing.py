"""The release: green tests that no finding blocks are put to a ballot before the project is packed."""

from collections.abc import Sequence

from contracts.v1.ballots import Option
from contracts.v1.projects import Evidence, FileRef, Finding, Requirements
from workers.orchestrator.ballots import LONGEST_TEXT, Question, Settled, as_text

RELEASE, REPAIR = "release", "repair"


def release_ballot(n: int) -> str:
    """The name of the ballot on the release of round `n`."""
    return f"release-{n}"


def release_question(
    n: int,
    requirements: Requirements,
    files: tuple[FileRef, ...],
    evidence: Evidence,
    findings: Sequence[Finding],
    authors: tuple[str, ...],
) -> Question:
    """Whether the project is good enough; when nobody can say, it is not."""
    known = {
        "requirements": requirements.model_dump(mode="json"),
        "findings": [finding.model_dump(mode="json") for finding in findings],
    }
    return Question(
        ballot=release_ballot(n),
        question="The tests pass. Is the project to be released as it is, or what is to be repaired first?",
        options=(
            Option(option=RELEASE, title="release the project as it is", evidence=evidence, files=files),
            Option(option=REPAIR, title="have it repaired first"),
        ),
        context=as_text(known),
        default=REPAIR,
        status_quo=REPAIR,
        ties=("status_quo",),
        authors=authors,
    )


def rejections(found: Settled) -> tuple[Finding, ...]:
    """What is to be repaired, in the words of those who wanted it."""
    texts = [f"{who}: {text}" for who, text in found.because] or [f"{found.at} wants a repair; nobody said which"]
    return tuple(Finding(severity="blocking", message=text[:LONGEST_TEXT]) for text in texts)
