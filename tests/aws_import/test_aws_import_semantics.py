"""Imported workflows end as their state machines do: recorded cases, and machines made up."""

from __future__ import annotations

import collections
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import simulate
from agentflow.adapters.aws.asl.simulate.handlers import by_name
from agentflow.adapters.aws.imports import Mapped, import_machine
from agentflow.adapters.aws.imports.faults import EVALUATION
from agentflow.errors import Fault, Json
from agentflow.runtime import virtual
from agentflow.spec.load import loads
from agentflow.spec.write import to_yaml
from tests.asl.cases import CORPUS, Case, load
from tests.aws_import.cases import EPOCH, call, judge

# What the service refuses because it is larger than 256 KiB is not too large here.
LARGER_THAN_THE_SERVICE_TAKES = {"error-handling-002"}

CASES = load(CORPUS)
SOME = [case for case in CASES if case.area not in {"choice-operators", "intrinsic-functions"}]


@pytest.mark.parametrize("case", SOME[::3], ids=lambda case: case.id)
def test_a_case_ends_as_recorded_or_is_refused_with_a_reason(case: Case) -> None:
    verdict = judge(case)
    assert verdict.refused or verdict.equal or case.id in LARGER_THAN_THE_SERVICE_TAKES, (
        verdict.note
    )


@pytest.mark.slow
def test_most_recorded_cases_can_be_imported_and_nearly_all_of_those_end_as_recorded() -> None:
    verdicts = [judge(case) for case in CASES]
    imported = [verdict for verdict in verdicts if not verdict.refused]
    assert len(imported) >= 0.85 * len(verdicts)
    different = {verdict.case.id for verdict in imported if not verdict.equal}
    assert different <= LARGER_THAN_THE_SERVICE_TAKES


# --- machines made up ------------------------------------------------------------------------------


class OutOfStock(Exception):
    """A named error."""


class Busy(Exception):
    """Another."""


def check(event: Json) -> Json:
    if event.get("fail"):
        raise OutOfStock("none left")
    return {"ok": True, "seen": sorted(event)}


class World:
    """The same functions for both sides, and what they were called with."""

    def __init__(self) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.busy = 2
        self.moods = 0

    def _note(self, name: str, event: Json) -> None:
        self.calls[json.dumps([name, essence(event)], sort_keys=True)] += 1

    def check(self, event: Json) -> Json:
        self._note("check", event)
        return check(event)

    def flaky(self, event: Json) -> Json:
        self._note("flaky", event)
        if self.busy:
            self.busy -= 1
            raise Busy("try again")
        return "done"

    def moody(self, event: Json) -> Json:
        """Fails with each of its moods in turn, then gives what is left of them."""
        self._note("moody", event)
        self.moods += 1
        if self.moods <= len(event["moods"]):
            raise {"Busy": Busy, "OutOfStock": OutOfStock}[event["moods"][self.moods - 1]]("no")
        return self.moods

    def count(self, event: Json) -> Json:
        self._note("count", event)
        return event.get("count", 0) + 1

    @property
    def functions(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "flaky": self.flaky,
            "moody": self.moody,
            "count": self.count,
        }


def theirs(definition: Json, input: Json) -> tuple[Json, World]:
    world = World()
    done = simulate(definition, input, by_name(world.functions), started_at=EPOCH)
    if done.status == "SUCCEEDED":
        return ["succeeded", done.output], world
    return ["failed", done.error if done.status == "FAILED" else "States.Timeout"], world


def ours(definition: Json, input: Json) -> tuple[Json, World]:
    world = World()

    def lookup(name: str) -> Mapped | None:
        return Mapped(f"lambdas.{name}", ("event",), ("event",))

    imported = import_machine(read(definition), "made", functions=lookup)
    loaded = loads(to_yaml(imported.workflow))

    def answer(function: str, arguments: Json, step: str) -> Json:
        module, _, name = function.rpartition(".")
        if module != "lambdas":
            return call(function, arguments, step)
        try:
            return world.functions[name](arguments["event"])
        except Exception as error:
            raise Fault(type(error).__name__, str(error)) from None

    ended = virtual.run(loaded, input, virtual.World(answer, {}, EPOCH))
    if ended.status == "succeeded":
        return ["succeeded", ended.output], world
    return ["failed", service_name(ended.error["name"])], world


def service_name(name: str) -> str:
    """What the service calls an error of ours."""
    known = {"Timeout": "States.Timeout", **dict.fromkeys(EVALUATION, "States.Runtime")}
    return known.get(name, name)


def machine(**states: Json) -> Json:
    return {"StartAt": next(iter(states)), "States": states}


def task(name: str, **fields: Json) -> Json:
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"
    return {"Type": "Task", "Resource": arn, **fields}


def catch(*names: str, to: str, **fields: Json) -> Json:
    return {"ErrorEquals": [*names], "Next": to, **fields}


ECHO = {"Type": "Pass", "End": True}
FAIL = {"Type": "Fail", "Error": "Gone", "Cause": "for good"}
FAILING = task("check", Parameters={"fail": True}, End=True)


def each_child(state: Json, **fields: Json) -> Json:
    """A distributed map whose children have one state."""
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    return {"Type": "Map", "ItemProcessor": {**config, **machine(I=state)}, "End": True, **fields}


MACHINES: dict[str, tuple[Json, Json]] = {
    "a result is placed": (
        machine(A=task("check", ResultPath="$.a.b", End=True)),
        {"x": 1},
    ),
    "a result is selected, placed and shown": (
        machine(
            A=task(
                "check",
                InputPath="$.in",
                Parameters={"x.$": "$.x", "me.$": "$$.State.Name"},
                ResultSelector={"ok.$": "$.ok"},
                ResultPath="$.got",
                OutputPath="$.got",
                End=True,
            )
        ),
        {"in": {"x": 1}},
    ),
    "a handler joins what follows": (
        machine(
            A=task("check", Catch=[catch("OutOfStock", to="C", ResultPath="$.e")], Next="B"),
            B={"Type": "Pass", "Result": "b", "ResultPath": "$.b", "Next": "C"},
            C=ECHO,
        ),
        {"fail": True},
    ),
    "a handler that is not taken": (
        machine(
            A=task("check", Catch=[catch("States.ALL", to="E")], ResultPath="$.checked", Next="B"),
            B={"Type": "Pass", "Result": "b", "ResultPath": "$.b", "Next": "C"},
            E={"Type": "Pass", "Result": "e", "Next": "C"},
            C=ECHO,
        ),
        {},
    ),
    "a handler that fails": (
        machine(A=task("check", Catch=[catch("States.ALL", to="E")], End=True), E=FAIL),
        {"fail": True},
    ),
    "an error that no handler takes": (
        machine(A=task("check", Catch=[catch("Busy", to="E")], End=True), E=ECHO),
        {"fail": True},
    ),
    "timeouts are no failed tasks": (
        machine(
            A=task("check", Catch=[catch("States.TaskFailed", to="E")], End=True),
            E=ECHO,
        ),
        {"fail": True},
    ),
    "retries": (
        machine(A=task("flaky", Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 2}], End=True)),
        {},
    ),
    "retriers that count for themselves": (
        machine(
            A=task(
                "moody",
                Retry=[
                    {"ErrorEquals": ["Busy"], "MaxAttempts": 2},
                    {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "BackoffRate": 1.5},
                ],
                ResultSelector={"got.$": "$"},
                ResultPath="$.a",
                End=True,
            )
        ),
        {"moods": ["Busy", "OutOfStock", "Busy"]},
    ),
    "the first retrier that matches is used up": (
        machine(
            A=task(
                "moody",
                Retry=[
                    {"ErrorEquals": ["Busy"], "MaxAttempts": 1},
                    {"ErrorEquals": ["States.ALL"], "MaxAttempts": 5},
                ],
                Catch=[catch("Busy", to="E", ResultPath="$.e")],
                End=True,
            ),
            E={"Type": "Pass", "OutputPath": "$.e.Error", "End": True},
        ),
        {"moods": ["Busy", "OutOfStock", "Busy", "Busy"]},
    ),
    "all errors but one are retried": (
        machine(
            A=task(
                "moody",
                Retry=[
                    {"ErrorEquals": ["OutOfStock"], "MaxAttempts": 0},
                    {"ErrorEquals": ["States.ALL"], "MaxAttempts": 5},
                ],
                End=True,
            )
        ),
        {"moods": ["Busy", "OutOfStock"]},
    ),
    "branches with several retriers": (
        machine(
            P={
                "Type": "Parallel",
                "Branches": [machine(A=task("moody", End=True))],
                "Retry": [
                    {"ErrorEquals": ["Busy"], "MaxAttempts": 1},
                    {"ErrorEquals": ["OutOfStock"], "MaxAttempts": 1},
                ],
                "End": True,
            }
        ),
        {"moods": ["OutOfStock", "Busy"]},
    ),
    "retries that are used up": (
        machine(
            A=task(
                "flaky",
                Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
                Catch=[catch("Busy", to="E")],
                End=True,
            ),
            E=ECHO,
        ),
        {},
    ),
    "retries of Lambda's own failures are left out": (
        machine(
            A=task(
                "flaky",
                Retry=[
                    {"ErrorEquals": ["Lambda.ServiceException", "Lambda.SdkClientException"]},
                    {"ErrorEquals": ["Busy"]},
                ],
                End=True,
            )
        ),
        {},
    ),
    "branches give a list": (
        machine(
            P={
                "Type": "Parallel",
                "Branches": [machine(A=task("check", End=True)), machine(B=ECHO)],
                "ResultPath": "$.both",
                "End": True,
            }
        ),
        {"x": 1},
    ),
    "the error of a branch is caught with its cause": (
        machine(
            P={
                "Type": "Parallel",
                "Branches": [machine(A=FAIL), machine(B=ECHO)],
                "Catch": [catch("States.ALL", to="E", ResultPath="$.e")],
                "End": True,
            },
            E=ECHO,
        ),
        {},
    ),
    "a runtime error in a branch is not caught": (
        machine(
            P={
                "Type": "Parallel",
                "Branches": [machine(A={"Type": "Pass", "InputPath": "$.nowhere", "End": True})],
                "Catch": [catch("States.ALL", to="E")],
                "End": True,
            },
            E=ECHO,
        ),
        {},
    ),
    "items with their index": (
        machine(
            M={
                "Type": "Map",
                "ItemsPath": "$.items",
                "ItemSelector": {
                    "n.$": "$$.Map.Item.Index",
                    "v.$": "$$.Map.Item.Value",
                    "all.$": "$.items",
                },
                "ItemProcessor": machine(A=ECHO),
                "End": True,
            }
        ),
        {"items": ["a", "b"]},
    ),
    "a distributed map has an error of its own": (
        machine(
            M={
                "Type": "Map",
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **machine(A=FAILING)},
                "End": True,
            }
        ),
        [1],
    ),
    "a distributed map of an object": (
        machine(
            M={
                "Type": "Map",
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **machine(A=ECHO)},
                "End": True,
            }
        ),
        {"a": 1},
    ),
    "failures that are tolerated": (
        machine(M=each_child(task("check", End=True), ToleratedFailureCount=2)),
        [{"fail": True}, {}, {"fail": True}],
    ),
    "failures that are more than tolerated, caught": (
        machine(
            M=each_child(
                task("check", End=True),
                ToleratedFailurePercentage=50,
                Catch=[catch("States.ExceedToleratedFailureThreshold", to="E")],
            ),
            E=ECHO,
        ),
        [{"fail": True}, {}, {"fail": True}],
    ),
    "limits from the data": (
        machine(
            M=each_child(
                task("check", End=True),
                ItemsPath="$.items",
                MaxConcurrencyPath="$.limit",
                ToleratedFailureCountPath="$.limit",
                ToleratedFailurePercentagePath="$.share",
            )
        ),
        {"items": [{"fail": True}, {}], "limit": "1", "share": 0},
    ),
    "a limit that is none": (
        machine(M=each_child(ECHO, ItemsPath="$.items", ToleratedFailurePercentagePath="$.share")),
        {"items": [], "share": 100.5},
    ),
    "batches": (
        machine(
            M={
                "Type": "Map",
                "ItemBatcher": {"MaxItemsPerBatch": 2},
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **machine(A=ECHO)},
                "End": True,
            }
        ),
        [1, 2, 3],
    ),
    "a loop by jumping back": (
        machine(
            Count=task("count", ResultPath="$.count", Next="Enough?"),
            **{
                "Enough?": {
                    "Type": "Choice",
                    "Choices": [
                        {"Variable": "$.count", "NumericGreaterThan": 3, "Next": "Done"},
                        {"Variable": "$.count", "NumericLessThan": 0, "Next": "Bad"},
                    ],
                    "Default": "Pause",
                },
                "Pause": {"Type": "Wait", "Seconds": 3600, "Next": "Count"},
                "Done": {"Type": "Succeed", "OutputPath": "$.count"},
                "Bad": FAIL,
            },
        ),
        {},
    ),
    "a loop through a handler": (
        machine(
            A=task("flaky", Catch=[catch("Busy", to="Pause", ResultPath=None)], Next="B"),
            Pause={"Type": "Wait", "Seconds": 5, "Next": "A"},
            B=ECHO,
        ),
        {},
    ),
    "a choice without a default in a loop": (
        machine(
            A=task("count", ResultPath="$.count", Next="B"),
            B={
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.count", "NumericLessThan": 3, "Next": "A"},
                    {"Variable": "$.count", "NumericEquals": 9, "Next": "C"},
                ],
            },
            C=ECHO,
        ),
        {},
    ),
    "variables": (
        machine(
            A={"Type": "Pass", "Assign": {"x.$": "$.x", "y": 2}, "Next": "B"},
            B={"Type": "Pass", "Assign": {"x.$": "$y", "y.$": "$x"}, "Next": "C"},
            C={"Type": "Pass", "Parameters": {"x.$": "$x", "y.$": "$y"}, "End": True},
        ),
        {"x": 1},
    ),
    "variables inside are those of the inside": (
        machine(
            A={"Type": "Pass", "Assign": {"x": 1}, "Next": "M"},
            M={
                "Type": "Map",
                "ItemProcessor": machine(
                    I={"Type": "Pass", "Assign": {"y.$": "$"}, "Next": "J"},
                    J={"Type": "Pass", "Parameters": {"x.$": "$x", "y.$": "$y"}, "End": True},
                ),
                "End": True,
            },
        ),
        [7, 8],
    ),
    "a variable that has no value": (
        machine(
            A={"Type": "Pass", "Assign": {"x": 1}, "Next": "B"},
            B={"Type": "Pass", "Parameters": {"z.$": "$z"}, "End": True},
        ),
        {},
    ),
    "JSONata": (
        {
            "QueryLanguage": "JSONata",
            **machine(
                A={
                    **task("check"),
                    "Arguments": {"total": "{% $sum($states.input.prices) %}"},
                    "Assign": {"seen": "{% $states.result.seen %}"},
                    "Output": "{% $states.input %}",
                    "Next": "B",
                },
                B={
                    "Type": "Choice",
                    "Choices": [{"Condition": "{% 'total' in $seen %}", "Next": "C"}],
                    "Default": "D",
                },
                C={"Type": "Pass", "Output": {"seen": "{% $seen %}"}, "End": True},
                D=FAIL,
            ),
        },
        {"prices": [1, 2.5]},
    ),
    "a failing expression of JSONata is caught": (
        {
            "QueryLanguage": "JSONata",
            **machine(
                A={
                    **task("check"),
                    "Arguments": "{% $states.input.nothing %}",
                    "Catch": [catch("States.QueryEvaluationError", to="E", Output="caught")],
                    "End": True,
                },
                E=ECHO,
            ),
        },
        {},
    ),
    "the machine takes too long": (
        {"TimeoutSeconds": 5, **machine(A={"Type": "Wait", "Seconds": 9, "End": True})},
        {},
    ),
}


@pytest.mark.parametrize(("definition", "data"), MACHINES.values(), ids=MACHINES.keys())
def test_a_machine_and_its_workflow_do_the_same(definition: Json, data: Json) -> None:
    (wanted, there), (found, here) = theirs(definition, data), ours(definition, data)
    assert essence(found) == essence(wanted)
    assert here.calls == there.calls


def essence(outcome: Json) -> Json:
    """Without what a report of Lambda has beside the error: a request, a trace."""
    if isinstance(outcome, dict):
        return {key: essence(value) for key, value in outcome.items()}
    if isinstance(outcome, list):
        return [essence(value) for value in outcome]
    if isinstance(outcome, str) and outcome.startswith('{"errorMessage"'):
        report = json.loads(outcome)
        return [report["errorMessage"], report["errorType"]]
    return outcome


@st.composite
def jumping(draw: st.DrawFn) -> Json:
    """A machine without cycles whose states lead anywhere ahead."""
    count = draw(st.integers(2, 8))
    names = [f"S{number}" for number in range(count)]

    def ahead(place: int) -> str:
        return names[draw(st.integers(place + 1, count - 1))]

    states: dict[str, Json] = {}
    for place, name in enumerate(names[:-1]):
        kind = draw(st.sampled_from(["pass", "choice", "task", "fail", "end"]))
        note = {"Type": "Pass", "Result": place, "ResultPath": f"$.{name}"}
        if kind == "choice":
            tests = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
            rules = [
                {"Variable": "$.n", "NumericEquals": test, "Next": ahead(place)} for test in tests
            ]
            states[name] = {"Type": "Choice", "Choices": rules, "Default": ahead(place)}
        elif kind == "task":
            to = [
                catch(each, to=ahead(place), ResultPath=f"$.{name}")
                for each in draw(st.lists(st.sampled_from(["OutOfStock", "Busy"]), max_size=2))
            ]
            way = draw(st.sampled_from(["next", "end"]))
            where = {"Next": ahead(place)} if way == "next" else {"End": True}
            states[name] = task("check", ResultPath=f"$.{name}", Catch=to, **where)
        elif kind == "fail" and place:
            states[name] = {"Type": "Fail", "Error": f"E{place}"}
        elif kind == "end" and place:
            states[name] = {**note, "End": True}
        else:
            states[name] = {**note, "Next": ahead(place)}
    states[names[-1]] = ECHO
    return {"StartAt": names[0], "States": _reached(names[0], states)}


def _reached(start: str, states: dict[str, Json]) -> dict[str, Json]:
    found = [start]
    for name in found:
        state = states[name]
        nexts = [*state.get("Choices", ()), *state.get("Catch", ()), state]
        leads = [each.get("Next") for each in nexts] + [state.get("Default")]
        found += [each for each in dict.fromkeys(leads) if each and each not in found]
    return {name: states[name] for name in states if name in found}


@settings(deadline=None, max_examples=40)
@given(jumping(), st.integers(0, 3), st.booleans())
def test_however_states_jump_the_workflow_goes_the_same_way(
    definition: Json, number: int, fail: bool
) -> None:
    data = {"n": number, "fail": fail}
    (wanted, there), (found, here) = theirs(definition, data), ours(definition, data)
    assert essence(found) == essence(wanted)
    assert here.calls == there.calls
