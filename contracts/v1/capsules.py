"""Capsules: the signed deliverable of a run."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.message import Attempt, Fact, Token
from contracts.v1.projects import Sha256


class CapsulePacked(Fact):
    """The deliverable exists as the artifact `sha256`, of `size` bytes.

    `signature` is base64 of the Ed25519 signature over the 32 bytes of the digest; `public_key` is an nkey (`U…`).
    """

    noun: ClassVar[str] = "capsule"

    kind: Literal["capsule_packed"] = "capsule_packed"
    version: Literal[1] = 1
    task: Token
    attempt: Attempt
    sha256: Sha256
    size: Annotated[int, Field(ge=0)]
    files: Annotated[int, Field(ge=0)]
    signature: str
    public_key: str
