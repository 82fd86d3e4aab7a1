"""Facts about prompts ⇄ subjects and bytes: `<prefix>-prompts.<role>.<name>.<noun>.<tokens…>`, each name used once.

As in the log the subject is the identity, a payload must say its `kind` and `version`, and what the subject says may be
left out of it. None belongs to a run.
"""

from hashlib import sha256

from pydantic import ValidationError

from contracts.codec import (
    ContractError,
    Malformed,
    NewerVersion,
    WrongName,
    described,
    object_in,
    refuse_torn_text,
    short,
)
from contracts.subjects import PREFIX, is_token
from contracts.upcasters import Raw
from contracts.v1.prompts import PROMPT_FACTS, PromptFact

_CLASSES = {cls.noun: cls for cls in PROMPT_FACTS}


def prompts_subject(prefix: str = PREFIX, *tokens: str) -> str:
    """A subject of the stream `PROMPTS`; with `>` as the last token a filter."""
    return ".".join((f"{prefix}-prompts", *tokens))


def template_token(template: str) -> str:
    """`role/name` as one token, which no other template has: its parts have no hyphens. Long ones end with a digest."""
    token = template.replace("/", "-")
    return token if len(token) <= 64 else f"{token[:51]}-{sha256(template.encode()).hexdigest()[:12]}"


def subject_of_prompt(fact: PromptFact, prefix: str = PREFIX) -> str:
    """The subject that a fact is published under."""
    tokens = (str(getattr(fact, field)) for field in fact.names)
    return prompts_subject(prefix, fact.role, fact.name, fact.noun, *tokens)


def encode_prompt(fact: PromptFact) -> bytes:
    """The fact as UTF-8 JSON."""
    return fact.model_dump_json().encode()


def decode_prompt(subject: str, data: bytes, prefix: str = PREFIX) -> PromptFact:
    """The fact that was published under `subject`; raises `ContractError`, and `NewerVersion` among these."""
    cls, said = _address_of(subject, prefix)
    raw = object_in(data)
    _check_class(cls, raw)
    refuse_torn_text(raw, data)
    try:
        fact = cls.model_validate({**said, **raw})
    except ValidationError as error:
        raise Malformed(raw["kind"], described(error)) from None
    # Also where a number is written in another way: `label.01` is not `label.1`.
    if (named := subject_of_prompt(fact, prefix)) != subject:
        raise WrongName(f"the payload is named {short(named)}, the subject {subject}")
    return fact


def _address_of(subject: str, prefix: str) -> tuple[type[PromptFact], dict[str, str]]:
    """The class of the subject's noun, and the fields that the subject says."""
    start = prompts_subject(prefix) + "."
    tokens = subject.removeprefix(start).split(".")
    if not subject.startswith(start) or len(tokens) < 4 or not all(map(is_token, tokens)):
        wanted = f"{start}<role>.<name>.<noun>.<tokens…>"
        raise WrongName(f"{short(subject)} is no subject of a fact about prompts: {wanted}")
    role, name, noun, *names = tokens
    cls = _CLASSES.get(noun)
    if cls is None:
        raise WrongName(f"{short(subject)}: {noun!r} is no noun of prompts; known are {', '.join(_CLASSES)}")
    if len(names) != len(cls.names):
        expected = ".".join((noun, *(f"<{field}>" for field in cls.names)))
        raise WrongName(f"{short(subject)}: a {noun} is named {expected}")
    return cls, {"role": role, "name": name, **dict(zip(cls.names, names, strict=True))}


def _check_class(cls: type[PromptFact], raw: Raw) -> None:
    """The payload says that it is of this class, in a version that is known here."""
    kind, version = raw.get("kind"), raw.get("version")
    known, newest = cls.model_fields["kind"].default, cls.model_fields["version"].default
    if kind != known:
        raise WrongName(f"a {cls.noun} says kind {known!r}, not {short(kind)}")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Malformed(known, (("version", "must be a whole number from 1"),))
    if version > newest:
        raise NewerVersion(f"{kind} version {short(version)} is newer than {newest}, the newest known here")


__all__ = ["ContractError", "decode_prompt", "encode_prompt", "prompts_subject", "subject_of_prompt"]
