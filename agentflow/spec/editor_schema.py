"""The JSON Schema of the language, for editors: completion, descriptions, first checks.

It accepts every right spec. It cannot say everything that `check` does (names, reachability).
"""

from __future__ import annotations

from agentflow.errors import Json
from agentflow.spec.grammar import SHAPES, STEP, WORKFLOW, Field, Shape
from agentflow.spec.grammar_verbs import VERBS, Verb
from agentflow.spec.kinds import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def workflow_schema() -> dict[str, Json]:
    """The schema of a workflow, draft 2020-12."""
    return {
        "$schema": DIALECT,
        "title": "AgentFlow workflow",
        **_shape(WORKFLOW),
        "$defs": {
            "step": {"oneOf": [_ref(f"step_{name}") for name in VERBS]},
            "steps": {"type": "array", "minItems": 1, "items": _ref("step")},
            **{f"step_{verb.name}": _step(verb) for verb in VERBS.values()},
            **{f"shape_{name}": _shape(shape) for name, shape in SHAPES.items()},
            **{f"kind_{name}": kind.schema for name, kind in KINDS.items()},
        },
    }


def _shape(shape: Shape) -> dict[str, Json]:
    return _object(shape.fields, shape.one_of)


def _step(verb: Verb) -> dict[str, Json]:
    own, *beside = verb.fields
    common = [field for field in STEP.fields if not (verb.no_catch and field.name == "catch")]
    needed = Field(own.name, own.kind, own.meaning, required=True)
    schema = _object((common[0], needed, *beside, *common[1:]), verb.one_of)
    return {"description": verb.meaning, **schema}


def _object(fields: tuple[Field, ...], one_of: tuple[tuple[str, ...], ...]) -> dict[str, Json]:
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {field.name: _field(field) for field in fields},
        "additionalProperties": False,
    }
    if required := [field.name for field in fields if field.required]:
        schema["required"] = required
    for group in one_of:
        schema["oneOf"] = [{"required": [name]} for name in group]
    return schema


def _field(field: Field) -> dict[str, Json]:
    default = f" Default: {field.default}." if field.default else ""
    return {"description": field.meaning + default, **_kind(field.kind)}


def _kind(kind: str) -> dict[str, Json]:
    if kind == "steps":
        return _ref("steps")
    return _ref(f"kind_{kind}") if kind in KINDS else _ref(f"shape_{kind}")


def _ref(name: str) -> dict[str, Json]:
    return {"$ref": f"#/$defs/{name}"}
