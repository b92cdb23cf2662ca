"""Tells calls of `foreign` from calls of functions."""

from __future__ import annotations

from agentflow.adapters.aws import calls
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.spec.model import Call, Step


def write_call(w: Writer, step: Step, names: Names, after: After) -> None:
    """A call: states of the service's own for `foreign`, else an invocation."""
    assert isinstance(step.action, Call)
    if step.action.function.startswith(calls.FOREIGN):
        # It needs an evaluator of JSONata, which other workflows are compiled without.
        from agentflow.adapters.aws.native.writing import write_native

        write_native(w, step, names, after)
    else:
        calls.write_call(w, step, names, after)
