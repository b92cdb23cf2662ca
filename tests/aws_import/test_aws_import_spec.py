"""What an import writes: how it reads, what is refused, and that it stays the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.foreign import NATIVE
from agentflow.adapters.aws.imports import Mapped, import_machine
from agentflow.errors import Diagnostic, Json, SpecError
from agentflow.functions.invoke import prepare
from agentflow.runtime import virtual
from agentflow.runtime.engine import Engine
from agentflow.spec.load import loads
from agentflow.spec.write import to_yaml
from tests.asl.cases import CORPUS, Case, load
from tests.aws_import.cases import EPOCH, ROOT, as_workflow
from tests.aws_import.machines import ECHO, FAIL, MACHINES, catch, machine, task
from tests.aws_import.worlds import compiled, essence, theirs


def imported(definition: Json, **functions: Mapped) -> str:
    made = import_machine(read(definition), "made", functions=functions.get)
    return to_yaml(made.workflow)


ORDER = machine(
    **{
        "Check Stock": task(
            "prod-CheckStockFunction",
            Parameters={"item.$": "$.item"},
            ResultPath="$.stock",
            Retry=[{"ErrorEquals": ["Lambda.ServiceException"]}, {"ErrorEquals": ["Busy"]}],
            Catch=[catch("States.ALL", to="Sold out")],
            Next="In stock?",
        ),
        "In stock?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.stock.ok", "BooleanEquals": True, "Next": "Ship"}],
            "Default": "Sold out",
        },
        "Ship": task("${ShipFunctionArn}", TimeoutSeconds=30, End=True)
        | {"Resource": "${ShipFunctionArn}"},
        "Sold out": {"Type": "Fail", "Error": "OutOfStock"},
    }
)

SPEC = """\
workflow: made
version: 1.0.0

do:
  - id: begin
    set: {data: "${ input }"}

  - id: check_stock
    call: functions.prod_check_stock
    with: {item: "${ data.item }"}
    retry: {on: [Busy], max_attempts: 4}
    catch:
      - on: [MissingKey, TypeMismatch, IndexOutOfRange]
        as: check_stock_fault
        do:
          - id: check_stock_again
            raise: ${ check_stock_fault }
      - as: check_stock_error
        do:
"""

REST = """\
  - id: check_stock_output
    set: {data: '${ merge(data, {"stock": check_stock}) }'}

  - id: in_stock_choice
    switch:
      - when: ${ not (data.stock.ok == true) }
        do:
"""


def test_states_become_steps_that_read_well() -> None:
    written = imported(ORDER)
    assert written.startswith(SPEC)
    assert REST in written
    assert 'call: functions.ship\n    with: {event: "${ data }"}\n    timeout: 30s' in written
    assert "states:" not in written


def test_states_that_are_reached_again_become_a_state_machine() -> None:
    written = imported(MACHINES["a loop by jumping back"][0])
    assert "start: count" in written
    assert "next: count" in written


@pytest.mark.parametrize(
    ("mapped", "given", "arguments"),
    [
        pytest.param(Mapped("f.x"), {"a.$": "$.a"}, 'with: {a: "${ data.a }"}', id="by name"),
        pytest.param(
            Mapped("f.x", ("event",), ("event",)),
            {"a": 1},
            "with: {event: {a: 1}}",
            id="the whole event",
        ),
        pytest.param(
            Mapped("f.x", ("a",), ("a",)), {"a": 1}, "with: {a: 1}", id="the only parameter"
        ),
        pytest.param(
            Mapped("f.x", ("a", "b"), ("a", "b")),
            None,
            'with: {a: "${ data.a }", b: "${ data.b }"}',
            id="taken out of the input",
        ),
    ],
)
def test_a_function_gets_the_event_as_its_parameters_ask(
    mapped: Mapped, given: Json, arguments: str
) -> None:
    parameters = {} if given is None else {"Parameters": given}
    assert arguments in imported(machine(A=task("x", **parameters, End=True)), x=mapped)


RULES = {
    "text": ({"StringEquals": "x"}, 'data.v == "x"'),
    "number": ({"NumericLessThan": 3}, 'type(data.v) == "number" and data.v < 3'),
    "null": ({"IsNull": False}, "data.v != null"),
    "presence": ({"IsPresent": True}, 'type(data) == "object" and "v" in data'),
    "a path": (
        {"StringEqualsPath": "$.w"},
        'data.v == data.w and type(data.v) == "string"',
    ),
    "a prefix": (
        {"StringMatches": "log-*"},
        'type(data.v) == "string" and data.v.startswith("log-")',
    ),
}


@pytest.mark.parametrize(("test", "source"), RULES.values(), ids=RULES.keys())
def test_rules_become_conditions_of_ours(test: Json, source: str) -> None:
    rule = {"Variable": "$.v", "Next": "B", **test}
    choice = {"Type": "Choice", "Choices": [rule], "Default": "C"}
    written = imported(machine(A=choice, B=ECHO, C=FAIL))
    assert source in written


FOREIGN = {
    "an intrinsic function": ({"x.$": "States.MathAdd($.a, 1)"}, "foreign.jsonpath"),
    "a filter": ({"x.$": "$.xs[?(@.a == 1)]"}, "foreign.jsonpath"),
}


@pytest.mark.parametrize(("parameters", "function"), FOREIGN.values(), ids=FOREIGN.keys())
def test_what_is_not_surely_the_same_stays_as_it_is(parameters: Json, function: str) -> None:
    written = imported(machine(A={"Type": "Pass", "Parameters": parameters, "End": True}))
    assert function in written
    assert next(iter(parameters.values())) in written


def test_what_only_aws_does_keeps_its_arguments_and_fails_loudly() -> None:
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {"TableName": "t", "Item": {"S.$": "$.id"}},
        "End": True,
    }
    made = import_machine(read(machine(A=put)), "made")
    assert 'arguments: {TableName: t, Item: {S: "${ data.id }"}}' in to_yaml(made.workflow)
    assert made.notes == (
        (
            "`A` needs arn:aws:states:::dynamodb:putItem, which only AWS has: it fails elsewhere "
            "until a function is mapped"
        ),
    )


INVOKE = {
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": "paint", "Payload": {"token.$": "$$.Task.Token"}},
}
HEARTBEATS = {
    "of who answers a queue": (
        {
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"MessageBody.$": "$$.Task.Token"},
        },
        "which only AWS hears: elsewhere it waits for its answer up to its time limit",
        "heartbeat: 5",
    ),
    "of a job": (
        {"Resource": "arn:aws:states:::glue:startJobRun.sync"},
        "which only AWS has: it fails elsewhere until a function is mapped",
        "heartbeat: 5",
    ),
    "of a function with a token": (
        INVOKE,
        "which a message cannot bring: left out, it waits for its answer up to its time limit",
        "listen: task_token",
    ),
    "of a function": ({}, "which nobody sends without a token: left out", "call: functions.x"),
}


@pytest.mark.parametrize(("fields", "note", "written"), HEARTBEATS.values(), ids=HEARTBEATS.keys())
def test_heartbeats_stay_where_aws_hears_them_and_a_note_says_what_holds_elsewhere(
    fields: dict[str, Json], note: str, written: str
) -> None:
    state = task("x", HeartbeatSeconds=5, End=True) | fields
    made = import_machine(read(machine(A=state)), "made")
    assert made.notes[-1].endswith(note)
    assert written in to_yaml(made.workflow)


def test_elsewhere_a_task_with_heartbeats_ends_with_its_answer() -> None:
    state = task("x", HeartbeatSeconds=5, End=True) | INVOKE
    world = virtual.World(lambda *_: None, {"task_token": {"painted": True}}, EPOCH)
    ended = virtual.run(loads(imported(machine(A=state)), functions=False), {}, world)
    assert (ended.status, ended.output) == ("succeeded", {"painted": True})


@pytest.mark.parametrize("function", NATIVE)
def test_every_function_that_imports_call_is_there_for_workers(function: str) -> None:
    assert prepare(function, str(ROOT)).plan.required


# --- round trips -----------------------------------------------------------------------------------

CASES = load(CORPUS)


def test_an_imported_case_reads_back_as_it_was_written() -> None:
    count = 0
    for case in CASES:
        try:
            loaded = as_workflow(case)
        except SpecError:
            continue
        count += 1
        assert to_yaml(loaded.workflow) == loaded.text, case.id
    assert count > 0.85 * len(CASES)


@pytest.mark.parametrize("name", MACHINES)
def test_an_imported_machine_compiled_back_does_the_same(name: str) -> None:
    definition, data = MACHINES[name]
    (wanted, there), (found, here) = theirs(definition, data), compiled(definition, data)
    assert essence(found) == essence(wanted)
    assert here.calls == there.calls


@pytest.mark.parametrize("executor", ["inline", pytest.param("ray", marks=pytest.mark.slow)])
def test_foreign_expressions_run_where_functions_run(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/journal.sqlite")
    definition = {
        "QueryLanguage": "JSONata",
        **machine(A={"Type": "Pass", "Output": "{% $sum($states.input.xs) %}", "End": True}),
    }
    with Engine(executor=executor, root=tmp_path) as engine:
        execution = engine.start(loads(imported(definition)), {"xs": [1, 2, 3.5]})
        assert execution.result() == 6.5


def test_no_case_is_refused_without_a_remedy() -> None:
    for case in CASES:
        for diagnostic in _mistakes(case):
            assert diagnostic.help or diagnostic.label, (case.id, diagnostic)


def _mistakes(case: Case) -> list[Diagnostic]:
    try:
        as_workflow(case)
    except SpecError as refused:
        return list(refused.diagnostics)
    return []
