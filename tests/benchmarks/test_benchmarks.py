"""Benchmarks run in their smallest size and find the figures that have goals."""

from __future__ import annotations

import importlib
import math
import re
from pathlib import Path

import pytest

from benchmarks import crash
from benchmarks.__main__ import NAMES, SMALL, line
from benchmarks.figures import NotMeasured, medians
from benchmarks.goals import GOALS
from benchmarks.page import PAGE, replaced, table

INLINE = ("machine", "expressions", "journal", "recovery", "overhead")
STARTING_PROCESSES = ("startup", "compile", "waiting", "hello", "chain", "fanout")
NO_DBOS = "not measured: no registry is asked by tests"


@pytest.fixture(autouse=True)
def _no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    def python_of(peer: str) -> Path:
        raise NotMeasured(NO_DBOS.removeprefix("not measured: "))

    monkeypatch.setattr("benchmarks.peers.dbos_rates.python_of", python_of)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name",
    [*INLINE, *(pytest.param(name, marks=pytest.mark.slow) for name in STARTING_PROCESSES)],
)
def test_a_benchmark_finds_what_has_a_goal(name: str) -> None:
    figures = importlib.import_module(f"benchmarks.{name}").run(SMALL)
    found = {f"{name}: {figure}": value for figure, value in figures.items()}
    assert {goal for goal in GOALS if goal.startswith(f"{name}: ")} <= found.keys()
    texts = {what: value for what, value in found.items() if isinstance(value, str)}
    assert set(texts.values()) <= {NO_DBOS}
    assert all(what.endswith("DBOS") for what in texts)
    assert all(math.isfinite(value) for what, value in found.items() if what not in texts)


@pytest.mark.slow
def test_a_run_that_was_killed_is_resumed_and_timed(tmp_path: Path) -> None:
    spec = tmp_path / "long.yaml"
    spec.write_text(crash.RUN)
    # Functions are found from the spec's project.
    (tmp_path / "agentflow.toml").touch()
    (tmp_path / "benchmarks").symlink_to(Path(crash.__file__).parent)
    assert crash.resumed(spec, "inline", 10) > 0


def test_every_goal_belongs_to_a_benchmark() -> None:
    assert {goal.partition(": ")[0] for goal in GOALS} <= set(NAMES)


def test_works_take_turns() -> None:
    order: list[str] = []
    values = iter([3.0, 10.0, 1.0, 30.0, 2.0, 20.0])

    def work(name: str) -> float:
        order.append(name)
        return next(values)

    found = medians({"a": lambda: work("a"), "b": lambda: work("b")}, 3)
    assert "".join(order) == "ababab"
    assert found == {"a": 2.0, "b": 20.0}


@pytest.mark.parametrize(
    ("value", "verdict", "cells"),
    [
        (0.71, "ok   >= 0.7", "| 0.71 | ≥ 0.7 | yes |"),
        (0.69, "MISS >= 0.7", "| 0.69 | ≥ 0.7 | no |"),
        ("not measured: why", "not measured: why", "| not measured: why | ≥ 0.7 |  |"),
    ],
    ids=["kept", "missed", "not measured"],
)
def test_a_figure_is_printed_with_its_goal(value: float | str, verdict: str, cells: str) -> None:
    figure = "rate on Ray / bare actor calls"
    assert line(f"chain: {figure}", value).endswith(verdict)
    assert table({"chain": {figure: value}}).endswith(f"| `chain` | {figure} {cells}\n")


def test_the_page_takes_a_new_table() -> None:
    page = PAGE.read_text()
    new = table({"chain": {"inline, steps/s": 1234.5}})
    assert new in replaced(page, new)
    assert replaced(replaced(page, new), new) == replaced(page, new)


def test_the_page_names_benchmarks_that_exist() -> None:
    named = re.findall(r"--only (\w+)", PAGE.read_text())
    assert named
    assert set(named) <= set(NAMES)
