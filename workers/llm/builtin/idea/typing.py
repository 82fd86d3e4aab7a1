"""From what was said of fields to typed fields, with what has to be assumed about them."""

import re
from datetime import date
from decimal import Decimal, InvalidOperation

from contracts.v1.projects import FieldSpec, FieldType
from workers.llm.builtin.idea.inflection import identifier, singular
from workers.llm.builtin.idea.kinds import KindDraft, Resolved
from workers.llm.builtin.idea.lexicon import MEDIA, infer
from workers.llm.builtin.idea.statements import Qualities, Words
from workers.llm.builtin.idea.unreadable import Unreadable
from workers.llm.builtin.wordset import wordset

MOST_FIELDS = 40
TITLED = wordset("book movie film album song article post talk task todo course paper story poem lecture game")
PLAIN_PLURALS = wordset("notes comments instructions details remarks directions contents observations lyrics")
YES, NO = ("yes", "true", "on", "y", "1"), ("no", "false", "off", "n", "0")


def field_specs(kind: KindDraft, resolved: Resolved) -> tuple[FieldSpec, ...]:
    """The fields of a kind. One without any gets a name, or, if it only brings others together, a note."""
    if len(kind.fields) > MOST_FIELDS:
        raise Unreadable(f"{kind.name} has {len(kind.fields)} fields; I can do up to {MOST_FIELDS}")
    specs = tuple(_spec(kind, name, words, said, resolved) for name, (words, said) in kind.fields.items())
    if specs:
        return specs
    label = kind.name.replace("_", " ")
    if sum(not relation.many for relation in kind.relations.values()) > 1:
        resolved.assumptions.append(f"no fields were named for {label}, so it has an optional note")
        return (FieldSpec(name="note", type="text"),)
    if kind.name in MEDIA:
        resolved.assumptions.append(f"each {label} is a required URL of a file that is kept elsewhere")
        return (FieldSpec(name="url", type="url", required=True),)
    name = "title" if kind.name in TITLED else "name"
    resolved.assumptions.append(f"no fields were named for {label}, so it has a required {name}")
    return (FieldSpec(name=name, type="text", required=True),)


def _spec(kind: KindDraft, name: str, words: Words, said: Qualities, resolved: Resolved) -> FieldSpec:
    place = f"{name} of {kind.name}"
    type_ = _type(words, said, place)
    if said.unique and type_ in ("boolean", "choice"):
        raise Unreadable(f"The {place} can't be unique: it has only a few values", "Leave unique out.")
    if type_ == "text" and said.type is None and words[-1] != singular(words[-1]) and singular(words[-1]) in MEDIA:
        raise Unreadable(
            f"«{' '.join(words)}» of {kind.name}: files are not stored, and a field holds the URL of one",
            f"Say «a {singular(words[-1])}», or «{kind.plural} have many {words[-1]}».",
        )
    if type_ == "text" and said.type is None and words[-1] not in {singular(words[-1])} | PLAIN_PLURALS:
        resolved.assumptions.append(f"{place} is one text")
    if type_ == "url" and said.type is None and words[-1] in MEDIA:
        resolved.assumptions.append(f"{place} is the URL of a {words[-1]} that is kept elsewhere: files are not stored")
    if type_ == "integer" and words[-1] == "time" and said.type is None:
        resolved.assumptions.append(f"{place} is a number of minutes")
    default = _default(said, type_, place)
    required = said.required
    if required is None and default is None and name in ("name", "title"):
        required = True
        resolved.assumptions.append(f"{name} of {kind.name} is required")
    if type_ == "boolean" and default is None and not required:
        default = "false"
    return FieldSpec(
        name=name,
        type=type_,
        required=bool(required),
        unique=bool(said.unique),
        choices=said.choices,
        default=default,
    )


def _type(words: Words, said: Qualities, place: str) -> FieldType:
    if said.choices:
        if said.type not in (None, "text", "choice"):
            raise Unreadable(f"The {place} is said to be {said.type} and also one of {', '.join(said.choices)}")
        return "choice"
    if said.type:
        return said.type
    if said.default is not None and said.default.lower() in ("yes", "no", "true", "false"):
        return "boolean"
    return infer(tuple(identifier(words).split("_")) or words)


def _default(said: Qualities, type_: FieldType, place: str) -> str | None:
    if said.default is None:
        return None
    fitting = _fitting(said.default, type_, said.choices)
    if fitting is None:
        wanted = f"one of {', '.join(said.choices)}" if said.choices else f"a {type_} value"
        raise Unreadable(f"The default «{said.default}» of the {place} is not {wanted}", "Say a default that fits.")
    return fitting


def _fitting(text: str, type_: FieldType, choices: tuple[str, ...]) -> str | None:
    """The default as a field of this type writes it, or None if it does not fit."""
    if type_ == "choice":
        return next((choice for choice in choices if choice.lower() == text.lower()), None)
    if type_ == "boolean":
        return "true" if text.lower() in YES else "false" if text.lower() in NO else None
    if type_ in ("integer", "number", "money"):
        return _number(text, type_)
    if type_ == "date":
        return text if _is_date(text) else None
    patterns = {"time": r"([01]\d|2[0-3]):[0-5]\d", "email": r"[^@\s]+@[^@\s]+\.[^@\s]+", "url": r"https?://\S+"}
    fits = type_ == "text" or re.fullmatch(patterns.get(type_, "(?!)"), text)
    return text if fits else None


def _number(text: str, type_: FieldType) -> str | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if type_ == "integer":
        return str(int(value)) if value == int(value) else None
    if type_ == "money":
        return f"{value:.2f}" if value >= 0 and value == value.quantize(Decimal("0.01")) else None
    return str(float(value))


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
