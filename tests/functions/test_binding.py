from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from agentflow.errors import Fault
from agentflow.functions.binding import plan
from agentflow.functions.context import Context

if TYPE_CHECKING:
    from somewhere import Unknown


class Level(Enum):
    LOW = "low"
    ONE = 1


@dataclass
class Price:
    amount: float
    currency: str = "EUR"


@dataclass
class Order:
    id: int
    price: Price
    lines: list[Price] = field(default_factory=list)
    parent: Order | None = None


class Opaque: ...


class Options(TypedDict):
    depth: int
    name: NotRequired[str]


class Customer(BaseModel):
    name: str
    age: int = Field(ge=0)


def bind(function: Callable[..., Any], arguments: Any) -> dict[str, Any]:
    positional, named = plan(function).bind(arguments, Context("e"))
    assert not positional
    return named


def parameter(annotation: Any) -> Callable[..., Any]:
    def f(x): ...

    f.__annotations__ = {"x": annotation}
    return f


ACCEPTED: list[tuple[str, Any, Any, Any]] = [
    ("nothing said", Any, {"a": [1]}, {"a": [1]}),
    ("an integer", int, 3, 3),
    ("an integral float", int, 3.0, 3),
    ("a float", float, 1.5, 1.5),
    ("an integer for a float", float, 2, 2.0),
    ("text", str, "a", "a"),
    ("a boolean", bool, True, True),
    ("null", None, None, None),
    ("a list", list, [1, "a"], [1, "a"]),
    ("a list of texts", list[str], ["a"], ["a"]),
    ("a list of floats", list[float], [1, 2.5], [1.0, 2.5]),
    ("a sequence", Sequence[int], [1], [1]),
    ("a tuple", tuple[int, str], [1, "a"], (1, "a")),
    ("a long tuple", tuple[int, ...], [1, 2], (1, 2)),
    ("a set", set[str], ["a", "b", "a"], {"a", "b"}),
    ("an object", dict[str, int], {"a": 1}, {"a": 1}),
    ("objects inside", dict[str, list[Price]], {"a": [{"amount": 1}]}, {"a": [Price(1.0)]}),
    ("optional with null", int | None, None, None),
    ("optional with value", typing.Optional[Price], {"amount": 2}, Price(2.0)),  # noqa: UP045
    ("a union", int | str, "a", "a"),
    ("a literal", Literal["a", "b"], "b", "b"),
    ("an enum", Level, "low", Level.LOW),
    ("an enum of numbers", Level, 1, Level.ONE),
    ("a time", datetime, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ("a date", date, "2026-01-02", date(2026, 1, 2)),
    ("an id", UUID, str(UUID(int=5)), UUID(int=5)),
    ("a path", Path, "a/b", Path("a/b")),
    ("a decimal", Decimal, "1.10", Decimal("1.10")),
    ("annotated", Annotated[int, "what it is"], 3, 3),
    ("a typed dict", Options, {"depth": 2}, {"depth": 2}),
    ("a model", Customer, {"name": "n", "age": 3}, Customer(name="n", age=3)),
    ("a list of models", list[Customer], [{"name": "n", "age": 3}], [Customer(name="n", age=3)]),
    ("a constraint", Annotated[int, Field(gt=2)], 3, 3),
    (
        "a dataclass that contains itself",
        Order,
        {"id": 1, "price": {"amount": 2}, "parent": {"id": 2, "price": {"amount": 3}}},
        Order(1, Price(2.0), [], Order(2, Price(3.0))),
    ),
    ("a class nothing is known of", Opaque, 3, 3),
]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [row[1:] for row in ACCEPTED],
    ids=[row[0] for row in ACCEPTED],
)
def test_json_becomes_what_the_annotation_says(annotation: Any, value: Any, expected: Any) -> None:
    found = bind(parameter(annotation), {"x": value})["x"]
    assert found == expected
    assert type(found) is type(expected)


REFUSED: list[tuple[str, Any, Any, list[tuple[str, str]]]] = [
    ("text for an integer", int, "3", [("x", "expected an integer, got a string ('3')")]),
    ("a boolean for an integer", int, True, [("x", "expected an integer, got a boolean (True)")]),
    ("a fraction for an integer", int, 3.5, [("x", "expected an integer, got a number (3.5)")]),
    ("null for text", str, None, [("x", "expected a string, got null")]),
    ("an object for a list", list[int], {}, [("x", "expected a list, got an object")]),
    (
        "two items of a list",
        list[int],
        [1, "a", None],
        [("x[1]", "expected an integer, got a string ('a')"), ("x[2]", "expected an integer, got null")],
    ),
    ("a value of an object", dict[str, int], {"k": "v"}, [("x.k", "expected an integer, got a string ('v')")]),
    ("a short tuple", tuple[int, int], [1], [("x", "expected a list of 2 values, got a list")]),
    ("another literal", Literal["a", 1], True, [("x", "expected one of 'a', 1, got a boolean (True)")]),
    ("another member", Level, "high", [("x", "expected one of 'low', 1, got a string ('high')")]),
    ("no time", datetime, "soon", [("x", "expected the text of a datetime, got a string ('soon')")]),
    ("no member of a union", int | list[str], "a", [("x", "expected an integer or a list, got a string ('a')")]),
    ("inside an optional", Price | None, {}, [("x.amount", "missing")]),
    (
        "fields of a dataclass",
        Order,
        {"id": "1", "prise": {}},
        [
            ("x.prise", "unknown field (did you mean 'price'?)"),
            ("x.price", "missing"),
            ("x.id", "expected an integer, got a string ('1')"),
        ],
    ),
    ("a field of a typed dict", Options, {"name": "n"}, [("x.depth", "missing")]),
    ("lists in a set", set[Any], [[1]], [("x", "expected a list of values that can be in a set, got a list")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("annotation", "value", "problems"),
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)
def test_what_does_not_fit_is_named_with_its_path(
    annotation: Any, value: Any, problems: list[tuple[str, str]]
) -> None:
    with pytest.raises(Fault) as caught:
        bind(parameter(annotation), {"x": value})
    assert caught.value.name == "InvalidInput"
    assert caught.value.data == [{"path": p, "problem": said} for p, said in problems]
    assert problems[0][1] in caught.value.message


def test_problems_of_a_model_are_named_with_their_paths() -> None:
    def f(customers: list[Customer]) -> None: ...

    with pytest.raises(Fault) as caught:
        bind(f, {"customers": [{"name": "n", "age": -1}, {"age": 3}]})
    assert [p["path"] for p in caught.value.data] == ["customers[0].age", "customers[1].name"]


def test_missing_and_unknown_arguments_are_all_named() -> None:
    def count_words(text: str, limit: int, *, lower: bool = True) -> None: ...

    with pytest.raises(Fault) as caught:
        bind(count_words, {"txet": "a", "lower": False})
    assert caught.value.data == [
        {"path": "txet", "problem": "unknown argument (did you mean 'text'?)"},
        {"path": "text", "problem": "missing argument"},
        {"path": "limit", "problem": "missing argument"},
    ]
    assert "count_words() cannot take its arguments: txet: unknown" in caught.value.message


@pytest.mark.parametrize("arguments", [None, 3, [1], "a"])
def test_arguments_are_an_object(arguments: Any) -> None:
    with pytest.raises(Fault, match="not an object"):
        bind(lambda: None, arguments)


class TestFieldsInsteadOfTheParameter:
    def test_a_model_takes_its_fields(self) -> None:
        def f(customer: Customer) -> None: ...

        expected = {"customer": Customer(name="n", age=1)}
        assert bind(f, {"name": "n", "age": 1}) == expected
        assert bind(f, {"customer": {"name": "n", "age": 1}}) == expected

    def test_a_dataclass_takes_its_fields_beside_the_context(self) -> None:
        def f(order: Price, context: Context) -> None: ...

        assert bind(f, {"amount": 1})["order"] == Price(1.0)

    def test_errors_name_the_fields(self) -> None:
        def f(order: Price) -> None: ...

        with pytest.raises(Fault) as caught:
            bind(f, {"amont": 1})
        assert caught.value.data[0]["path"] == "order.amont"

    def test_a_default_is_kept_when_nothing_is_given(self) -> None:
        def f(price: Price = Price(5.0)) -> None: ...  # noqa: B008

        assert bind(f, {}) == {}

    def test_two_parameters_take_no_fields(self) -> None:
        def f(price: Price, count: int) -> None: ...

        with pytest.raises(Fault, match="unknown argument"):
            bind(f, {"amount": 1})


class TestContextParameter:
    @pytest.mark.parametrize(
        "annotation",
        [Context, Context | None, "Context", "agentflow.Context"],
        ids=["class", "optional", "text", "dotted text"],
    )
    def test_the_context_goes_to_the_parameter_annotated_so(self, annotation: Any) -> None:
        assert bind(parameter(annotation), {}) == {"x": Context("e")}

    def test_the_context_goes_to_a_bare_parameter_of_that_name(self) -> None:
        def f(context): ...

        assert bind(f, {}) == {"context": Context("e")}

    def test_a_parameter_of_that_name_may_be_something_else(self) -> None:
        def f(context: str) -> None: ...

        assert bind(f, {"context": "a"}) == {"context": "a"}

    def test_nobody_passes_the_context_from_a_workflow(self) -> None:
        def f(context: Context) -> None: ...

        with pytest.raises(Fault, match="context: unknown argument"):
            bind(f, {"context": {}})


def test_positional_only_and_open_parameters_are_served() -> None:
    def f(a, /, b=1, *rest, **more): ...

    assert plan(f).bind({"a": 1, "b": 2, "c": 3}, Context()) == ((1,), {"b": 2, "c": 3})


def test_annotations_that_exist_for_type_checkers_only_are_not_checked() -> None:
    def f(x: Unknown, y: Any) -> None: ...

    assert bind(f, {"x": 3, "y": 4}) == {"x": 3, "y": 4}


def test_wrapped_functions_keep_their_annotations() -> None:
    def f(x: Path) -> None: ...

    @functools.wraps(f)
    def wrapper(*args, **kwargs): ...

    assert bind(wrapper, {"x": "a"}) == {"x": Path("a")}


def test_partials_and_callable_objects_are_functions_too() -> None:
    def f(a: int, b: Path) -> None: ...

    class Thing:
        def __call__(self, p: Path) -> None: ...

    assert bind(Thing(), {"p": "a"}) == {"p": Path("a")}
    assert bind(functools.partial(f, 1), {"b": "a"})["b"] in {"a", Path("a")}
