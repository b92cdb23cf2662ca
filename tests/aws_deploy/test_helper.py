"""The helper in a bundle: what a cloud's language cannot compute."""

from __future__ import annotations

import pytest

from agentflow.errors import Json
from agentflow.functions.hosts.aws_lambda import Handler
from tests.aws_deploy.invocations import OURS, Invocation


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        pytest.param(
            {"evaluate": {"v1": "${ a.b + 1 }", "v2": "so ${ a }"}, "names": {"a": {"b": 2}}},
            {"v1": 3, "v2": 'so {"b":2}'},
            id="expressions",
        ),
        pytest.param({"check": {"n": 1}, "schema": {"required": ["n"]}}, {"n": 1}, id="an input"),
    ],
)
def test_the_helper_answers_what_is_no_call(handler: Handler, payload: Json, answer: Json) -> None:
    assert handler(payload, Invocation()) == answer


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ({"evaluate": {"v1": "${ a.b }"}, "names": {"a": {}}}, "MissingKey"),
        ({"check": {}, "schema": {"required": ["n"]}}, "InvalidInput"),
    ],
)
def test_faults_of_the_helper_have_their_names(handler: Handler, payload: Json, name: str) -> None:
    with pytest.raises(Exception, match=OURS) as raised:
        handler(payload, Invocation())
    assert type(raised.value).__name__ == name


def test_chance_is_the_same_when_a_step_asks_again(handler: Handler) -> None:
    payload = {"evaluate": {"v1": "${ uuid() }"}, "names": {}, "execution": "e", "step": "s"}
    assert handler(payload, Invocation()) == handler(payload, Invocation())
