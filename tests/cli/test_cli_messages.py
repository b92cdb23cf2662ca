"""`signal` and `approve`: what reaches an execution, and what is refused."""

from __future__ import annotations

import time

import pytest

from agentflow import Engine

from .conftest import PATIENCE, Command


@pytest.fixture
def waiting(agentflow: Command) -> Command:
    """An execution `w1` that a process of its own carries, waiting for approval."""
    agentflow("run", "specs/waiting.yaml", "--id", "w1", "--detach", "--quiet")
    until(agentflow, "agentflow approve w1 review")
    return agentflow


def until(agentflow: Command, words: str) -> str:
    """Look at `w1` until `show` says something."""
    limit = time.monotonic() + PATIENCE
    while words not in (shown := agentflow("show", "w1").out):
        assert time.monotonic() < limit, shown
        time.sleep(0.05)
    return shown


@pytest.mark.slow
def test_messages_carry_an_execution_to_its_end(waiting):
    assert "waits for approval" in waiting("show", "w1").out
    for data, problem in [
        ('{"ok": 1}', "$.ok: 1 is not of type 'boolean'"),
        ("{}", "$: 'ok' is a required property"),
        ('{"ok": true, "no": 1}', "'no' was unexpected"),
    ]:
        refused = waiting("approve", "w1", "review", "--data", data)
        assert (refused.code, problem in refused.err) == (3, True)
    mistyped = waiting("approve", "w1", "revew", "--data", "{}", "--json")
    assert (mistyped.code, mistyped.json["error"]["help"]) == (5, "did you mean `review`?")
    assert waiting("approve", "w1", "paid").code == 5, "a listen is no approval"

    sent = waiting("approve", "w1", "review", "--data", '{"ok": true}', "--json")
    assert (sent.code, sent.json["awaited"]) == (0, True)
    until(waiting, "agentflow signal w1 payment")
    sent = waiting("signal", "w1", "payment", "--data", "7")
    assert (sent.code, sent.out) == (0, "")
    assert sent.err == "Sent `payment` to w1.\n"
    until(waiting, "Succeeded")
    assert waiting("show", "w1", "--json").json["output"] == {"ok": True, "paid": 7}
    for verb in ("signal", "approve"):
        late = waiting(verb, "w1", "review")
        assert (late.code, "has already succeeded" in late.err) == (5, True)


def test_a_listen_is_not_offered_to_who_approves(agentflow, project):
    spec = project / "specs" / "go.yaml"
    spec.write_text("workflow: go\ndo:\n  - {id: go, listen: go}\n")
    with Engine(executor="inline", root=project) as engine:
        engine.start(spec, id="g1")
        refused = agentflow("approve", "g1", "nope", "--json")
    assert (refused.code, refused.json["error"]["help"]) == (5, "agentflow show g1")


@pytest.mark.slow
def test_a_message_that_comes_early_is_kept(waiting):
    early = waiting("signal", "w1", "payment", "--data", "9")
    assert "no step waits for it yet, it is kept until one does" in early.err
    waiting("approve", "w1", "review", "--data", '{"ok": false}')
    until(waiting, "Succeeded")
    assert waiting("show", "w1", "--json").json["output"] == {"ok": False, "paid": 9}
