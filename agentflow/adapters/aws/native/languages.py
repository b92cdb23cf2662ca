"""Machines of two query languages."""

from __future__ import annotations

from collections.abc import Iterator

from agentflow.adapters.aws.graph import State

JSONPATH = "JSONPath"
JSONATA = "JSONata"


def mixed(machine: State) -> State:
    """A definition that says for each state which language it is in, where that is needed.

    A state of a JSONPath machine can be JSONata, but no state of a JSONata machine JSONPath.
    """
    states = list(_states(machine))
    if all("QueryLanguage" not in state for state in states):
        return machine
    for state in states:
        state.setdefault("QueryLanguage", JSONATA)
    return {**machine, "QueryLanguage": JSONPATH}


def _states(machine: State) -> Iterator[State]:
    for state in machine["States"].values():
        yield state
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor")):
            if inner is not None:
                yield from _states(inner)
