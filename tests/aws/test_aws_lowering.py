"""Lowering changes no outcome: every case, lowered, runs on the machine as it was."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import get_args

import pytest

from agentflow.adapters.aws.capabilities import CAPABILITIES, WRITERS
from agentflow.adapters.lowering import PASSES, lower
from agentflow.adapters.target import TARGETS, Capabilities, Capability, Feature, Support, find
from agentflow.errors import UsageError
from agentflow.spec import model
from agentflow.spec.expressions import LIBRARY
from agentflow.spec.load import Loaded
from tests.aws.cases import CASES, MESSAGES, functions, spec
from tests.aws.worlds import World, local

EVERYTHING = Capabilities(
    steps=dict.fromkeys(get_args(model.Action), Capability(Support.LOWERED, "")),
    features=dict.fromkeys(get_args(Feature), Capability(Support.LOWERED, "")),
    functions={},
)


def compare(loaded: Loaded, lowered: model.Workflow, given: object) -> None:
    here, there = World(functions(), MESSAGES), World(functions(), MESSAGES)
    ours = local(loaded, given, here)
    theirs = local(replace(loaded, workflow=lowered), given, there)
    assert theirs.essence == ours.essence
    assert there.calls == here.calls


@pytest.mark.parametrize("name", CASES)
def test_lowering_changes_no_outcome(name: str) -> None:
    text, given = CASES[name]
    loaded = spec(text)
    compare(loaded, lower(loaded.workflow, EVERYTHING), given)


@pytest.mark.parametrize("each", PASSES, ids=lambda each: each.rewrite.__name__)
def test_each_pass_alone_changes_no_outcome(each: object) -> None:
    for text, given in CASES.values():
        loaded = spec(text)
        lowered = each.rewrite(loaded.workflow)  # type: ignore[attr-defined]  # a Pass
        if lowered != loaded.workflow:
            compare(loaded, lowered, given)


def test_a_pass_leaves_what_it_does_not_concern() -> None:
    plain = spec("- {id: a, call: f.echo}").workflow
    assert lower(plain, EVERYTHING) == plain


# --- undefined is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_every_step_feature_and_function_is_defined_for_a_target(target: str) -> None:
    capabilities = find(target).capabilities
    assert capabilities.steps.keys() == set(get_args(model.Action))
    assert capabilities.features.keys() == set(get_args(Feature))
    assert capabilities.functions.keys() == {
        entry.name if entry.receiver is None else f"{entry.receiver}.{entry.name}"
        for entry in LIBRARY
    }
    for table in (capabilities.steps, capabilities.features, capabilities.functions):
        assert all(each.how for each in table.values())


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_target_calls_lowered_has_a_pass(target: str) -> None:
    capabilities = find(target).capabilities
    everything = [*capabilities.steps, *capabilities.features]
    replaced = {each.replaces for each in PASSES}
    assert {each for each in everything if capabilities.lowers(each)} <= replaced


def test_a_step_has_a_writer_exactly_where_it_is_native() -> None:
    for kind, capability in CAPABILITIES.steps.items():
        assert (kind in WRITERS) == (capability.support is Support.NATIVE)


FIELDS: dict[type, str] = {
    model.Step: "id action span when timeout retry catch description",
    model.Call: "function arguments span resources compensate at_most_once key",
    model.Compensation: "function arguments span retry timeout key",
    model.Set: "names",
    model.Switch: "cases otherwise",
    model.Fork: "branches join",
    model.Map: "items body bind index concurrency batch tolerate reduce",
    model.Reduce: "function arguments span arity retry timeout key",
    model.Loop: "do condition until items bind index max",
    model.Try: "do catch final",
    model.Catch: "on do span bind",
    model.Saga: "do",
    model.Pipeline: "source stages bind buffer reduce",
    model.Stage: "id body span concurrency retry timeout",
    model.States: "start states max",
    model.Wait: "until",
    model.Listen: "name correlation form prompt",
    model.Emit: "type data source subject",
    model.Run: "workflow input span",
    model.Raise: "error",
    model.Return: "value",
    model.Retry: "on max_attempts interval backoff max_interval jitter",
}


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_no_field_of_the_model_is_new(kind: type) -> None:
    """A new field is ignored by every compiler until somebody teaches them: then add it here."""
    assert [each.name for each in fields(kind)] == FIELDS[kind].split()


def test_there_is_no_other_target() -> None:
    with pytest.raises(UsageError, match="there is no target `mars`"):
        find("mars")
