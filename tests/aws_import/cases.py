"""Recorded cases as workflows: imported, run on the machine in virtual time, compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.imports import Mapped, import_machine
from agentflow.adapters.aws.imports.faults import EVALUATION
from agentflow.errors import Fault, Json, SpecError
from agentflow.functions.context import Context
from agentflow.functions.invoke import invoke
from agentflow.runtime import virtual
from agentflow.spec.load import Loaded, loads
from agentflow.spec.write import to_yaml
from tests.asl.cases import Case
from tests.asl.equality import equal, normalised

ROOT = Path(__file__).resolve().parent.parent.parent
EPOCH = 1_700_000_000.0
_SERVICE_NAMES = {
    "Timeout": "States.Timeout",
    "PayloadTooLarge": "States.DataLimitExceeded",
    "LoopLimit": "States.Runtime",
    **dict.fromkeys(EVALUATION, "States.Runtime"),
}


@dataclass(frozen=True)
class Verdict:
    """What became of a case: refused with a reason, equal, or different."""

    case: Case
    refused: str = ""
    note: str = ""

    @property
    def equal(self) -> bool:
        return not self.refused and not self.note


def as_workflow(case: Case) -> Loaded:
    """The case's machine as the spec that an import writes.

    Raises:
        SpecError: it cannot be imported.
    """
    behaviours = case.data["lambdas"]

    def find(name: str) -> Mapped | None:
        if name not in behaviours:
            return None
        return Mapped(f"tests.aws_import.lambdas.{behaviours[name]}", ("event",), ("event",))

    imported = import_machine(read(case.data["definition"]), case.id, functions=find)
    return loads(to_yaml(imported.workflow), root=ROOT, functions=False)


def call(function: str, arguments: Json, context: Context) -> Json:
    """Call a function as workers do."""
    outcome = invoke(function, str(ROOT), arguments, context)
    if outcome.error is not None:
        told = outcome.error
        raise Fault(told["name"], told["message"], data=told["data"], cause=told["cause"])
    return json.loads(outcome.value or b"null")


def judge(case: Case) -> Verdict:
    """Import a case, run it, and compare."""
    try:
        loaded = as_workflow(case)
    except SpecError as refused:
        return Verdict(case, "; ".join(each.message for each in refused.diagnostics))
    if "foreign.task" in loaded.text:
        return Verdict(case, "it names its function only when it runs, so only AWS can call it")
    ended = virtual.run(loaded, case.data["input"], virtual.World(call, {}, EPOCH))
    if ends_as_recorded(case, ended.status, ended.output, ended.error):
        return Verdict(case)
    expected = {key: case.data[key] for key in case.data if key.startswith("expected_")}
    return Verdict(case, note=f"{json.dumps(expected)[:500]}\n     got {ended}"[:1200])


def ends_as_recorded(case: Case, status: str, output: Json, error: Json) -> bool:
    """Whether an outcome, in the words of workflows, is the recorded one."""
    pairs = sorted(map(tuple, case.data.get("normalise", [])), key=lambda pair: -len(pair[0]))
    data: dict[str, Any] = case.data
    if data["expected_status"] == "SUCCEEDED":
        return status == "succeeded" and equal(
            data.get("expected_output"), normalised(output, pairs)
        )
    if status != "failed":
        return False
    name = error["name"]
    expected = data.get("expected_error")
    if expected == "States.QueryEvaluationError" and name in EVALUATION:
        return True
    return equal(expected or "", normalised(_SERVICE_NAMES.get(name, name), pairs))
