"""Errors as who calls from Python sees them."""

from __future__ import annotations

import pickle
import traceback

import pytest

from agentflow.errors import AgentFlowError, Conflict, ExecutionFailed, UsageError, fault_value


def told(error: AgentFlowError) -> str:
    return "".join(traceback.format_exception_only(error)).partition(": ")[2]


@pytest.mark.parametrize("kind", [AgentFlowError, Conflict, UsageError])
def test_a_traceback_ends_with_what_to_do(kind: type[AgentFlowError]) -> None:
    assert told(kind("it is taken", help="choose another")) == "it is taken\nhelp: choose another\n"
    assert told(kind("it is taken")) == "it is taken\n"


def test_help_that_is_found_later_takes_the_place_of_what_was_there() -> None:
    error = ExecutionFailed("e1", fault_value("Oops", "no luck"))
    error.add_note("seen on a Thursday")
    for words in ("try", "try again"):
        error.help = words
        assert error.help == words
    assert told(error) == "Oops: no luck\nhelp: try again\nseen on a Thursday\n"
    error.help = ""
    assert told(error) == "Oops: no luck\nseen on a Thursday\n"


def test_help_travels_with_its_error() -> None:
    error = pickle.loads(pickle.dumps(UsageError("wrong", help="do this")))
    assert (error.help, told(error)) == ("do this", "wrong\nhelp: do this\n")
