"""The gate: what a revision must show on held-out cases before any task is given it. Pure.

Half of a template's recorded tasks are held out, by a hash of their names. The reviser sees none of them, now or later,
so what they say of its candidate is not what it was made from.
"""

import hashlib

from contracts.v1.prompts import GateResult

LEAST_CASES = 4
"""With fewer, equal counts say next to nothing."""


def is_held_out(template: str, tenant: str, run: str, task: str) -> bool:
    """Whether the recorded task is kept for the gate; the same for each attempt and in each process."""
    named = f"held out/{template}/{tenant}/{run}/{task}"
    return hashlib.sha256(named.encode()).digest()[0] % 2 == 0


def judged(cases: int, live: int, candidate: int) -> GateResult:
    """The gate's word when so many of the same cases went well with the live version and with the candidate.

    No worse is enough: whether it is better, the experiment finds out on new tasks.
    """
    why = _why_not(cases, live, candidate)
    told = why or f"{candidate} of {cases} cases went well with the candidate, {live} with the live version"
    return GateResult(cases=cases, live=live, candidate=candidate, passed=not why, why=told)


def _why_not(cases: int, live: int, candidate: int) -> str:
    if cases < LEAST_CASES:
        return f"{cases} held-out cases are too few to go by; it takes {LEAST_CASES}"
    if candidate < live:
        return f"{candidate} of {cases} cases went well with the candidate, fewer than the {live} with the live version"
    if candidate == 0:
        return f"none of {cases} cases went well with the candidate, nor with the live version"
    return ""
