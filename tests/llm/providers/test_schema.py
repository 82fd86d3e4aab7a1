"""Strict schemas: whatever fits the strict one fits the model that the first one came from."""

import re
from enum import Enum
from typing import Any, Literal, Optional

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, create_model

from workers.llm.providers.schema import form, instruction, name_of, strict


class Colour(Enum):
    red = "red"
    blue = "blue"


class Leaf(BaseModel):
    """A leaf."""

    size: int
    note: str = ""
    colour: Colour = Colour.red


class Tree(BaseModel):
    leaf: Leaf = Field(description="the first one")
    others: list[Leaf] = []
    parent: Optional["Tree"] = None


class Open(BaseModel):
    entries: dict[str, int]


class Anything(BaseModel):
    value: Any


class Pair(BaseModel):
    both: tuple[int, str]


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str] = []


class Pet(BaseModel):
    animal: Cat | Dog = Field(discriminator="kind")


class Bounded(BaseModel):
    name: str = Field(min_length=2, pattern="^[a-z]+$")
    size: int = Field(ge=1, le=9, default=3, description="How big.")


FIELDS = st.recursive(
    st.sampled_from([str, int, float, bool, str | None, int | None, Literal["a", "b"], Literal["only"], Colour, Leaf]),
    lambda inner: inner.map(lambda kind: list[kind]) | inner.map(lambda kind: kind | None),
    max_leaves=3,
)  # fmt: skip
DEFAULTS: dict[Any, Any] = {str: "", int: 0, float: 0.5, bool: False}


@st.composite
def models(draw: st.DrawFn) -> type[BaseModel]:
    """A model with fields of all kinds, required and with defaults, nested once."""

    def one(name: str, kinds: st.SearchStrategy[Any]) -> type[BaseModel]:
        fields: dict[str, Any] = {}
        for place, kind in enumerate(draw(st.lists(kinds, min_size=1, max_size=4))):
            optional = kind in DEFAULTS and draw(st.booleans())
            fields[f"f{place}"] = (kind, DEFAULTS[kind] if optional else ...)
        return create_model(name, **fields)

    inner = one("Inner", FIELDS)
    return one("Outer", FIELDS | st.just(inner) | st.just(list[inner]))  # type: ignore[valid-type]


SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=3),
    "integer": st.integers(0, 9),
    "number": st.floats(0, 9),
    "boolean": st.booleans(),
    "null": st.none(),
}


def instances(schema: dict[str, Any], defs: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that fit a strict schema."""
    if "$ref" in schema:
        return instances(defs[schema["$ref"].removeprefix("#/$defs/")], defs, depth + 1)
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    if "anyOf" in schema:
        branches = [b for b in schema["anyOf"] if depth < 4 or "$ref" not in b]
        return st.one_of([instances(branch, defs, depth) for branch in branches])
    if schema["type"] == "array":
        return st.lists(instances(schema["items"], defs, depth + 1), max_size=0 if depth > 4 else 2)
    if schema["type"] == "object":
        return st.fixed_dictionaries({n: instances(s, defs, depth + 1) for n, s in schema["properties"].items()})
    return SIMPLE[schema["type"]]


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every object schema in a schema."""
    if isinstance(schema, list):
        return [found for each in schema for found in objects(each)]
    if not isinstance(schema, dict):
        return []
    here = [schema] if schema.get("type") == "object" else []
    return here + [found for each in schema.values() for found in objects(each)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), models())
def test_whatever_fits_the_strict_schema_fits_the_model(data, model):
    closed = strict(model.model_json_schema())
    assert closed is not None
    for each in objects(closed):
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])
    model.model_validate(data.draw(instances(closed, closed.get("$defs", {}))))


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([Tree, Pet, Leaf]))
def test_references_recursion_and_unions_stay_valid(data, model):
    closed = strict(model.model_json_schema())
    assert closed is not None
    model.model_validate(data.draw(instances(closed, closed.get("$defs", {}))))


@given(models())
@settings(max_examples=30, deadline=None)
def test_a_strict_schema_is_strict_already(model):
    closed = strict(model.model_json_schema())
    assert strict(closed) == closed


@pytest.mark.parametrize("model", [Open, Anything, Pair, Loose])
def test_what_strict_mode_has_no_words_for_goes_as_it_is(model):
    schema = model.model_json_schema()
    assert strict(schema) is None
    sent = form(schema, True)
    assert (sent.schema, sent.strict) == (schema, False)


@pytest.mark.parametrize(
    "schema",
    [
        {}, {"type": "string"}, {"type": "object"}, {"anyOf": [{"type": "object", "properties": {}}]},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/Nowhere"}}},
        {"type": "object", "properties": {"a": {"allOf": [{"type": "string"}, {"type": "integer"}]}}},
        {"type": "object", "properties": {"a": {"not": {"type": "string"}}}},
        {"type": "object", "properties": {"a": True}},
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_strict_has_no_strict_form(schema):
    assert strict(schema) is None


def test_what_strict_mode_does_not_know_becomes_words():
    closed = strict(Bounded.model_json_schema())
    assert closed["properties"]["name"] == {
        "title": "Name", "type": "string", "description": 'minLength: 2. pattern: "^[a-z]+$".',
    }  # fmt: skip
    assert closed["properties"]["size"] == {
        "title": "Size", "type": "integer", "description": "How big. Default: 3. minimum: 1. maximum: 9.",
    }  # fmt: skip


def test_a_field_that_may_be_left_out_is_asked_for_and_not_made_null():
    closed = strict(Leaf.model_json_schema())
    assert closed["required"] == ["size", "note", "colour"]
    assert closed["properties"]["note"]["type"] == "string"
    assert closed["properties"]["colour"]["enum"] == ["red", "blue"]


def test_a_field_that_may_be_null_stays_so():
    closed = strict(Tree.model_json_schema())
    tree = closed["$defs"]["Tree"]
    assert tree["properties"]["parent"]["anyOf"] == [{"$ref": "#/$defs/Tree"}, {"type": "null"}]


def test_the_schema_itself_is_left_alone():
    schema = Bounded.model_json_schema()
    before = repr(schema)
    strict(schema), form(schema, True), instruction(schema)
    assert repr(schema) == before


@given(st.text())
def test_a_name_is_safe_whatever_the_title(title):
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name_of({"title": title}))


def test_a_name_is_the_title_where_it_can_be():
    assert name_of({"title": "PlanReply"}) == "PlanReply"
    assert name_of({"title": "Plan[Reply, 2]"}) == "Plan_Reply_2"
    assert name_of({}) == "Answer"


def test_a_form_is_worked_out_once():
    schema = Leaf.model_json_schema()
    assert form(schema, True) is form(Leaf.model_json_schema(), True)


def test_the_instruction_holds_the_schema_and_asks_for_nothing_but_json():
    text = instruction(Leaf.model_json_schema())
    assert '"size":{"title":"Size","type":"integer"}' in text
    assert "JSON object and nothing else" in text
