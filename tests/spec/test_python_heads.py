"""What the head of a workflow's function says of its workflow, and where its steps point."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow.spec import loads
from agentflow.spec.write import to_data
from tests.spec.python_flows import compiled

HEADS = {
    "nothing but a name": ("@workflow\ndef flow(): ...", {"input": {"type": "object", "additionalProperties": False}}),
    "options": (
        ("@workflow(name='order.v2', version='2.1', timeout='1h', retry={'max_attempts': 2}, call_timeout=30, "
        "secrets=['KEY'], concurrency=4, labels={'team': 'a'}, targets={'aws': {'memory': 512}})\n"
        "def flow():\n    '''What it does.\n\n    And more.\n    '''"),
        {
            "workflow": "order.v2", "version": "2.1", "description": "What it does.\n\nAnd more.", "timeout": "1h",
            "defaults": {"retry": {"max_attempts": 2}, "timeout": "30s"}, "secrets": ["KEY"], "concurrency": 4,
            "labels": {"team": "a"}, "targets": {"aws": {"memory": 512}},
        },
    ),
    "the bound of while": (
        "@workflow(max_rounds=5)\ndef flow():\n    while True:\n        wait(1)",
        {"do": [{"id": "while_", "loop": {"while": "${ true }", "max": 5, "do": [{"id": "wait", "wait": 1}]}}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_the_head_of_a_function_is_that_of_its_workflow(name: str, tmp_path: Path) -> None:
    source, expected = HEADS[name]
    found = to_data(compiled(tmp_path, source).workflow)
    assert {key: found[key] for key in expected} == expected


ANNOTATIONS = {
    "str": {"type": "string"},
    "float": {"type": "number"},
    "list": {"type": "array"},
    "list[str]": {"type": "array", "items": {"type": "string"}},
    "list[Any]": {"type": "array"},
    "dict[str, int]": {"type": "object", "additionalProperties": {"type": "integer"}},
    "int | None": {"type": ["integer", "null"]},
    "Optional[list[int]]": {
        "anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]
    },
    "Literal['a', 'b']": {"enum": ["a", "b"]},
    "'bool'": {"type": "boolean"},
    "Purchase": {
        "type": "object",
        "properties": {"sku": {"type": "string"}, "note": {"type": "string"}},
        "required": ["sku"],
    },
    "Sum": {},
}


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_annotations_become_the_schema_of_the_input(annotation: str, tmp_path: Path) -> None:
    source = f"""
from typing import Any, Literal, NotRequired, Optional, TypedDict

class Purchase(TypedDict):
    sku: str
    note: NotRequired[str]

@workflow
def flow(given: {annotation}, also: int = 3): ...
"""
    schema = compiled(tmp_path, source).workflow.input

    assert schema["properties"]["given"] == ANNOTATIONS[annotation]
    assert schema["properties"]["also"] == {"type": "integer", "default": 3}
    assert (schema["required"], schema["additionalProperties"]) == (["given"], False)


def test_a_step_points_at_the_line_it_was_written_on(tmp_path: Path) -> None:
    loaded = compiled(
        tmp_path, "@workflow\ndef flow(n: int):\n    x = double(n)\n    return double(x)\n"
    )
    line = (tmp_path / "flows.py").read_text().split("\n").index("    x = double(n)") + 1

    spans = [step.span for step in loaded.workflow.do.steps]
    again = loads(loaded.text, path=loaded.path).workflow

    assert [(span.line, span.column) for span in spans] == [(line, 9), (line + 1, 12)]
    assert [step.span.line for step in again.do.steps] == [line, line + 1]
    assert {step.span.file for step in again.do.steps} == {str(tmp_path / "flows.py")}
    assert again.digest == loaded.workflow.digest
