"""Every kind of step, compiled and run on two interpreters: same outcome, same calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentflow.adapters.target import Options
from agentflow.errors import Fault, Json
from tests.aws.cases import CASES, MESSAGES, functions, spec
from tests.aws.worlds import Outcome, World, local, on_sfnx, on_simulator

Run = Callable[..., Outcome]

DISTRIBUTED = [name for name in CASES if "item" in name or "map" in name or "toler" in name]


@pytest.mark.parametrize("run", [on_sfnx, on_simulator], ids=["sfnx", "simulator"])
@pytest.mark.parametrize("name", DISTRIBUTED)
def test_a_distributed_map_does_the_same(name: str, run: Run) -> None:
    text, given = CASES[name]
    loaded = spec(text)
    here, there = World(functions(), MESSAGES), World(functions(), MESSAGES)
    ours = local(loaded, given, here)
    theirs = run(loaded, given, there, Options({"distributed": True}))
    assert theirs.essence == ours.essence
    # The service ends no item early, so that a map that fails may have called more.
    assert there.calls >= here.calls


@pytest.mark.parametrize(
    "text",
    [
        (
            "- id: a\n  timeout: 5s\n  saga: {do: [{id: w, wait: 10s}]}\n"
            "  catch: [{on: Timeout, do: [{id: c, return: late}]}]"
        ),
        "- id: a\n  timeout: 5s\n  saga: {do: [{id: w, wait: 10s}]}",
        "- {id: a, listen: silence, timeout: 5s}",
    ],
    ids=["a block, caught", "a block", "a message"],
)
def test_time_runs_out_by_name(text: str) -> None:
    loaded = spec(text)
    ours = local(loaded, None, World({}))
    assert on_simulator(loaded, None, World({})).essence == ours.essence


def test_time_and_chance_are_the_same_in_every_attempt() -> None:
    seen: list[Json] = []

    def busy(x: Json) -> Json:
        seen.append(x)
        if len(seen) < 3:
            raise Fault("Busy", "later")
        return None

    text = (
        "- {id: a, call: f.busy, with: {x: '${ [now(), uuid()] }'},"
        " retry: {max_attempts: 3, interval: 0s}}"
    )
    assert on_sfnx(spec(text), None, World({"f.busy": busy})).status == "succeeded"
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("run", [on_sfnx, on_simulator], ids=["sfnx", "simulator"])
@pytest.mark.parametrize("name", CASES)
def test_a_step_does_the_same_compiled(name: str, run: Run) -> None:
    text, given = CASES[name]
    loaded = spec(text)
    here, there = World(functions(), MESSAGES), World(functions(), MESSAGES)
    ours, theirs = local(loaded, given, here), run(loaded, given, there)
    assert theirs.essence == ours.essence
    assert there.calls == here.calls
    assert there.events == here.events
    if ours.error is not None and ours.error["data"] is not None:
        assert theirs.error["data"] == ours.error["data"]
