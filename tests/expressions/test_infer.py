"""Inference: types from schemas and literals, and the mistakes that are sure."""

from __future__ import annotations

import pytest

from agentflow.errors import Diagnostic, Json
from agentflow.spec.expressions import from_schema, infer, infer_condition, infer_template
from agentflow.spec.expressions.types import Type
from tests.expressions.language import marked, read, template

INPUT = {
    "type": "object",
    "properties": {
        "total": {"type": "number"},
        "n": {"type": "integer"},
        "name": {"type": "string"},
        "note": {"type": ["string", "null"]},
        "flag": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
        "open": {"type": "object"},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "extra": {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        "any": {},
    },
    "$defs": {"line": {"properties": {"sku": {"type": "string"}, "n": {"type": "integer"}}}},
}
NAMES: dict[str, Type] = {"input": from_schema(INPUT)}


def inferred(source: str) -> tuple[str, list[Diagnostic]]:
    diagnostics: list[Diagnostic] = []
    return str(infer(read(source), NAMES, diagnostics)), diagnostics


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("1", "integer"),
        ("1.5", "number"),
        ("'a'", "string"),
        ("null", "null"),
        ("unknown.b[0]", "any"),
        ("input.total", "number"),
        ("input.note", "string | null"),
        ("input['name']", "string"),
        ("input.tags[0]", "string"),
        ("input.tags[1:]", "list[string]"),
        ("input.lines[0].sku", "string"),
        ("input.open.whatever", "any"),
        ("input.extra.b", "any"),
        ("input.counts.b", "integer"),
        ("input.counts[input.name]", "integer"),
        ("input.name[0]", "string"),
        ("input.n + 1", "integer"),
        ("input.n + 1.5", "number"),
        ("input.n / 2", "number"),
        ("input.n // 2", "integer"),
        ("-input.n", "integer"),
        ("input.any + 1", "number"),
        ("input.any + 'a'", "string"),
        ("input.any + input.any", "any"),
        ("input.tags + [1]", "list[string | integer]"),
        ("input.n > 1 and input.flag", "boolean"),
        ("1 if input.flag else 'a'", "integer | string"),
        ("1 if input.flag else 1.5", "number"),
        ("f'{input.n}'", "string"),
        ("[line.n for line in input.lines]", "list[integer]"),
        ("{line.sku: line.n for line in input.lines}", "object[integer]"),
        ("{'a': 1, 'b': [true]}", "{a: integer, b: list[boolean]}"),
        ("{'a': 1}.a", "integer"),
        ("{input.name: 1}", "object"),
        ("[]", "list"),
        ("sorted(input.tags)[0]", "string"),
        ("sum([1, 2])", "integer"),
        ("sum([1, 2.5])", "number"),
        ("max(input.n, 2)", "integer"),
        ("max(input.tags)", "string"),
        ("round(input.total)", "integer"),
        ("round(input.total, 2)", "number"),
        ("input.counts.get('a', 0)", "integer"),
        ("input.counts.get('a')", "integer | null"),
        ("input.counts.values()", "list[integer]"),
        ("coalesce(input.note, 'none')", "string"),
        ("enumerate(input.tags)", "list[list[integer | string]]"),
        ("[i + 1 for i, tag in enumerate(input.tags)]", "list[integer]"),
        ("input.name.split(',')", "list[string]"),
        ("input.tags.index('a')", "integer"),
        ("input.any.count('a')", "integer"),
        ("json_decode(input.name).a.b", "any"),
        ("input.note + 'a'", "string"),
        ("'a' in input.any", "boolean"),
        ("input.n == input.name", "boolean"),
    ],
)
def test_a_type_follows_from_schema_and_literals(source: str, kind: str) -> None:
    assert inferred(source) == (kind, [])


@pytest.mark.parametrize(
    ("source", "code", "at", "help"),
    [
        ("input.totla", "AF220", "totla", "did you mean `total`?"),
        ("1 + input.lines[0].skuu", "AF220", "skuu", "did you mean `sku`?"),
        ("input.lines[0].price", "AF220", "price", "the known fields are `sku`, `n`"),
        ("input['totla']", "AF220", "'totla'", "did you mean `total`?"),
        ("{'a': 1}.b", "AF220", "b", "the known fields are `a`"),
        ("f'x{input.nmae}'", "AF220", "nmae", "did you mean `name`?"),
        ("[x.skuu for x in input.lines]", "AF220", "skuu", "did you mean `sku`?"),
        ("input.total + input.name", "AF221", None, "write str(input.total)"),
        ("'n: ' + input.n", "AF221", None, "write str(input.n)"),
        ("input.name * 3", "AF221", None, ""),
        ("input.tags - ['a']", "AF221", None, ""),
        ("input.flag + 1", "AF221", None, ""),
        ("input.note + 1", "AF221", None, ""),
        ("-input.name", "AF221", None, ""),
        ("input.n < input.name", "AF221", None, ""),
        ("1 < input.n < input.name", "AF221", "input.n < input.name", ""),
        ("1 in input.name", "AF221", None, ""),
        ("'a' in input.n", "AF221", None, ""),
        ("not input.n", "AF222", "input.n", "write input.n != 0"),
        ("input.name and true", "AF222", "input.name", 'write input.name != ""'),
        ("true or input.note", "AF222", "input.note", ""),
        ("1 if input.tags else 2", "AF222", "input.tags", "write len(input.tags) > 0"),
        ("[x for x in input.tags if x]", "AF222", "x", 'write x != ""'),
        ("len(input.n)", "AF223", "input.n", ""),
        ("sum(input.tags)", "AF223", "input.tags", ""),
        ("', '.join([input.n])", "AF223", "[input.n]", ""),
        ("input.tags.upper()", "AF223", None, ""),
        ("input.name.keys()", "AF223", None, ""),
        ("input.n.x", "AF224", None, ""),
        ("input.tags['a']", "AF224", None, ""),
        ("input.n[0]", "AF224", None, ""),
        ("input.tags[input.n / 2]", "AF224", "input.n / 2", "write `//`"),
        ("input.tags['a':]", "AF224", "'a'", ""),
        ("input.open[1:]", "AF224", None, ""),
        ("{1: 2}", "AF224", "1", "write str(1)"),
        ("{x: 1 for x in [1, 2]}", "AF224", "x", "write str(x)"),
        ("input.n / 0", "AF225", None, ""),
        ("input.n % 0.0", "AF225", None, ""),
        ("[x for x in input.open]", "AF226", "input.open", "write input.open.keys()"),
        ("[x for x in input.name]", "AF226", "input.name", ""),
        ("[a for a, b in input.tags]", "AF226", "input.tags", ""),
    ],
)
def test_a_sure_mistake_is_reported_at_its_place(
    source: str, code: str, at: str | None, help: str
) -> None:
    _, diagnostics = inferred(source)
    assert [diagnostic.code for diagnostic in diagnostics] == [code]
    assert marked(source, diagnostics[0]) == (at or source)
    assert help in diagnostics[0].help


def test_one_mistake_is_reported_once() -> None:
    _, diagnostics = inferred("(input.totla + 1) * 2 > 3 and input.totla.x")
    assert [diagnostic.code for diagnostic in diagnostics] == ["AF220", "AF220"]


def test_a_condition_must_be_able_to_be_a_boolean() -> None:
    diagnostics: list[Diagnostic] = []
    infer_condition(read("input.any"), NAMES, diagnostics)
    infer_condition(read("input.flag"), NAMES, diagnostics)
    assert not diagnostics
    infer_condition(read("input.n"), NAMES, diagnostics)
    assert [diagnostic.code for diagnostic in diagnostics] == ["AF222"]


def test_a_template_has_the_type_of_its_parts() -> None:
    diagnostics: list[Diagnostic] = []
    value = {"a": template("${ input.n }"), "b": ["x", template("n: ${ input.nn }")], "c": None}
    kind = infer_template(value, NAMES, diagnostics)
    assert str(kind) == "{a: integer, b: list[string], c: null}"
    assert [diagnostic.code for diagnostic in diagnostics] == ["AF220"]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (True, "any"),
        (None, "any"),
        ({}, "any"),
        ({"type": "nonsense"}, "any"),
        ({"type": ["integer", "number"]}, "number"),
        ({"enum": ["a", 1, None]}, "string | integer | null"),
        ({"const": {"a": 1}}, "{a: integer}"),
        ({"type": "array"}, "list"),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, "list"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"oneOf": [{"type": "string"}, {}]}, "any"),
        ({"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {}}}]},
         "{a: string, b: any}"),
        ({"type": "object", "properties": {"a": {"type": "string"}},
          "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, "{a: string}"),
        ({"$ref": "#/$defs/a/b", "$defs": {"a": {"b": {"type": "string"}}}}, "string"),
        ({"$ref": "#/missing"}, "any"),
        ({"$ref": "other.json"}, "any"),
    ],
)  # fmt: skip
def test_a_schema_gives_a_type(schema: Json, kind: str) -> None:
    assert str(from_schema(schema)) == kind


def test_a_recursive_schema_ends_in_any() -> None:
    schema = {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}, "c": {"$ref": "#"}}}
    diagnostics: list[Diagnostic] = []
    infer(read("t" + ".a.b.c" * 6), {"t": from_schema(schema)}, diagnostics)
    assert not diagnostics


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": {}}, "patternProperties": {"^x": {}}},
    ],
)
def test_fields_of_an_open_object_are_not_reported(schema: Json) -> None:
    diagnostics: list[Diagnostic] = []
    infer(read("o.zzz"), {"o": from_schema(schema)}, diagnostics)
    assert not diagnostics
