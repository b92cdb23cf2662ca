"""Pydantic's types in annotations: it validates them itself.

Pydantic is never imported here; a function whose parameters use it has done so.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable
from typing import Any

from agentflow.errors import Json


def is_model(kind: type) -> bool:
    """Whether a class is a pydantic model."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(kind, pydantic.BaseModel)


def concerns(annotation: Any) -> bool:
    """Whether pydantic's own types or constraints stand anywhere in the annotation."""
    if "pydantic" not in sys.modules:
        return False
    if typing.get_origin(annotation) is typing.Annotated:
        if any(_defined_by_pydantic(extra) for extra in annotation.__metadata__):
            return True
    elif hasattr(annotation, "__get_pydantic_core_schema__") or hasattr(
        annotation, "__pydantic_core_schema__"
    ):
        return True
    return any(concerns(argument) for argument in typing.get_args(annotation))


def _defined_by_pydantic(extra: Any) -> bool:
    module = type(extra).__module__.partition(".")[0]
    return module in {"pydantic", "annotated_types"} or hasattr(
        extra, "__get_pydantic_core_schema__"
    )


def converter(annotation: Any) -> Callable[[Json, str, list[dict[str, str]]], Any]:
    """A converter that lets pydantic validate."""
    pydantic = sys.modules["pydantic"]
    adapter = pydantic.TypeAdapter(annotation)

    def convert(value: Json, path: str, problems: list[dict[str, str]]) -> Any:
        try:
            return adapter.validate_python(value)
        except pydantic.ValidationError as error:
            for found in error.errors(include_url=False, include_context=False):
                steps = (f"[{at}]" if isinstance(at, int) else f".{at}" for at in found["loc"])
                problems.append({"path": path + "".join(steps), "problem": found["msg"]})
            return value

    return convert
