"""Failed items that a distributed map tolerates: counted, and described in its result.

Here a tolerated item gives null; there it gives what its execution failed with. So each item
tells how it ended, and a step after the map counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentflow.adapters.aws.asl.errors import RUNTIME, TOLERANCE
from agentflow.adapters.aws.asl.model import Map, Setting
from agentflow.adapters.aws.asl.values import Absent
from agentflow.adapters.aws.imports import faults
from agentflow.adapters.aws.imports.expressions import Sight
from agentflow.adapters.aws.imports.writing import Writing
from agentflow.spec.model import (
    Action,
    Block,
    Case,
    Catch,
    Fork,
    Raise,
    Return,
    Set,
    Step,
    Switch,
    Try,
)

_TOLD = "The specified tolerated failure threshold was exceeded"


def unlimited(state: Map) -> bool:
    """Whether a map says nothing of failures: the first one is too many."""
    return all(_is_none(each) for each in (state.tolerated_count, state.tolerated_percentage))


def _is_none(setting: Setting) -> bool:
    return isinstance(setting, Absent) or setting == 0


def tolerated(w: Writing, state: Map, sight: Sight) -> list[str]:
    """Sources with places for `failed` and `total`, of which one has to hold for both.

    A limit of 0 is none, and where there are two, both have to hold. A map that is not distributed
    checks the values and tolerates nothing.
    """
    limits: list[str] = []
    tests: list[str] = []
    for setting, check, wanted, test in (
        (state.tolerated_count, "whole", "tolerated count", "{{failed}} <= {0}"),
        (
            state.tolerated_percentage,
            "percentage",
            "tolerated percentage",
            "{{failed}} * 100 <= {0} * {{total}}",
        ),
    ):
        if not _is_none(setting):
            most = w.checked(setting, sight, check, wanted).source
            limits.append(f"{most} > 0")
            tests.append(test.format(most))
    if not state.distributed:
        return []
    if len(limits) < 2:
        return [f"{limit} and {test}" for limit, test in zip(limits, tests, strict=True)]
    within = [f"(not {limit} or {test})" for limit, test in zip(limits, tests, strict=True)]
    return [f"({' or '.join(limits)}) and {' and '.join(within)}"]


@dataclass(frozen=True, slots=True)
class Batches:
    """Sources of how many items there are: in one child, and in all."""

    own: str
    total: str


def counted(
    w: Writing, body: Block, batches: Batches | None = None, *, strict: bool = False
) -> Block:
    """An item that tells how it ended: `{output}`, or `{failed}`, with its `size` if it is many.

    If it is `strict`, a failure is too many at once.
    """
    name = w.state.name
    child = w.step(f"{name} child", Fork({"child": body}, 1))
    done = w.step(f"{name} done", Return({"output": w.expression(f"{child.id}.child")}))
    missing, fault = w.book.namer.fresh(f"{name} fault"), w.book.namer.fresh(f"{name} fault")
    again = w.step(f"{name} again", Raise(w.expression(missing)))
    said = faults.error_output(fault, "message")
    known = ", ".join(f'"{each}"' for each in faults.EVALUATION)
    told = {
        "Status": "FAILED",
        "Error": w.expression(f'"{RUNTIME}" if {fault}.name in [{known}] else {said}.Error'),
        "Cause": w.expression(f"{said}.Cause"),
    }
    size = {} if batches is None else {"size": w.expression(batches.own)}
    ending: Action = Return({"failed": told, **size})
    if strict:
        ending = Raise({"name": TOLERANCE, "message": w.expression(f"{fault}.message")})
    failed = w.step(f"{name} failed", ending)
    catches = (
        Catch(("NotMapped",), Block((again,)), w.span, missing),
        Catch(("*",), Block((failed,)), w.span, fault),
    )
    return Block((w.step(f"{name} try", Try(Block((child, done)), catches)),))


def judged(
    w: Writing,
    steps: list[Step],
    allowed: list[str],
    results: str,
    batches: Batches | None = None,
) -> Step:
    """The map, the last of `steps`, and what follows it: too many failures fail it.

    Others are in its results.
    """
    name, outcomes = w.state.name, steps[-1].id
    failed, total = w.book.namer.fresh("failed"), w.book.namer.fresh("total")
    many = f'[each for each in {outcomes} if "failed" in each]'
    numbers = {failed: w.expression(f"len({many})"), total: w.expression(f"len({outcomes})")}
    if batches is not None:
        many = many.replace("[each for", "[each.size for", 1)
        numbers = {failed: w.expression(f"sum({many})"), total: w.expression(batches.total)}
    tests = [test.format(failed=failed, total=total) for test in allowed]
    over = " and ".join([f"{failed} > 0", *(f"not ({test})" for test in tests)])
    raised = w.step(f"{name} too many", Raise({"name": TOLERANCE, "message": _TOLD}))
    shown = f'[each.output if "output" in each else each.failed for each in {outcomes}]'
    judging = (
        *steps,
        w.step(f"{name} count", Set(numbers)),
        w.step(f"{name} judge", Switch((Case(w.expression(over), Block((raised,))),))),
        w.step(f"{name} keep", Set({results: w.expression(shown)})),
    )
    return w.step(f"{name} tolerant", Switch((Case(w.expression("true"), Block(judging)),)))
