"""Every kind of step, as a spec with its input, and the functions that these specs call."""

from __future__ import annotations

from typing import Any

from agentflow.errors import Fault, Json
from agentflow.spec.load import Loaded, loads
from tests.aws.cases_errors import ERRORS
from tests.aws.cases_flow import FLOW

CASES: dict[str, tuple[str, Json]] = FLOW | ERRORS
MESSAGES: dict[str, Json] = {"news": {"x": [1, 2]}}
"""What comes to those that listen."""


def fails(name: str, message: str = "it failed", data: Json = None) -> Any:
    """A function that raises, whatever it is given."""

    def call(**_: Json) -> Json:
        raise Fault(name, message, data=data)

    return call


def flaky(times: int, name: str = "Busy") -> Any:
    """A function that fails so many times, then gives its `x`; each world makes its own."""
    left = {"n": times}

    def call(x: Json = None) -> Json:
        if left["n"]:
            left["n"] -= 1
            raise Fault(name, "busy")
        return x

    return call


def picky(x: int) -> int:
    """Refuses odd numbers."""
    if x % 2:
        raise Fault("Odd", f"{x} is odd", data={"x": x})
    return x * 10


def functions() -> dict[str, Any]:
    """The functions that the specs below call."""
    return {
        "f.echo": lambda x=None: x,
        "f.double": lambda x: x * 2,
        "f.add": lambda a, b: a + b,
        "f.sum": lambda items: sum(items),  # noqa: PLW0108  # called by keyword
        "f.boom": fails("Boom", "it blew up", {"code": 7}),
        "f.timeout": fails("Timeout", "too slow"),
        "f.flaky": flaky(2),
        "f.broken": flaky(100),
        "f.picky": picky,
        "f.undo": lambda **x: x,
        "f.undo_fails": fails("CannotUndo", "no way back"),
        "f.next": lambda n: {"value": n, "next": n + 1 if n < 3 else None},
        "f.stream": lambda n: iter(range(n)),
        "f.floats": lambda: [0.1 + 0.2, 1 / 3, 1e21, -0.0],
        "f.lists": lambda: [[1], [], [[2, 3]], None, [None]],
    }


def spec(text: str) -> Loaded:
    """The steps as a workflow; steps that read the input say so by its schema."""
    return loads(f"workflow: case\ndo:\n{indented(text)}\n")


def indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
