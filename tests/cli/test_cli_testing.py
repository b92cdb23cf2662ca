"""`test --target aws`: a workflow here and, compiled, on the simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

SPEC = """
workflow: tried
do:
  - id: numbers
    map: ${ input.numbers }
    as: n
    call: functions.tried.double
    with: {n: "${ n }"}
  - id: pause
    wait: 1h
  - id: total
    call: functions.tried.add
    with: {numbers: "${ numbers }", execution: "${ execution.id }"}
output: ${ total }
"""
FUNCTIONS = """
import asyncio
RUNS = []
class TooMuch(Exception): pass
async def double(n: int) -> int:
    print("doubling")
    return 2 * n
def add(numbers: list[int], execution: str) -> dict:
    RUNS.append(1)
    if sum(numbers) > 100: raise TooMuch("over 100")
    return {"total": sum(numbers), "execution": execution, "runs": CHANGING}
"""


@pytest.fixture(autouse=True)
def _tried(project):
    Path("specs/tried.yaml").write_text(SPEC)
    Path("functions/tried.py").write_text(FUNCTIONS.replace("CHANGING", "0"))


TEST = ("test", "specs/tried.yaml", "--target", "aws")


@pytest.mark.parametrize(
    ("numbers", "status"), [("[1, 2]", "succeeded"), ("[1, 99]", "failed"), ("[]", "succeeded")]
)
def test_outcome_and_calls_are_compared(agentflow, numbers, status):
    done = agentflow(*TEST, "--input", f'{{"numbers": {numbers}}}', "--json")
    told = done.json
    assert (done.code, told["same"], told["differences"]) == (0, True, [])
    assert told["local"]["status"] == told["aws"]["status"] == status
    assert told["local"]["calls"] == told["aws"]["calls"]


def test_a_difference_is_exit_code_1_and_shown_in_the_table(agentflow):
    Path("functions/tried.py").write_text(FUNCTIONS.replace("CHANGING", "len(RUNS)"))
    done = agentflow(*TEST, "--input", '{"numbers": [1]}')
    assert done.code == 1
    assert done.err == "\ntried: different: output\n"
    assert done.out.splitlines()[0].split() == ["local", "aws"]
    assert done.out.splitlines()[-1].split() == ["functions.tried.double", *["1", "call"] * 2]


def test_messages_are_given_by_name(agentflow):
    Path("specs/paid.yaml").write_text("workflow: paid\ndo: [{id: p, listen: paid}]\n")
    arguments = ("test", "specs/paid.yaml", "--target", "aws", "--json")
    told = agentflow(*arguments, "--messages", '{"paid": {"amount": 5}}').json
    assert told["local"]["output"] == told["aws"]["output"] == {"amount": 5}
    assert agentflow(*arguments, "--messages", "5").code == 3


@pytest.mark.parametrize("option", ["distributed=false", "distributed=true", "results=lake/maps"])
def test_functions_see_their_attempts_and_their_places(agentflow, option):
    Path("functions/tried.py").write_text(
        "from agentflow import Context\n"
        "def place(n: int, context: Context) -> list:\n"
        "    if context.attempt < n: raise RuntimeError('not yet')\n"
        "    return [context.step, context.attempt]\n"
        "def join(items: list) -> list:\n"
        "    return [each for item in items for each in item]\n"
    )
    Path("specs/tried.yaml").write_text(
        "workflow: tried\ndo:\n  - id: places\n    map: [1, 2, 1]\n    as: n\n"
        "    call: functions.tried.place\n    with: {n: '${ n }'}\n    batch: 2\n"
        "    retry: {max_attempts: 2, interval: 0s}\n    reduce: {call: functions.tried.join}\n"
    )
    told = agentflow(*TEST, "--option", option, "--json").json
    assert told["differences"] == []
    assert told["aws"]["output"] == [*("places[0]", 1), *("places[1]", 2), *("places[2]", 1)]


def test_a_target_that_cannot_be_simulated_is_a_wrong_use(agentflow):
    refused = agentflow("test", "specs/tried.yaml", "--target", "gcp")
    assert refused.code == 2
    assert "the targets are: aws" in refused.err
