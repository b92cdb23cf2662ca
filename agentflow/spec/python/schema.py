"""The input schema of a workflow, from the parameters of its function."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from agentflow.errors import Json
from agentflow.spec.annotations import last_name, parsed
from agentflow.spec.python.literals import Literals
from agentflow.spec.python.modules import Function, Module
from agentflow.spec.python.parameters import parameters_of

_SIMPLE: dict[str, Json] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "list": {"type": "array"},
    "List": {"type": "array"},
    "Sequence": {"type": "array"},
    "dict": {"type": "object"},
    "Dict": {"type": "object"},
    "Mapping": {"type": "object"},
}
_LISTS = ("list", "List", "Sequence")
_OBJECTS = ("dict", "Dict", "Mapping")


def input_schema(module: Module, function: Function, defaults: dict[str, ast.expr | None]) -> Json:
    """JSON Schema of a workflow's input: one property a parameter, and nothing else.

    Raises:
        Refused: a default is not JSON that is written out.
    """
    literals = Literals(module)
    properties: dict[str, Json] = {}
    for parameter in parameters_of(function):
        schema = dict(Annotations(module).schema(parameter.annotation))
        default = defaults[parameter.arg]
        if default is not None:
            schema["default"] = literals.value(default, f"the default of `{parameter.arg}`")
        properties[parameter.arg] = schema
    required = [name for name, default in defaults.items() if default is None]
    return {
        "type": "object",
        **({"properties": properties} if properties else {}),
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


class Annotations:
    """Reads annotations of one module; what is not simple accepts anything."""

    def __init__(self, module: Module, depth: int = 0) -> None:
        self.module = module
        self.depth = depth

    def schema(self, annotation: ast.expr | None) -> Json:
        """The schema of the values that an annotation describes."""
        match annotation:
            case ast.Constant(None):
                return {"type": "null"}
            case ast.Constant(str(text)):
                return self.schema(parsed(text))
            case ast.BinOp(left, ast.BitOr(), right):
                return _either([self.schema(left), self.schema(right)])
            case ast.Subscript(generic, argument):
                arguments = argument.elts if isinstance(argument, ast.Tuple) else [argument]
                return self._generic(last_name(generic), arguments)
            case ast.Name() | ast.Attribute():
                return self._named(annotation)
            case _:
                return {}

    def _named(self, annotation: ast.Name | ast.Attribute) -> Json:
        name = last_name(annotation)
        if name in _SIMPLE:
            return dict(_SIMPLE[name])
        bound = self.module.names.get(name) if isinstance(annotation, ast.Name) else None
        if isinstance(bound, ast.ClassDef) and self.depth < 8:
            return self._typed(bound)
        return {}

    def _generic(self, name: str, arguments: Sequence[ast.expr]) -> Json:
        if name in _LISTS and len(arguments) == 1:
            return {"type": "array", **_unless_empty("items", self.schema(arguments[0]))}
        if name in _OBJECTS and len(arguments) == 2:
            values = self.schema(arguments[1])
            return {"type": "object", **_unless_empty("additionalProperties", values)}
        if name == "Optional":
            return _either([self.schema(arguments[0]), {"type": "null"}])
        if name == "Union":
            return _either([self.schema(each) for each in arguments])
        if name == "Literal":
            values = [each.value for each in arguments if isinstance(each, ast.Constant)]
            return {"enum": values} if len(values) == len(arguments) else {}
        if name in ("Annotated", "Required", "NotRequired", "ReadOnly"):
            return self.schema(arguments[0])
        return {"type": "array"} if name == "tuple" else {}

    def _typed(self, defined: ast.ClassDef) -> Json:
        """A `TypedDict` of the module is an object with its fields; another class is anything."""
        if not any(last_name(base) == "TypedDict" for base in defined.bases):
            return {}
        inner = Annotations(self.module, self.depth + 1)
        is_total = all(
            not isinstance(each.value, ast.Constant) or each.value.value is not False
            for each in defined.keywords
            if each.arg == "total"
        )
        properties: dict[str, Json] = {}
        required: list[str] = []
        for field in defined.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                properties[field.target.id] = inner.schema(field.annotation)
                if _is_required(field.annotation, is_total=is_total):
                    required.append(field.target.id)
        return {
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
        }


def _is_required(annotation: ast.expr, *, is_total: bool) -> bool:
    mark = last_name(annotation.value) if isinstance(annotation, ast.Subscript) else ""
    return mark == "Required" or (is_total and mark != "NotRequired")


def _either(schemas: list[Json]) -> Json:
    """A schema for values of any of several; types alone are put side by side."""
    if {} in schemas:
        return {}
    flat = [each for schema in schemas for each in schema.get("anyOf", [schema])]
    if all(each.keys() == {"type"} for each in flat):
        types = [each["type"] for each in flat]
        names = [name for each in types for name in (each if isinstance(each, list) else [each])]
        return {"type": list(dict.fromkeys(names))}
    return {"anyOf": flat}


def _unless_empty(name: str, schema: Json) -> dict[str, Json]:
    return {name: schema} if schema else {}
