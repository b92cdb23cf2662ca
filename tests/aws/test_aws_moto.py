"""Compiled definitions on a second, independent interpreter: moto, in process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agentflow.errors import Json
from tests.aws.cases import CASES, MESSAGES, functions, spec
from tests.aws.worlds import Outcome, World, _error, definitions, lambda_answer, local
from tests.conformance import moto_asl

CHOSEN = (
    "values keep their shape",
    "an expression fails",
    "a call fails",
    "set and set again",
    "texts with values",
    "switch",
    "a condition is no boolean",
    "fork",
    "a branch fails",
    "a winner's numbers keep their digits",
    "map over one item",
    "map with steps, index and outer names",
    "failed items are tolerated",
    "while",
    "for",
    "catch by name",
    "catch a fault of an expression",
    "catch and finally, nested",
    "raise",
    "a saga that fails",
    "states",
    "pipeline over a list",
    "listen",
    "names of functions and lambdas",
    "helper hops, lazily",
)
"""One of each kind: moto takes about a second for each, and really waits."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


class Service:
    """One service for all cases; the world behind its functions is that of the case."""

    def __init__(self) -> None:
        self.world = World({})
        self.client: Any = None

    def answer(self, payload: Json) -> Json:
        if "listen" in payload:
            listen = payload["listen"]
            moto_asl.send(self.client, listen["token"], self.world.messages[listen["name"]])
            return None
        return lambda_answer(payload, self.world)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    made = Service()
    with moto_asl.service(made.answer) as client:
        made.client = client
        yield made


@pytest.mark.parametrize("name", CHOSEN)
def test_a_step_does_the_same_on_moto(service: Service, name: str) -> None:
    text, given = CASES[name]
    loaded = spec(text)
    here = World(functions(), MESSAGES)
    service.world = World(functions(), MESSAGES)
    ours = local(loaded, given, here)
    definition = definitions(loaded)["case"]
    ended = moto_asl.run(service.client, definition, given)
    if ended.status == "SUCCEEDED":
        theirs = Outcome("succeeded", ended.output, None, service.world.calls)
    else:
        error = _error(ended.error or ended.status, ended.cause)
        theirs = Outcome("failed", None, error, service.world.calls)
    assert theirs.essence == ours.essence
    assert service.world.calls == here.calls
