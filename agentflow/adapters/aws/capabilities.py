"""What AWS Step Functions can do, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentflow.adapters.aws import library
from agentflow.adapters.aws.assignments import write_set
from agentflow.adapters.aws.control import (
    write_loop,
    write_raise,
    write_return,
    write_states,
    write_switch,
)
from agentflow.adapters.aws.forks import write_fork
from agentflow.adapters.aws.handling import write_saga, write_try
from agentflow.adapters.aws.maps import write_map
from agentflow.adapters.aws.native import write_call
from agentflow.adapters.aws.results import StoredMap
from agentflow.adapters.aws.waits import write_emit, write_listen, write_run, write_wait
from agentflow.adapters.aws.writer import WriteStep
from agentflow.adapters.lowering.steps import Attempts
from agentflow.adapters.target import Capabilities, Capability, Support
from agentflow.spec import model

WRITERS: Mapping[type[Any], WriteStep] = {
    model.Call: write_call,
    model.Set: write_set,
    model.Switch: write_switch,
    model.Fork: write_fork,
    model.Map: write_map,
    StoredMap: write_map,
    model.Loop: write_loop,
    Attempts: write_loop,
    model.Try: write_try,
    model.Saga: write_saga,
    model.States: write_states,
    model.Wait: write_wait,
    model.Listen: write_listen,
    model.Emit: write_emit,
    model.Run: write_run,
    model.Raise: write_raise,
    model.Return: write_return,
}
"""What prints each kind of step; those that are lowered are not here."""


def _native(how: str) -> Capability:
    return Capability(Support.NATIVE, how)


def _lowered(how: str) -> Capability:
    return Capability(Support.LOWERED, how)


def _function(writing: library.Writing) -> Capability:
    if isinstance(writing, library.Helper):
        return Capability(Support.HELPER, writing.reason)
    return _native("JSONata")


CAPABILITIES = Capabilities(
    steps={
        model.Call: _native("Lambda invoke"),
        model.Set: _native("Pass with Assign"),
        model.Switch: _native("Choice"),
        model.Fork: _native("Parallel; early end by an error that carries the winner"),
        model.Map: _native("Map, inline or distributed; batches and S3 by option"),
        model.Loop: _native("Choice and a transition back"),
        model.Try: _native("Catch, within one scope"),
        model.Saga: _native("Catch and a chain of compensations"),
        model.Pipeline: _lowered("Map whose items go through all stages"),
        model.States: _native("states and Choices"),
        model.Wait: _native("Wait, in whole seconds"),
        model.Listen: _native("Lambda with a task token"),
        model.Emit: _native("EventBridge putEvents"),
        model.Run: _native("startExecution.sync:2"),
        model.Raise: _native("Fail"),
        model.Return: _native("Pass with End"),
    },
    features={
        "condition": _lowered("a switch with one case"),
        "handlers": _lowered("a try around the step"),
        "attempts": _lowered("a loop around a try"),
        "reduce": _lowered("maps over groups, and a last call"),
        "tolerance": _native("items that end with their error, counted after the Map"),
        "recorded arguments": _native("evaluated once, before the first attempt"),
        "block timeout": _lowered("a child execution with a time limit"),
    },
    functions={name: _function(writing) for name, writing in library.LIBRARY.items()},
)
