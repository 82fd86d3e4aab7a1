"""Which version of a prompt a task gets: a hash of experiment, epoch and task against the candidate's share.

The same task gets the same arm however often it is delivered. Each epoch (a change of the share) draws anew, so within
one the arms are as if drawn by independent coins, which is all that the evidence rests on.
"""

import json
from hashlib import sha256
from typing import Literal

Arm = Literal["live", "candidate"]

MILLION = 1_000_000
"""Shares are integers in millionths: 200,000 is a fifth of the tasks."""


def arm_of(experiment: str, epoch: int, task: str, share: int) -> Arm:
    """The arm of a task while the candidate has `share` millionths. Raises ValueError for a share that can't be."""
    if not 0 <= share <= MILLION:
        raise ValueError(f"a share of {share} millionths: give one from 0 to {MILLION}")
    named = json.dumps([experiment, epoch, task]).encode()
    drawn = int.from_bytes(sha256(named).digest()[:8]) * MILLION >> 64
    return "candidate" if drawn < share else "live"
