"""From an annotation to a converter: JSON in, the annotated Python value out.

The same checks run on every engine, with or without pydantic installed; pydantic is asked only
about its own types, which are there because the user's function imports them. What an annotation
says that is not known here (a protocol, an array type) is not checked.
"""

from __future__ import annotations

import types
import typing
from collections import abc
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeAlias, Union
from uuid import UUID

from agentflow.errors import Json
from agentflow.functions import models
from agentflow.functions.suggestions import did_you_mean

Problems: TypeAlias = "list[dict[str, str]]"
"""What is wrong with the arguments, `{path, problem}` each."""

Converter: TypeAlias = "Callable[[Json, str, Problems], Any]"
"""Takes a value, its path and the list of problems to add to; the result counts only without."""

_TEXTS: dict[Any, Callable[[str], Any]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    UUID: UUID,
    Path: Path,
    Decimal: Decimal,
}
"""Types whose JSON is text; the encoding writes them the same way."""

_LISTS = (list, abc.Sequence, abc.Iterable, abc.Collection, abc.MutableSequence)
_DICTS = (dict, abc.Mapping, abc.MutableMapping)
_SETS: dict[Any, Callable[[Any], Any]] = {set: set, abc.Set: set, frozenset: frozenset}

_JSON_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def converter(annotation: Any) -> Converter | None:
    """How to make a value of `annotation` from JSON; `None` where JSON's value is right as it is.

    Raises:
        TypeError: the annotation contradicts itself; left to whoever asks.
    """
    if annotation is Any or annotation is object or isinstance(annotation, (typing.TypeVar, str)):
        return None
    if models.concerns(annotation):
        return models.converter(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return converter(arguments[0])
    if origin is Union or origin is types.UnionType:
        return _union(arguments)
    if origin is Literal:
        return _literal(arguments)
    supertype = getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)
    if supertype is not None:  # NewType, and `type X = …`
        return converter(supertype)
    return _container(origin or annotation, arguments) or _class(annotation)


def is_record(annotation: Any) -> bool:
    """Whether the annotation names fields: a pydantic model, a dataclass, a TypedDict."""
    if not isinstance(annotation, type):
        return False
    return (
        is_dataclass(annotation) or typing.is_typeddict(annotation) or models.is_model(annotation)
    )


def shown(value: Json) -> str:
    """A value in a message: its kind, and itself if it is short."""
    kind = _JSON_NAMES.get(type(value), type(value).__name__)
    if isinstance(value, (list, dict)) or value is None:
        return kind
    text = repr(value)
    return f"{kind} ({text if len(text) <= 40 else text[:39] + '…'})"


def _wrong(value: Json, wanted: str, path: str, problems: Problems) -> Json:
    problems.append({"path": path, "problem": f"expected {wanted}, got {shown(value)}"})
    return value


# --- scalars ---------------------------------------------------------------------------------


def _integer(value: Json, path: str, problems: Problems) -> Any:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():  # JSON has one kind of number
        return int(value)
    return _wrong(value, "an integer", path, problems)


def _number(value: Json, path: str, problems: Problems) -> Any:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    return _wrong(value, "a number", path, problems)


def _exactly(kind: type) -> Converter:
    wanted = _JSON_NAMES[kind]

    def convert(value: Json, path: str, problems: Problems) -> Any:
        return value if type(value) is kind else _wrong(value, wanted, path, problems)

    return convert


def _text_of(kind: Any, parse: Callable[[str], Any]) -> Converter:
    def convert(value: Json, path: str, problems: Problems) -> Any:
        if not isinstance(value, str):
            return _wrong(value, f"the text of a {kind.__name__}", path, problems)
        try:
            return parse(value)
        except (ValueError, ArithmeticError):
            return _wrong(value, f"the text of a {kind.__name__}", path, problems)

    return convert


def _enum(kind: type[Enum]) -> Converter:
    wanted = "one of " + ", ".join(repr(member.value) for member in kind)

    def convert(value: Json, path: str, problems: Problems) -> Any:
        for member in kind:
            if member.value == value and isinstance(value, bool) == isinstance(member.value, bool):
                return member
        return _wrong(value, wanted, path, problems)

    return convert


def _literal(options: tuple[Any, ...]) -> Converter:
    wanted = "one of " + ", ".join(repr(option) for option in options)

    def convert(value: Json, path: str, problems: Problems) -> Any:
        for option in options:
            if option == value and type(option) is type(value):
                return option
        return _wrong(value, wanted, path, problems)

    return convert


# --- composites ------------------------------------------------------------------------------


def _union(members: tuple[Any, ...]) -> Converter | None:
    converters = [converter(member) for member in members]
    if None in converters:
        return None
    as_they_are = {member for member in members if member in _JSON_NAMES}
    wanted = " or ".join(_said(member) for member in members)

    def convert(value: Json, path: str, problems: Problems) -> Any:
        if type(value) in as_they_are:
            return value
        found: list[Problems] = []
        for member in converters:
            tried: Problems = []
            result = member(value, path, tried)  # type: ignore[misc]  # none is None, see above
            if not tried:
                return result
            found.append(tried)
        inner = [tried for tried in found if tried[0]["path"] != path]
        if len(inner) == 1:  # one member fits but for something inside: say what
            problems.extend(inner[0])
            return value
        return _wrong(value, wanted, path, problems)

    return convert


def _said(annotation: Any) -> str:
    kind = typing.get_origin(annotation) or annotation
    return _JSON_NAMES.get(kind) or str(getattr(kind, "__name__", kind))


def _container(origin: Any, arguments: tuple[Any, ...]) -> Converter | None:
    if origin in _LISTS:
        return _list_of(arguments, list)
    if origin in _SETS:
        return _list_of(arguments, _SETS[origin])
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return _list_of(arguments[:1], tuple)
        return _tuple_of(arguments) if arguments else _list_of((), tuple)
    if origin in _DICTS:
        return _dict_of(arguments)
    return None


def _list_of(arguments: tuple[Any, ...], make: Callable[[Any], Any]) -> Converter:
    item = converter(arguments[0]) if arguments else None
    as_they_are = _all_of(arguments[0]) if arguments else None

    def convert(value: Json, path: str, problems: Problems) -> Any:
        if not isinstance(value, list):
            return _wrong(value, "a list", path, problems)
        if item is not None and not (as_they_are and as_they_are(value)):
            value = [item(entry, f"{path}[{i}]", problems) for i, entry in enumerate(value)]
        if make is list or problems:
            return value
        try:
            return make(value)
        except TypeError:
            return _wrong(value, "a list of values that can be in a set", path, problems)

    return convert


def _all_of(annotation: Any) -> Callable[[abc.Iterable[Json]], bool] | None:
    """Whether all values are of one scalar type, found without a step of Python for each."""
    if annotation not in (str, int, float, bool):
        return None
    return lambda values: set(map(type, values)) <= {annotation}


def _tuple_of(arguments: tuple[Any, ...]) -> Converter:
    items = [converter(argument) for argument in arguments]

    def convert(value: Json, path: str, problems: Problems) -> Any:
        if not isinstance(value, list) or len(value) != len(items):
            return _wrong(value, f"a list of {len(items)} values", path, problems)
        pairs = zip(items, value, strict=True)
        return tuple(
            entry if item is None else item(entry, f"{path}[{i}]", problems)
            for i, (item, entry) in enumerate(pairs)
        )

    return convert


def _dict_of(arguments: tuple[Any, ...]) -> Converter:
    key, item = (converter(a) for a in arguments) if len(arguments) == 2 else (None, None)
    plain_keys = not arguments or arguments[0] is str
    as_they_are = _all_of(arguments[1]) if len(arguments) == 2 else None

    def convert(value: Json, path: str, problems: Problems) -> Any:
        if not isinstance(value, dict):
            return _wrong(value, "an object", path, problems)
        if (plain_keys or key is None) and (
            item is None or (as_they_are and as_they_are(value.values()))
        ):
            return value
        return {
            name if plain_keys or key is None else key(name, f"{path} key", problems): entry
            if item is None
            else item(entry, f"{path}.{name}", problems)
            for name, entry in value.items()
        }

    return convert


# --- classes ---------------------------------------------------------------------------------


def _class(annotation: Any) -> Converter | None:
    if annotation is None:
        return _exactly(type(None))
    if annotation is int:
        return _integer
    if annotation is float:
        return _number
    if annotation in _TEXTS:
        return _text_of(annotation, _TEXTS[annotation])
    if not isinstance(annotation, type):
        return None
    if annotation in _JSON_NAMES:
        return _exactly(annotation)
    if issubclass(annotation, Enum):
        return _enum(annotation)
    if typing.is_typeddict(annotation):
        return _typed_dict(annotation)
    if is_dataclass(annotation):
        return _dataclass(annotation)
    return None


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError):  # a name that exists for type checkers only
        return {}


def _typed_dict(kind: Any) -> Converter:
    hints = _hints(kind)
    members = {name: _late(hint) for name, hint in hints.items()}
    # Python 3.11 overlooks NotRequired where annotations are texts; the hints tell.
    optional = {n for n, h in hints.items() if typing.get_origin(h) is typing.NotRequired}
    required = [name for name in hints if name in kind.__required_keys__ - optional]

    def convert(value: Json, path: str, problems: Problems) -> Any:
        if not isinstance(value, dict):
            return _wrong(value, f"an object ({kind.__name__})", path, problems)
        _missing(value, required, path, problems)
        return {
            name: members[name](entry, f"{path}.{name}", problems) if name in members else entry
            for name, entry in value.items()
        }

    return convert


def _dataclass(kind: Any) -> Converter:
    hints = _hints(kind)
    members = {f.name: _late(hints.get(f.name, Any)) for f in fields(kind) if f.init}
    required = [
        f.name
        for f in fields(kind)
        if f.init and f.default is MISSING and f.default_factory is MISSING
    ]

    def convert(value: Json, path: str, problems: Problems) -> Any:
        if not isinstance(value, dict):
            return _wrong(value, f"an object ({kind.__name__})", path, problems)
        before = len(problems)
        for name in value:
            if name not in members:
                problem = f"unknown field{did_you_mean(name, members)}"
                problems.append({"path": f"{path}.{name}", "problem": problem})
        _missing(value, required, path, problems)
        values = {
            name: members[name](entry, f"{path}.{name}", problems)
            for name, entry in value.items()
            if name in members
        }
        if len(problems) > before:
            return value
        try:
            return kind(**values)
        except (ValueError, TypeError) as error:  # what __post_init__ found
            problems.append({"path": path, "problem": str(error)})
            return value

    return convert


def _missing(
    value: dict[str, Json], required: abc.Iterable[str], path: str, problems: Problems
) -> None:
    problems.extend(
        {"path": f"{path}.{name}", "problem": "missing"} for name in required if name not in value
    )


def _late(hint: Any) -> Converter:
    """The converter of a field, made at its first use, so that types may contain themselves."""
    made: list[Converter | None] = []

    def convert(value: Json, path: str, problems: Problems) -> Any:
        if not made:
            made.append(converter(_bare(hint)))
        return value if made[0] is None else made[0](value, path, problems)

    return convert


def _bare(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        return typing.get_args(hint)[0]
    return hint
