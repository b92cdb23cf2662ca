from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from agentflow.errors import MAX_INTEGER, Fault
from agentflow.functions import encoding
from agentflow.functions.encoding import MAX_DEPTH, as_doubles, decode, encode


class Color(Enum):
    RED = "red"


class Size(IntEnum):
    L = 3


class Mode(StrEnum):
    FAST = "fast"


@dataclass
class Point:
    x: int
    y: float = 0.0
    tags: list[str] = field(default_factory=list)


class Pair(NamedTuple):
    left: int
    right: Point


class Model(BaseModel):
    name: str
    at: datetime
    kind: str = Field(default="k", alias="type")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=30,
)


@given(json_values)
def test_json_comes_back_equal(value: Any) -> None:
    text = encode(value)
    assert decode(text) == value
    assert json.loads(text) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        (Point(1, 2.5, ["a"]), {"x": 1, "y": 2.5, "tags": ["a"]}),
        ([Pair(1, Point(2))], [[1, {"x": 2, "y": 0.0, "tags": []}]]),
        ({"c": Color.RED, "s": Size.L, "m": Mode.FAST}, {"c": "red", "s": 3, "m": "fast"}),
        ({Mode.FAST: 1, Color.RED: 2}, {"fast": 1, "red": 2}),
        (
            Model(name="n", at=datetime(2026, 1, 2, tzinfo=UTC), type="t"),
            {"name": "n", "at": "2026-01-02T00:00:00Z", "type": "t"},
        ),
        ([np.int64(3), np.float64(0.5), np.bool_(True)], [3, 0.5, True]),
        (date(2026, 1, 2), "2026-01-02"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"p": Path("a/b"), "d": Decimal("1.10")}, {"p": "a/b", "d": "1.10"}),
        ([MAX_INTEGER, -MAX_INTEGER], [MAX_INTEGER, -MAX_INTEGER]),
    ],
    ids=[
        "tuples",
        "dataclass",
        "named tuple",
        "enums",
        "enum keys",
        "model",
        "numpy",
        "date",
        "uuid",
        "path and decimal",
        "largest integers",
    ],
)
def test_what_python_has_beside_json_is_written_as_json(value: Any, expected: Any) -> None:
    assert decode(encode(value)) == expected


def nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


def cycle() -> Any:
    value: dict[str, Any] = {}
    value["self"] = [value]
    return value


@pytest.mark.parametrize(
    ("value", "path", "remedy"),
    [
        ({"items": [1, 2, 3, {"price": float("nan")}]}, "result.items[3].price", "null"),
        ([1.0, float("inf")], "result[1]", "finite"),
        ({"n": MAX_INTEGER + 1}, "result.n", "str(value)"),
        ([0, -(2**53)], "result[1]", "str(value)"),
        ({"a": {1: 2}}, "result.a", "str(key)"),
        ({"a": {1, 2}}, "result.a", "sorted(value)"),
        ([b"x"], "result[0]", "base64"),
        ({"not a name": object()}, "result['not a name']", "dataclass"),
        (Point(1, tags=[object()]), "result.tags[0]", "JSON"),
        (np.zeros(3), "result", "tolist"),
        (np.float64("nan"), "result", "finite"),
        ((i for i in [1]), "result", "pipeline"),
        ({"a": "\ud800"}, "result.a", "replace"),
        ([["ok", "\udfff"]], "result[0][1]", "replace"),
        ({"\ud800": 1}, "result", "replace"),
        ({Color.RED: 2, "red": 3}, "result", "differ"),
        (len, "result", "JSON"),
        (Point, "result", "JSON"),
        (
            Model(name="n", at=datetime(2026, 1, 2, tzinfo=UTC)).model_copy(update={"kind": 2**60}),
            None,
            "str",
        ),
    ],
    ids=[
        "nan",
        "infinity",
        "large integer",
        "large negative integer",
        "integer key",
        "set",
        "bytes",
        "object",
        "inside a dataclass",
        "array",
        "numpy nan",
        "generator",
        "surrogate",
        "nested surrogate",
        "surrogate key",
        "colliding keys",
        "function",
        "class",
        "inside a model",
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_not_json_is_refused_with_its_place(
    value: Any, path: str | None, remedy: str
) -> None:
    with pytest.raises(Fault) as caught:
        encode(value)
    assert caught.value.name == "InvalidOutput"
    if path is not None:
        assert caught.value.data["path"] == path
        assert caught.value.message.startswith(path)
    assert remedy in caught.value.message


def test_depth_is_bounded() -> None:
    assert decode(encode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    for value in (nested(MAX_DEPTH + 1), cycle()):
        with pytest.raises(Fault, match="nests deeper than 64 levels"):
            encode(value)


def test_a_result_that_is_too_large_is_named_with_its_size() -> None:
    with pytest.raises(Fault, match=r"result is 2.0 MB, the limit is 1 MB") as caught:
        encode("é" * 1024 * 1024, limit=1024 * 1024)
    assert caught.value.name == "PayloadTooLarge"


def test_a_small_value_that_repeats_itself_without_end_is_refused_early() -> None:
    bomb: Any = ["x" * 1000]
    for _ in range(60):
        bomb = [bomb, bomb]
    with pytest.raises(Fault) as caught:
        encode(bomb, limit=1024 * 1024)
    assert caught.value.name == "PayloadTooLarge"


@given(st.lists(st.floats() | st.integers()))
def test_numbers_are_refused_exactly_when_json_cannot_hold_them(values: list[Any]) -> None:
    fits = all(
        abs(v) <= MAX_INTEGER if isinstance(v, int) else v - v == 0 for v in values
    )  # inf - inf and nan - nan are nan
    if fits:
        assert decode(encode(values)) == values
    else:
        with pytest.raises(Fault):
            encode(values)


@given(json_values)
def test_without_orjson_the_same_comes_back(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "orjson", None)
        assert decode(encode(value)) == value
        with pytest.raises(Fault, match="Unicode"):
            encode(["\ud800"])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('{"a":[10000000000000000,"x"],"b":1}', {"a": [1e16, "x"], "b": 1}),
        ("[[-9007199254740992]]", [[-(2.0**53)]]),
        ("9007199254740991", MAX_INTEGER),
        ('[true,null,1.5,{"c":{}}]', [True, None, 1.5, {"c": {}}]),
        ("1" * 400, int("1" * 400)),
    ],
)
def test_integers_that_no_engine_keeps_were_floats(written: str, meant: Any) -> None:
    found = as_doubles(json.loads(written))
    assert json.dumps(found) == json.dumps(meant)
