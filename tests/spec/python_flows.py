"""Workflows in Python for tests: a project with functions, and a file compiled in it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from agentflow.errors import Json
from agentflow.spec import load, loads
from agentflow.spec.load import Loaded
from agentflow.spec.read import read
from agentflow.spec.source import plain
from agentflow.spec.write import to_data, to_yaml
from tests.spec.models import placeless

FUNCTIONS = '''
"""Functions that workflows of tests call; all of them are pure."""

from agentflow.functions import Context


class Refused(Exception): ...


class TooLarge(Refused): ...


class Own(Exception):
    def __init__(self, what: int) -> None:
        super().__init__(f"own {what}")


class Sum:
    def add(self, a: int, b: int) -> int:
        return a + b


def double(n: int) -> int:
    return 2 * n


def add(a: int, b: int = 1, context: Context | None = None) -> int:
    return a + b


def total(items: list[int]) -> int:
    return sum(items)


def refuse(n: int, limit: int = 10) -> int:
    if n > limit:
        raise TooLarge(f"{n} is more than {limit}")
    return n


def undo(n: int) -> None: ...
'''

HEAD = '''
from agentflow import (
    approve, compensate, emit, error, gather, listen, parallel, saga, step, wait, workflow, Fault
)
from functions import work
from functions.work import (
    Own, Refused, Sum, TooLarge, add, double, refuse, total, undo
)

LIMIT = 10
NAMES = ["a", "b"]
TWICE = 1
TWICE = 2


def own(n: int) -> int:
    return n


@workflow(name="inner-flow")
def inner(n: int, m: int = 2) -> int:
    """Another workflow."""
    return add(n, m)

'''


def project(root: Path) -> Path:
    """A project with a module of functions."""
    (root / "agentflow.toml").touch()
    (root / "functions").mkdir(exist_ok=True)
    (root / "functions" / "work.py").write_text(FUNCTIONS)
    return root


def compiled(root: Path, source: str, name: str = "flow") -> Loaded:
    """The workflow `name` of a file with the usual imports and `source` below them."""
    file = project(root) / "flows.py"
    file.write_text(HEAD + textwrap.dedent(source))
    return load(f"{file}:{name}")


def constructs(rows: Mapping[str, tuple[str, str]]) -> pytest.MarkDecorator:
    """Runs a test with the `body` of each function in a table, and what is `expected` of it."""
    return pytest.mark.parametrize(("body", "expected"), rows.values(), ids=rows.keys())


def assert_becomes(root: Path, body: str, expected: str) -> None:
    """Check that a function becomes the `do` and `output` in `expected`, and survives as YAML.

    Its parameters are `n`, `xs` and `m`.
    """
    head = "@workflow\ndef flow(n: int, xs: list[int], m: dict = {'k': [1]}):\n"
    loaded = compiled(root, head + textwrap.indent(body, "    ") + "\n")
    found: Json = to_data(loaded.workflow)
    wanted = plain(read(textwrap.dedent(expected), "wanted.yaml", []))
    assert {key: found[key] for key in ("do", "output") if key in found} == wanted

    again = loads(to_yaml(loaded.workflow), children=loaded.children).workflow
    assert again.digest == loaded.workflow.digest
    assert placeless(again) == placeless(loaded.workflow)
