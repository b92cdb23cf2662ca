"""The simulated workflows as engines find them: read once, compiled once, known by their digest."""

from __future__ import annotations

from collections.abc import Iterator

from agentflow.runtime.machine import Program, compile_workflow
from agentflow.spec.load import Loaded
from agentflow.spec.model import Workflow
from tests.simulation.shapes import SHAPES

_PROGRAMS: dict[str, Program] = {}


def compile_once(workflow: Workflow) -> Program:
    """A workflow as the machine runs it.

    Every process compiles for itself what it takes over; here once is enough, as nothing ever
    changes a program.
    """
    if workflow.digest not in _PROGRAMS:
        _PROGRAMS[workflow.digest] = compile_workflow(workflow)
    return _PROGRAMS[workflow.digest]


def read_again(text: str, **options: object) -> Loaded:
    """The workflow that was registered with a text; nor is it read more than once."""
    return next(loaded for loaded in _loaded() if loaded.text == text)


def with_digest(digest: str) -> Loaded:
    """The workflow of an execution."""
    return next(loaded for loaded in _loaded() if loaded.workflow.digest == digest)


def _loaded() -> Iterator[Loaded]:
    for shape in SHAPES:
        yield shape.loaded
        yield from shape.loaded.children.values()
