"""Definitions that hold the workflow they were compiled from."""

from __future__ import annotations

from agentflow.adapters.aws import record
from agentflow.adapters.aws.asl.model import Machine
from agentflow.adapters.aws.settings import settings
from agentflow.errors import AgentFlowError, Json
from agentflow.spec.load import loads
from agentflow.spec.model import Workflow


def recorded(machine: Machine) -> Workflow | None:
    """The workflow in a machine's comment, if the machine is still what it compiles to."""
    _, spec = record.split(machine.comment)
    if spec is None:
        return None
    from agentflow.adapters.aws.compile import definition  # needs the whole of the compiler

    try:
        loaded = loads(spec, path="the spec in the definition's Comment")
        own: Json = definition(loaded)
        targets = loaded.workflow.targets
        chosen = settings(loaded.workflow.name, targets["aws"])
    except (AgentFlowError, KeyError, TypeError):
        return None  # whoever wrote that comment, it was not this compiler
    return loaded.workflow if record.same(own, machine.definition, chosen.handler) else None
