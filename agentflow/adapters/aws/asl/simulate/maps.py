"""Map and Parallel states."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from agentflow.adapters.aws.asl import template
from agentflow.adapters.aws.asl.errors import QUERY, TOLERANCE, EvaluationError, StateError
from agentflow.adapters.aws.asl.items import around, pairs
from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.model import Machine, Map, Parallel
from agentflow.adapters.aws.asl.runs import Allowed, is_tolerated
from agentflow.adapters.aws.asl.simulate import batches, settings
from agentflow.adapters.aws.asl.simulate.execution import Execution, Identity, Place, Visit
from agentflow.adapters.aws.asl.simulate.states import (
    Leaving,
    arguments,
    effective_input,
    failure_of,
    run_machine,
    settle,
)
from agentflow.adapters.aws.asl.simulate.strands import Gather, Work
from agentflow.adapters.aws.asl.values import Absent, text
from agentflow.errors import Json

INLINE_LIMIT: Final = 40
"""Iterations that an inline map runs at once at most."""
DISTRIBUTED_LIMIT: Final = 10_000
"""Children of a distributed map that run at once at most."""


def run_parallel(state: Parallel, visit: Visit) -> Leaving:
    """A Parallel state between entering and leaving."""
    given = arguments(state, visit, effective_input(state, visit))
    visit.execution.record("ParallelStateStarted")
    makers = [
        partial(run_machine, branch, given, visit.place.inner(f"{state.name}[{index}]"))
        for index, branch in enumerate(state.branches)
    ]
    results = yield Gather(makers, len(makers))
    return settle(state, visit, results)


def run_map(state: Map, visit: Visit) -> Leaving:
    """A Map state between entering and leaving."""
    effective = effective_input(state, visit)
    limit = settings.whole(state.max_concurrency, visit, "MaxConcurrency", effective)
    if limit is not None and limit < 0:
        raise EvaluationError(
            f"Expected non-negative integer for MaxConcurrency, got '{limit}' instead.",
            settings.error_of(state),
        )
    found = [] if state.reader is not None else _items(state, visit, effective)
    visit.execution.record("MapStateStarted", length=len(found))
    allowed = settings.tolerance(state, visit, effective)
    if state.distributed:
        most = min(limit or DISTRIBUTED_LIMIT, DISTRIBUTED_LIMIT)
        result = yield from _distributed(
            state, visit, effective, found, limit=most, allowed=allowed
        )
    else:
        makers = [
            partial(_iteration, state, visit, effective, index, item)
            for index, item in enumerate(found)
        ]
        result = yield Gather(makers, min(limit or INLINE_LIMIT, INLINE_LIMIT))
    visit.execution.record("MapStateSucceeded")
    return settle(state, visit, result)


# --- items -------------------------------------------------------------------------------------


def _items(state: Map, visit: Visit, effective: Json) -> list[Json]:
    """The items that the state gets; those of an ItemReader are read later."""
    if state.query_language == "JSONata":
        return _expressed(state, visit)
    found = template.refer(state.items_path, visit.data(effective), visit.execution.chance)
    if state.distributed and isinstance(found, dict):
        return pairs(found)
    if not isinstance(found, list):
        raise EvaluationError(f'Reference path "{state.items_path}" must point to array.')
    return found


def _expressed(state: Map, visit: Visit) -> list[Json]:
    if isinstance(state.items, Absent):
        if not isinstance(visit.input, list):
            raise EvaluationError(
                f"Map state input must be an array but was: {text(visit.input)}", QUERY
            )
        return visit.input
    found = template.resolve(state.items, visit.scope(), "Items")
    if state.distributed and state.batcher is None and isinstance(found, dict):
        return pairs(found)
    if not isinstance(found, list) and expression_in(state.items) is None:
        raise EvaluationError(f"Map state input must be an array but was: {text(found)}", QUERY)
    settings.expect(found, "array", state.items, "Items")
    return list(found)


def _selected(state: Map, visit: Visit, effective: Json, index: int, item: Json) -> Json:
    """The input of an iteration."""
    if isinstance(state.item_selector, Absent):
        return item
    seen = around(index, item)
    if state.query_language == "JSONata":
        return template.resolve(state.item_selector, visit.scope(item=seen), "ItemSelector")
    data = visit.data(effective, item=seen)
    return template.payload(state.item_selector, data, visit.execution.chance)


# --- inline ------------------------------------------------------------------------------------


def _iteration(state: Map, visit: Visit, effective: Json, index: int, item: Json) -> Work:
    execution = visit.execution
    execution.record("MapIterationStarted", name=state.name, index=index)
    try:
        given = _selected(state, visit, effective, index, item)
        trail = f"{state.name}[{index}]~{visit.retries}"
        place = visit.place.inner(trail, around(index, item))
        result = yield from run_machine(state.processor, given, place)
    except GeneratorExit:
        execution.record("MapIterationAborted", name=state.name, index=index)
        raise
    except StateError as error:
        if not error.fatal:
            execution.record("MapIterationFailed", name=state.name, index=index)
        raise
    except EvaluationError as error:
        raise failure_of(error, visit) from None
    execution.record("MapIterationSucceeded", name=state.name, index=index)
    return result


# --- distributed -------------------------------------------------------------------------------


class _Failures:
    """Counts failed items against what is tolerated."""

    def __init__(self, total: int, allowed: Allowed) -> None:
        self._allowed = allowed
        self._total = total
        self._failed = 0

    def add(self, items: int) -> None:
        """More items have failed.

        Raises:
            StateError: they are more than is tolerated.
        """
        self._failed += items
        if not is_tolerated(self._allowed, self._failed, self._total):
            raise StateError(TOLERANCE, "The specified tolerated failure threshold was exceeded")


def _distributed(
    state: Map, visit: Visit, effective: Json, found: list[Json], *, limit: int, allowed: Allowed
) -> Work:
    execution = visit.execution
    label = state.label or state.name
    run_arn = execution.identity.run_id(label, f"{execution.chance.getrandbits(128):032x}")
    execution.record("MapRunStarted", mapRunArn=run_arn)
    try:
        if state.reader is not None:
            found = yield from batches.read_items(state, state.reader, visit, effective)
        inputs = [_selected(state, visit, effective, n, item) for n, item in enumerate(found)]
        units = batches.batch(state, visit, effective, inputs)
        run = _MapRun(state.processor, visit, label, _Failures(len(found), allowed), {})
        makers = [partial(_child, run, number, unit) for number, unit in enumerate(units)]
        result = yield Gather(makers, limit)
        if state.writer is not None:
            children = [run.finished[number] for number in sorted(run.finished)]
            result = yield from batches.write_results(
                state, state.writer, visit, effective, children, run_arn=run_arn
            )
    except (EvaluationError, StateError) as error:
        failure = failure_of(error, visit)
        execution.record("MapRunFailed", error=failure.name, cause=failure.cause)
        raise failure from None
    execution.record("MapRunSucceeded")
    return result


@dataclass(frozen=True, slots=True)
class _MapRun:
    """What the children of one map have in common."""

    machine: Machine
    visit: Visit
    label: str
    failures: _Failures
    finished: dict[int, batches.Child]
    """By the numbers of their inputs."""


def _child(run: _MapRun, number: int, unit: batches.Unit) -> Work:
    """One child execution: its output, or what stands for its failure."""
    outer = run.visit.execution
    identity = Identity(
        f"{outer.chance.getrandbits(128):032x}", outer.identity.machine, f"/{run.label}"
    )
    child = Execution(identity, unit.input, outer.clock(), outer.clock, outer.ask, outer.bodies)
    child.record("ExecutionStarted", input=unit.input)
    try:
        output = yield from run_machine(run.machine, unit.input, Place(child, {}))
    except StateError as error:
        child.record("ExecutionFailed", error=error.name, cause=error.cause)
        run.finished[number] = batches.Child(identity, unit.input, None, error)
        run.failures.add(unit.items)
        return {"Status": "FAILED", "Error": error.name, "Cause": error.cause}
    child.record("ExecutionSucceeded", output=output)
    run.finished[number] = batches.Child(identity, unit.input, output, None)
    return output
