"""The JSON Schema of the language accepts what is right and refuses what is plainly wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agentflow.errors import Diagnostic, Json
from agentflow.spec import schemas
from agentflow.spec.editor_schema import workflow_schema
from agentflow.spec.grammar import SHAPES, STEP, WORKFLOW
from agentflow.spec.grammar_verbs import VERBS
from agentflow.spec.kinds import KINDS
from agentflow.spec.read import read
from agentflow.spec.source import plain

SPECS = Path(__file__).parents[2] / "specs"
VALIDATOR: Any = jsonschema.Draft202012Validator(workflow_schema())


def data(text: str) -> Json:
    diagnostics: list[Diagnostic] = []
    return plain(read(text, "t.yaml", diagnostics))


def test_it_is_a_schema_itself() -> None:
    jsonschema.Draft202012Validator.check_schema(workflow_schema())
    assert list(schemas.mistakes(workflow_schema())) == []


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_it_accepts_each_spec_of_the_repository(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(data(path.read_text()))] == []


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
def test_it_accepts_each_example_of_the_reference(verb: Any) -> None:
    spec = {"workflow": "w", "do": [data(verb.example)]}

    assert [error.message for error in VALIDATOR.iter_errors(spec)] == []


@pytest.mark.parametrize(
    "text",
    [
        "do: [{id: a, return: 1}]",
        "workflow: w",
        "workflow: w\ndo: []",
        "workflow: my flow\ndo: [{id: a, return: 1}]",
        "workflow: w\nversion: 1.0\ndo: [{id: a, return: 1}]",
        "workflow: w\nextra: 1\ndo: [{id: a, return: 1}]",
        "workflow: w\ndo: [{return: 1}]",
        "workflow: w\ndo: [{id: a}]",
        "workflow: w\ndo: [{id: a-b, return: 1}]",
        "workflow: w\ndo: [{id: a, retrun: 1}]",
        "workflow: w\ndo: [{id: a, return: 1, wait: 3s}]",
        "workflow: w\ndo: [{id: a, call: f.g, timeout: soon}]",
        "workflow: w\ndo: [{id: a, call: f.g, retry: {max_attempts: 0}}]",
        "workflow: w\ndo: [{id: a, call: f.g, retry: {attempts: 3}}]",
        "workflow: w\ndo: [{id: a, if: true, return: 1}]",
        "workflow: w\ndo: [{id: a, map: []}]",
        "workflow: w\ndo: [{id: a, map: [], call: f.g, do: [{id: b, wait: 1s}]}]",
        "workflow: w\ndo: [{id: a, map: [], call: f.g, tolerate: few}]",
        "workflow: w\ndo: [{id: a, loop: {do: [{id: b, wait: 1s}]}}]",
        "workflow: w\ndo: [{id: a, try: {do: [{id: b, wait: 1s}]}, catch: []}]",
        "workflow: w\ndo: [{id: a, states: {b: {end: true}}}]",
        "workflow: w\ndo: [{id: a, emit: {data: 1}}]",
        "workflow: w\ndo: [{id: a, fork: {}}]",
        "workflow: w\ndo: [{id: a, pipeline: {from: [], stages: [{id: b}]}}]",
        "workflow: w\ndo: {id: a, return: 1}",
    ],
)
def test_it_refuses_what_is_plainly_wrong(text: str) -> None:
    assert not VALIDATOR.is_valid(data(text))


def test_each_kind_of_the_table_is_known_and_used() -> None:
    shapes = (WORKFLOW, STEP, *SHAPES.values())
    fields = [f for shape in shapes for f in shape.fields]
    fields += [f for verb in VERBS.values() for f in verb.fields]
    used = {f.kind for f in fields}

    assert used - {"steps"} <= KINDS.keys() | SHAPES.keys()
    assert KINDS.keys() <= used


@pytest.mark.parametrize(
    ("schema", "right"),
    [
        (True, True),
        ({}, True),
        ({"type": ["string", "null"], "enum": ["a", None], "minLength": 2}, True),
        ({"type": "object", "properties": {"a": {"items": {"type": "integer"}}}, "required": ["a"]}, True),
        ({"$defs": {"a~b": {}}, "items": {"$ref": "#/$defs/a~0b"}}, True),
        ({"items": {"$ref": "#"}}, True),
        ({"$defs": {"x": {"$anchor": "here"}}, "$ref": "#here"}, True),
        ({"patternProperties": {"^a": {}}, "if": {}, "then": {}}, True),
        ({"default": {"$ref": "nowhere"}, "pattern": "a"}, True),
        ([], False),
        ("string", False),
        ({"type": "text"}, False),
        ({"type": []}, False),
        ({"minLength": -1}, False),
        ({"required": ["a", "a"]}, False),
        ({"properties": []}, False),
        ({"properties": {"a": 3}}, False),
        ({"$ref": "#here"}, False),
        ({"allOf": [{"$ref": "#/properties/x"}]}, False),
        ({"$ref": "file:///etc/passwd"}, False),
        ({"pattern": "["}, False),
    ],
)  # fmt: skip
def test_schemas_in_specs_are_right_or_not(schema: Json, right: bool) -> None:  # a row
    assert (list(schemas.mistakes(schema)) == []) is right
