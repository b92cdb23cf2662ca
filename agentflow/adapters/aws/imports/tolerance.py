"""Failed items that a distributed map tolerates: counted, and described in its result.

Here a tolerated item gives null; there it gives what its execution failed with. So each item
tells how it ended, and a step after the map counts.
"""

from __future__ import annotations

from agentflow.adapters.aws.asl.errors import RUNTIME, TOLERANCE
from agentflow.adapters.aws.asl.model import Map, Setting
from agentflow.adapters.aws.asl.values import Absent
from agentflow.adapters.aws.imports import faults
from agentflow.adapters.aws.imports.expressions import Sight
from agentflow.adapters.aws.imports.writing import Writing
from agentflow.spec.model import Block, Case, Catch, Fork, Raise, Return, Set, Step, Switch, Try

_TOLD = "The specified tolerated failure threshold was exceeded"


def unlimited(state: Map) -> bool:
    """Whether a map says nothing of failures: the first one is too many."""
    return all(_is_none(each) for each in (state.tolerated_count, state.tolerated_percentage))


def _is_none(setting: Setting) -> bool:
    return isinstance(setting, Absent) or setting == 0


def tolerated(w: Writing, state: Map, sight: Sight) -> list[str]:
    """Sources with places for `failed` and `total`, of which one has to hold for both.

    A map that is not distributed checks the values and tolerates nothing.
    """
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
            tests.append(f"{most} > 0 and {test.format(most)}")
    return tests if state.distributed else []


def counted(w: Writing, body: Block) -> Block:
    """An item that tells how it ended: `{output}`, or `{failed}`."""
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
    failed = w.step(f"{name} failed", Return({"failed": told}))
    catches = (
        Catch(("NotMapped",), Block((again,)), w.span, missing),
        Catch(("*",), Block((failed,)), w.span, fault),
    )
    return Block((w.step(f"{name} try", Try(Block((child, done)), catches)),))


def judged(w: Writing, steps: list[Step], allowed: list[str], results: str) -> Step:
    """The map, the last of `steps`, and what follows it: too many failures fail it.

    Others are in its results.
    """
    name, outcomes = w.state.name, steps[-1].id
    failed, total = w.book.namer.fresh("failed"), w.book.namer.fresh("total")
    numbers = {
        failed: w.expression(f'len([each for each in {outcomes} if "failed" in each])'),
        total: w.expression(f"len({outcomes})"),
    }
    tests = [test.format(failed=failed, total=total) for test in allowed]
    many = " and ".join([f"{failed} > 0", *(f"not ({test})" for test in tests)])
    raised = w.step(f"{name} too many", Raise({"name": TOLERANCE, "message": _TOLD}))
    shown = f'[each.output if "output" in each else each.failed for each in {outcomes}]'
    judging = (
        *steps,
        w.step(f"{name} count", Set(numbers)),
        w.step(f"{name} judge", Switch((Case(w.expression(many), Block((raised,))),))),
        w.step(f"{name} keep", Set({results: w.expression(shown)})),
    )
    return w.step(f"{name} tolerant", Switch((Case(w.expression("true"), Block(judging)),)))
