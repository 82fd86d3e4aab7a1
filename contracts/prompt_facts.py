"""Facts about prompts ⇄ subjects and bytes: `<prefix>-prompts.<role>.<name>.<noun>.<tokens…>`, each name used once.

As in the log the subject is the identity, and a payload must say its `kind` and `version`. None belongs to a run.
"""

from pydantic import ValidationError

from contracts.codec import ContractError, Malformed, NewerVersion, WrongName, described, object_in
from contracts.subjects import PREFIX, is_token
from contracts.v1.prompts import PROMPT_FACTS, PromptFact

_CLASSES = {cls.noun: cls for cls in PROMPT_FACTS}


def prompts_subject(prefix: str = PREFIX, *tokens: str) -> str:
    """A subject of the stream `PROMPTS`; with `>` as the last token a filter."""
    return ".".join((f"{prefix}-prompts", *tokens))


def subject_of_prompt(fact: PromptFact, prefix: str = PREFIX) -> str:
    """The subject that a fact is published under."""
    tokens = (str(getattr(fact, field)) for field in fact.names)
    return prompts_subject(prefix, fact.role, fact.name, fact.noun, *tokens)


def encode_prompt(fact: PromptFact) -> bytes:
    """The fact as UTF-8 JSON."""
    return fact.model_dump_json().encode()


def decode_prompt(subject: str, data: bytes, prefix: str = PREFIX) -> PromptFact:
    """The fact that was published under `subject`; raises `ContractError`, and `NewerVersion` among these."""
    start = prompts_subject(prefix) + "."
    tokens = subject.removeprefix(start).split(".")
    if not subject.startswith(start) or len(tokens) < 4 or not all(map(is_token, tokens)):
        raise WrongName(f"{subject!r} is no subject of a fact about prompts: {start}<role>.<name>.<noun>.<tokens…>")
    cls = _CLASSES.get(tokens[2])
    if cls is None:
        raise WrongName(f"{subject!r}: {tokens[2]!r} is no noun of prompts; known are {', '.join(_CLASSES)}")
    raw = object_in(data)
    kind, version = raw.get("kind"), raw.get("version")
    if kind != cls.model_fields["kind"].default:
        raise WrongName(f"a {cls.noun} says kind {cls.model_fields['kind'].default!r}, not {str(kind)[:60]!r}")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Malformed(str(kind), (("version", "must be a whole number from 1"),))
    if version > cls.model_fields["version"].default:
        raise NewerVersion(f"{kind} version {version} is newer than any known here")
    try:
        fact = cls.model_validate(raw)
    except ValidationError as error:
        raise Malformed(str(kind), described(error)) from None
    if (named := subject_of_prompt(fact, prefix)) != subject:
        raise WrongName(f"the payload is named {named}, the subject {subject}")
    return fact


__all__ = ["ContractError", "decode_prompt", "encode_prompt", "prompts_subject", "subject_of_prompt"]
