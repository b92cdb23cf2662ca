"""Recorded cases there and back: imported, compiled, imported again, compiled again.

X is a recorded definition, `first` its import, `there` what that compiles to; `second` is the
import of `there`, and `back` what that compiles to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import TaskCall, TaskError, simulate
from agentflow.adapters.aws.asl.simulate.handlers import TaskHandler
from agentflow.adapters.aws.asl.values import text
from agentflow.adapters.aws.causes import error_of
from agentflow.adapters.aws.compile import definition
from agentflow.adapters.aws.imports import import_machine
from agentflow.adapters.bundle.helper import Helper
from agentflow.errors import Fault, Json, SpecError
from agentflow.functions.context import Context
from agentflow.runtime import virtual
from agentflow.spec.load import Loaded, loads
from agentflow.spec.write import to_yaml
from tests.asl.behaviours import handler
from tests.asl.cases import Case
from tests.aws_import.cases import EPOCH, ROOT, as_workflow, call, ends_as_recorded

PARTS = {
    "first": "the import",
    "there": "the import compiled",
    "second": "the import of that",
    "back": "that compiled again",
}
LARGER_THAN_THE_SERVICE_TAKES = {"error-handling-002"}
"""The service refuses what is larger than 256 KiB; here it is not too large."""


@dataclass(frozen=True)
class Trip:
    """What became of a case on its way."""

    case: Case
    refused: str = ""
    same_workflow: bool = False
    """The second import is the first one, byte by byte."""
    same_definition: bool = False
    """The second compile gives the first one, byte by byte."""
    only_on_aws: bool = False
    """It asks for work that only AWS does, so that an import can fail only."""
    outcomes: dict[str, bool] = field(default_factory=dict)
    """Whether each of `PARTS` ends as was recorded."""
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def differences(self) -> list[str]:
        """What is not as it has to be."""
        found = [PARTS[part] for part, same in self.outcomes.items() if not same]
        if self.only_on_aws:
            found = [each for each in found if "compiled" in each]
        if self.case.id in LARGER_THAN_THE_SERVICE_TAKES:
            found = []
        found += ["the workflow"] * (not self.same_workflow)
        return found + ["the definition"] * (not self.same_definition)

    @property
    def stable(self) -> bool:
        """Whether it can be imported and compiled any number of times."""
        return not self.differences


def travel(case: Case, *, recorded: bool = True) -> Trip:
    """Take a case there and back; without `recorded`, the definition does not hold its workflow."""
    try:
        first = as_workflow(case)
    except SpecError as refused:
        return Trip(case, "; ".join(each.message for each in refused.diagnostics))
    there = definition(first)
    assert '"function": "agentflow.' not in _text(there), "a foreign expression is no function"
    second = _again(there if recorded else {**there, "Comment": case.id}, case.id)
    back = definition(second)
    trip = Trip(
        case,
        same_workflow=second.text == first.text,
        same_definition=_text(back) == _text(there),
        only_on_aws="foreign.task" in first.text,
    )
    for name, loaded in (("first", first), ("second", second)):
        trip.outcomes[name] = _local(case, loaded, trip.notes, name)
    for name, compiled in (("there", there), ("back", back)):
        trip.outcomes[name] = _compiled(case, compiled, trip.notes, name)
    return trip


def _again(there: Mapping[str, Json], name: str) -> Loaded:
    imported = import_machine(read(dict(there)), name)
    return loads(to_yaml(imported.workflow), root=ROOT, functions=False)


def _text(given: Json) -> str:
    return json.dumps(given, ensure_ascii=False)


# --- outcomes --------------------------------------------------------------------------------------


def _local(case: Case, loaded: Loaded, notes: dict[str, str], name: str) -> bool:
    ended = virtual.run(loaded, case.data["input"], virtual.World(call, {}, EPOCH))
    notes[name] = str(ended)
    return ends_as_recorded(case, ended.status, ended.output, ended.error)


def _compiled(case: Case, compiled: Json, notes: dict[str, str], name: str) -> bool:
    done = simulate(
        compiled,
        case.data["input"],
        _handler(case),
        machine_name=case.id,
        started_at=EPOCH,
        name="execution",
    )
    notes[name] = f"{done.status} {done.output} {done.error} {done.cause}"
    if done.status == "SUCCEEDED":
        return ends_as_recorded(case, "succeeded", done.output, None)
    error: Json = error_of(done.error or "", done.cause or "")
    if done.status == "TIMED_OUT":
        error = {"name": "Timeout"}
    return ends_as_recorded(case, "failed", None, error)


def _handler(case: Case) -> TaskHandler:
    """Our functions where a payload names one; else what was there when the case was recorded."""
    theirs = handler(case.data["lambdas"])

    def handle(task: TaskCall) -> Any:
        event = task.arguments
        if task.function != f"{case.id}-functions":
            return theirs(task)
        try:
            if "function" in event:
                about = Context("execution", step=event["step"], attempt=event["attempt"])
                return call(event["function"], event["arguments"], about)
            return Helper().answer(event, Context("execution"))
        except Fault as fault:
            report = {"errorMessage": text(fault.value()), "errorType": fault.name}
            raise TaskError(fault.name, text(report)) from None

    return handle
