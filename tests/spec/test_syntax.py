"""Reading Python's syntax, whatever else is parsed in the same moment."""

from __future__ import annotations

import ast
import gc
from collections.abc import Callable, Iterator

import pytest

from agentflow.spec.syntax import expression_of, tree_of

LONG = "[" + "[1, (2, 3)], " * 2000 + "]"


class Late:
    """Garbage that parses when it is collected, as another thread may at that moment."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        ast.parse("1")


@pytest.fixture
def eager_collector() -> Iterator[None]:
    """The collector comes by while a tree is built: what makes the moment certain."""
    before = gc.get_threshold()
    gc.set_threshold(500)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("eager_collector")
@pytest.mark.parametrize("parse", [tree_of, expression_of])
def test_what_is_parsed_meanwhile_does_no_harm(parse: Callable[[str], ast.AST]) -> None:
    gc.collect()
    Late()
    assert ast.dump(parse(LONG)).count("Tuple") == 2000


def test_a_module_is_read_in_the_language_of_the_version_that_runs_it() -> None:
    source = "match x:\n    case 1:\n        pass\n"
    assert tree_of(source, (3, 10)).body
    with pytest.raises(SyntaxError, match=r"3\.10"):
        tree_of(source, (3, 9))
