"""A workflow's function does the same as plain Python, as a workflow here, and on Ray."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentflow
from agentflow.errors import SpecError
from agentflow.spec import load, loads, render
from agentflow.spec.write import to_yaml
from tests.spec.python_programs import HEAD, PIECES, Program

INPUT: dict[str, Any] = {"n": 13, "xs": [3, 1, 4, 1, 5]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("random")
    (root / "agentflow.toml").touch()
    (root / "pieces.py").write_text(PIECES)
    sys.path.insert(0, str(root))
    yield root
    sys.path.remove(str(root))
    for name in [name for name in sys.modules if name == "pieces" or name.startswith("random_")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def inline(root: Path) -> Iterator[agentflow.Engine]:
    with agentflow.Engine(
        executor="inline", root=root, store=f"sqlite:///{root}/inline.db"
    ) as engine:
        yield engine


def written(root: Path, seed: int) -> tuple[Callable[..., Any], str]:
    """A random function, imported; and what names it."""
    module = f"random_{seed}"
    (root / f"{module}.py").write_text(HEAD + Program(seed).source("flow"))
    invalidate_caches()
    return import_module(module).flow, f"{root / module}.py:flow"


def plain(function: Callable[..., Any]) -> Any:
    try:
        return function(**INPUT)
    except Exception as error:
        return type(error).__name__, str(error)


def carried(engine: agentflow.Engine, workflow: Any) -> Any:
    try:
        return engine.start(workflow, INPUT).result(60)
    except agentflow.ExecutionFailed as failed:
        return failed.error["name"], failed.error["message"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_function_means_the_same_here(root: Path, inline: agentflow.Engine, seed: int) -> None:
    function, name = written(root, seed)
    try:
        loaded = load(name)
    except SpecError as error:
        pytest.fail(render(error.diagnostics, error.sources))

    assert carried(inline, loaded) == plain(function)

    exported = loads(to_yaml(loaded.workflow), root=root, children=loaded.children, functions=True)
    assert exported.workflow.digest == loaded.workflow.digest


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_function_means_the_same_on_ray(root: Path) -> None:
    functions = dict(written(root, seed) for seed in range(16))
    with agentflow.Engine(executor="ray", root=root, store=f"sqlite:///{root}/ray.db") as engine:
        started = [(function, engine.start(name, INPUT)) for function, name in functions.items()]
        for function, execution in started:
            try:
                outcome = execution.result(120)
            except agentflow.ExecutionFailed as failed:
                outcome = failed.error["name"], failed.error["message"]
            assert outcome == plain(function)
