"""JSON Schemas as providers want them.

Strict structured output (OpenAI, Azure, Mistral) knows a part of JSON Schema: every object is closed and every one of
its properties required. `strict` rewrites a schema so that whatever fits the new one also fits the old one, as far as
keywords go that strict mode knows; the rest becomes words in a description, and the answer is validated again anyway.
What may be left out (it has a default) is asked for all the same. It is not made nullable: its model knows no null.

    {"title": "Vote", "type": "object", "properties": {"choice": {"type": "string"},
     "why": {"type": "string", "default": "", "maxLength": 9}}, "required": ["choice"]}
    ──▶ …"why": {"type": "string", "description": "Default: \\"\\". maxLength: 9."}}, "required": ["choice", "why"],
        "additionalProperties": false}

Open objects (`dict[str, …]`), untyped values, tuples and conditions can't be strict; such a schema goes as it is.
"""

import json
import re
from functools import lru_cache
from typing import Any, NamedTuple

Schema = dict[str, Any]

_KEPT = ("type", "title", "enum", "const", "required", "additionalProperties")
_TOLD = ("default", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
         "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "examples")  # fmt: skip
_IGNORED = {"discriminator", "deprecated", "readOnly", "writeOnly", "$defs", "$ref", "description", "$schema", "$id"}
_READ = {"properties", "items", "anyOf", "oneOf", "allOf"}
_KNOWN = {*_KEPT, *_TOLD, *_IGNORED, *_READ}


class Form(NamedTuple):
    """A schema to send: `name` is safe everywhere, `strict` says whether strict mode takes it."""

    name: str
    schema: Schema
    strict: bool


class _NotStrict(Exception):
    """This schema has no strict form."""


def form(schema: Schema, want_strict: bool) -> Form:
    """The schema to send, strict where wanted and possible. Kept by content; the result is shared, don't change it."""
    return _form(json.dumps(schema), want_strict)


@lru_cache(maxsize=256)
def _form(text: str, want_strict: bool) -> Form:
    schema: Schema = json.loads(text)
    closed = strict(schema) if want_strict else None
    return Form(name_of(schema), closed or schema, closed is not None)


def strict(schema: Schema) -> Schema | None:
    """The schema for strict mode, None where it has no such form."""
    defs: Schema = schema.get("$defs", {})
    try:
        root = _rewritten(_resolved(schema, defs), defs, frozenset())
        if root.get("type") != "object":
            return None
        rest = {name: _rewritten(each, defs, frozenset()) for name, each in defs.items()}
    except (_NotStrict, RecursionError):
        return None
    return {**root, "$defs": rest} if rest else root


def name_of(schema: Schema) -> str:
    """The schema's title as a name: 1 to 64 of `a-z A-Z 0-9 _ -`."""
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", str(schema.get("title", "")))[:64].strip("_") or "Answer"


def instruction(schema: Schema) -> str:
    """What asks for an answer in that schema, for a model that can't be held to it; follows the system message."""
    return (
        "Answer with one JSON object and nothing else: no words before or after it and no code fence. "
        f"It must fit this JSON Schema:\n{json.dumps(schema, ensure_ascii=False, separators=(',', ':'))}"
    )


def _resolved(schema: Schema, defs: Schema) -> Schema:
    """A root that only refers to a definition, as recursive models have it, becomes that definition."""
    return {**_target(schema["$ref"], defs), **_without(schema, "$ref")} if "$ref" in schema else schema


def _rewritten(schema: Schema, defs: Schema, inside: frozenset[str]) -> Schema:
    if not isinstance(schema, dict) or set(schema) - _KNOWN:
        raise _NotStrict
    if "$ref" in schema:
        return _reference(schema, defs, inside)
    if "allOf" in schema:
        return _rewritten(_merged(schema), defs, inside)
    new: Schema = {keyword: schema[keyword] for keyword in _KEPT if keyword in schema}
    branches = schema.get("anyOf", schema.get("oneOf"))
    if branches is not None:
        new["anyOf"] = [_rewritten(branch, defs, inside) for branch in branches]
    if (told := _told(schema)) != "":
        new["description"] = told
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return new | _closed(schema, defs, inside)
    if kind == "array" or "items" in schema:
        new["items"] = _rewritten(schema.get("items", {}), defs, inside)
    elif kind is None and not {"enum", "const", "anyOf"} & set(new):
        raise _NotStrict
    return new


def _reference(schema: Schema, defs: Schema, inside: frozenset[str]) -> Schema:
    """Strict mode takes no word beside a `$ref`: what has some is written out, unless that would never end."""
    ref = schema["$ref"]
    definition = _target(ref, defs)
    beside = _without(schema, "$ref")
    if not beside or ref in inside:
        return {"$ref": ref}
    return _rewritten({**definition, **beside}, defs, inside | {ref})


def _closed(schema: Schema, defs: Schema, inside: frozenset[str]) -> Schema:
    properties: Schema = schema.get("properties", {})
    if schema.get("additionalProperties", False) is not False or "type" not in schema:
        raise _NotStrict
    if not properties and "additionalProperties" not in schema:
        raise _NotStrict  # nothing closes it: any object fits
    return {
        "type": "object",
        "properties": {name: _rewritten(each, defs, inside) for name, each in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }


def _merged(schema: Schema) -> Schema:
    """`allOf` of one is how a reference with a description was written once; of more it can't be strict."""
    if len(schema["allOf"]) != 1:
        raise _NotStrict
    return {**schema["allOf"][0], **_without(schema, "allOf")}


def _told(schema: Schema) -> str:
    said = [str(schema["description"])] if schema.get("description") else []
    for keyword in _TOLD:
        if keyword in schema:
            name = "Default" if keyword == "default" else keyword
            said.append(f"{name}: {json.dumps(schema[keyword], ensure_ascii=False)}.")
    return " ".join(said)


def _target(ref: str, defs: Schema) -> Schema:
    name = ref.removeprefix("#/$defs/")
    if name not in defs:
        raise _NotStrict
    definition: Schema = defs[name]
    return definition


def _without(schema: Schema, *keywords: str) -> Schema:
    return {keyword: value for keyword, value in schema.items() if keyword not in {*keywords, "$defs"}}
