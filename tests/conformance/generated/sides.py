"""A generated workflow here, on the machine, and elsewhere; and what differs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from agentflow.adapters.aws import trial
from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.causes import error_of
from agentflow.adapters.aws.compile import definition
from agentflow.adapters.aws.imports import import_machine
from agentflow.adapters.refusals import CannotExpress
from agentflow.adapters.target import Options
from agentflow.errors import Fault, Json, SpecError
from agentflow.functions.context import Context
from agentflow.functions.invoke import invoke
from agentflow.runtime import virtual
from agentflow.spec.load import Loaded, loads
from agentflow.spec.write import to_yaml
from tests.conformance.aws import Sfnx
from tests.conformance.cases import PROJECT, Run
from tests.conformance.generated.maker import MODULE, Made
from tests.conformance.outcomes import Outcome, Refused, canonical, shown

EPOCH: Final = 1_700_000_000.0
ENGINE_ERRORS: Final = frozenset(
    (
        "Timeout", "Cancelled", "InvalidInput", "InvalidOutput", "TypeMismatch", "MissingKey",
        "IndexOutOfRange", "DivisionByZero", "NumberOutOfRange", "LoopLimit", "TooManyFailures",
        "FunctionNotFound", "LimitExceeded", "PayloadTooLarge", "InvalidValue",
    )
)  # fmt: skip
"""Errors whose words are each engine's own."""
_ERROR: Final = frozenset(("name", "message", "data", "cause"))


@dataclass
class Side:
    """How an execution ended, and the calls that it made."""

    status: str = ""
    output: Json = None
    error: Json = None
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Function and arguments, in order."""

    def call(self, function: str, arguments: Json, context: Context) -> Json:
        """Call a function as workers do."""
        self.calls.append((function, canonical(_wordless(arguments))))
        outcome = invoke(function, str(PROJECT), arguments, context)
        if outcome.error is not None:
            told = outcome.error
            raise Fault(told["name"], told["message"], data=told["data"], cause=told["cause"])
        return json.loads(outcome.value or b"null")

    def ended(self, outcome: virtual.Outcome | trial.Outcome) -> Side:
        """This side, at its end."""
        self.status, self.output, self.error = outcome.status, outcome.output, outcome.error
        return self

    @property
    def essence(self) -> Json:
        """What has to be the same beside the calls."""
        error = self.error and {**self.error, "cause": None}
        return _wordless([self.status, self.output, error])


def _wordless(value: Json) -> Json:
    """A value in which errors of the engine have no message."""
    if isinstance(value, list):
        return [_wordless(each) for each in value]
    if not isinstance(value, dict):
        return value
    is_own = value.keys() == _ERROR and value["name"] in ENGINE_ERRORS
    return {k: "" if is_own and k == "message" else _wordless(v) for k, v in value.items()}


# --- where it runs --------------------------------------------------------------------------------


def here(loaded: Loaded, made: Made) -> Side:
    """The workflow on the machine, in virtual time."""
    side = Side()
    world = virtual.World(side.call, made.messages, EPOCH)
    return side.ended(virtual.run(loaded, made.input, world))


def compiled(loaded: Loaded, made: Made, **service: Json) -> Side:
    """The workflow compiled, on the simulator."""
    side = Side()
    outcome = trial.run(
        loaded,
        made.input,
        side.call,
        made.messages,
        options=Options(service),
        execution="execution",
        started_at=EPOCH,
    )
    return side.ended(outcome)


def distributed(loaded: Loaded, made: Made) -> Side:
    """The same, with maps that run as child executions."""
    return compiled(loaded, made, distributed=True)


def imported(loaded: Loaded, made: Made) -> Side:
    """The compiled definition imported again, on the machine."""
    again = import_machine(read(definition(loaded)), loaded.workflow.name)
    side = here(loads(to_yaml(again.workflow), root=PROJECT, functions=False), made)
    if side.error is not None and side.error["data"] is None:
        # One that came out of a Fail is as the state machine tells it.
        side.error = error_of(side.error["name"], side.error["message"])
    return side


def on_sfnx(loaded: Loaded, made: Made) -> Side | Refused:
    """The compiled definition on an independent interpreter, in which no time passes."""
    run = Run("", made.input, Outcome("succeeded"), made.messages)
    outcome = Sfnx().run(loaded, run)
    if isinstance(outcome, Refused):
        return outcome
    error = None
    if outcome.error is not None:
        error = {"name": outcome.error, "message": outcome.message, "data": outcome.data}
        error["cause"] = None
    calls = [
        (function, canonical(_wordless(json.loads(given))))
        for function, given in outcome.calls.elements()
    ]
    return Side(outcome.status, outcome.output, error, calls)


Elsewhere: TypeAlias = Callable[[Loaded, Made], Side | Refused]
ELSEWHERE: Final[dict[str, Elsewhere]] = {
    "aws": compiled,
    "distributed": distributed,
    "import": imported,
    "sfnx": on_sfnx,
}
"""What the machine is compared with."""


# --- what differs ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a workflow came to: invalid, refused, left out, equal, differs or broken."""

    kind: str
    details: tuple[str, ...] = ()


def judge(made: Made, against: str = "aws") -> Verdict:
    """Run a workflow on both sides and compare."""
    try:
        loaded = made.loaded()
    except SpecError as error:
        return Verdict("invalid", tuple(each.message for each in error.diagnostics))
    if against in ("sfnx", "import") and (made.is_timed or made.children):
        return Verdict("left out")
    ours = here(loaded, made)
    try:
        theirs = ELSEWHERE[against](loaded, made)
    except (CannotExpress, SpecError) as refusal:
        return Verdict("refused", tuple(each.message for each in refusal.diagnostics))
    except Exception as error:  # what breaks is shown like what differs
        return Verdict("broken", (f"{type(error).__name__}: {error}",))
    if isinstance(theirs, Refused):
        return Verdict("refused", (theirs.reason,))
    if theirs.error is not None and theirs.error["name"] == "NotMapped":
        return Verdict("left out")  # what only AWS does fails elsewhere
    found = tuple(_differences(made, ours, theirs, against))
    return Verdict("differs" if found else "equal", found)


def _differences(made: Made, ours: Side, theirs: Side, against: str) -> Iterator[str]:
    if canonical(ours.essence) != canonical(theirs.essence):
        yield f"{shown(ours.essence)} became {shown(theirs.essence)}"
    here_, there = _compared(made, ours), _compared(made, theirs)
    missing, more = Counter(here_) - Counter(there), Counter(there) - Counter(here_)
    if against == "distributed":
        more.clear()  # the service ends no item early, so that a map that fails may call more
    is_ordered = made.is_ordered and against != "sfnx"  # which counts calls
    if is_ordered and here_ != there and not missing and not more:
        yield f"the order of calls: {here_} became {there}"
    for word, calls in (("missing", missing), ("too many", more)):
        yield from (f"{word}: {number} of {call}" for call, number in calls.items())


def _compared(made: Made, side: Side) -> list[tuple[str, str]]:
    """The calls of the author's functions that are not left to chance."""
    own = [call for call in side.calls if call[0].startswith(f"{MODULE}.")]
    return [call for call in own if json.loads(call[1])["at"] not in made.loose]
