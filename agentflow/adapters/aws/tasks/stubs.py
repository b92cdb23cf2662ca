"""Answers of Task states from a file, for running a state machine without its services.

Charge:                                   # a state, a function, an ARN, or `service:action`
  - {error: {name: CardDeclined, cause: no funds}}
  - {return: {receipt: 7}, delay: 2s}     # a list is used up, one answer a call
dynamodb:putItem: {return: {}}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentflow.adapters.aws.asl.simulate.handlers import Later, TaskCall, TaskError
from agentflow.adapters.aws.tasks import Work
from agentflow.errors import Diagnostic, Json, SpecError
from agentflow.functions.durations import parse_duration
from agentflow.spec.diagnostics import did_you_mean, in_order
from agentflow.spec.read import decode, read
from agentflow.spec.source import Mapping, Node, Scalar, Sequence, plain
from agentflow.spec.tree import Unreadable

_FIELDS: Final = ("return", "error", "delay")
_ERROR_FIELDS: Final = ("name", "cause")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call gets."""

    value: Json = None
    error: str | None = None
    cause: str | None = None
    seconds: float = 0.0
    """Until it comes."""


@dataclass(slots=True)
class Stub:
    """The answers of one task; several are used up one by one."""

    answers: tuple[Answer, ...]
    counted: bool = False
    used: int = 0

    def next(self, name: str) -> Answer:
        """The answer of the next call.

        Raises:
            TaskError: there is none left.
        """
        if not self.counted:
            return self.answers[0]
        self.used += 1
        if self.used > len(self.answers):
            raise TaskError(
                "Stub.Exhausted",
                f"the stub `{name}` has {len(self.answers)} answers, this is call {self.used}",
            )
        return self.answers[self.used - 1]


class Stubs:
    """The stubs of a file by their names."""

    def __init__(self, stubs: dict[str, Stub]) -> None:
        self._stubs = stubs

    @classmethod
    def load(cls, file: str) -> Stubs:
        """Read a file, YAML or JSON.

        Raises:
            SpecError: with every mistake and its place.
        """
        mistakes: list[Diagnostic] = []
        text = ""
        stubs: dict[str, Stub] = {}
        try:
            text = decode(Path(file), file)
            if text.removeprefix("\ufeff").strip():
                stubs = _Reader(mistakes).stubs(read(text, file, mistakes))
        except Unreadable as stop:
            mistakes.append(stop.diagnostic)
        if mistakes:
            raise SpecError(in_order(mistakes), source=text)
        return cls(stubs)

    def find(self, call: TaskCall) -> Work | None:
        """What answers a call: by the state, the function, the ARN, or `service:action`."""
        resource = call.resource
        names = (call.state, call.function, resource.arn, f"{resource.name}:{resource.action}")
        for name in names:
            if name is not None and name in self._stubs:
                return lambda: _give(self._stubs[name].next(name), call)
        return None


def _give(answer: Answer, call: TaskCall) -> Json:
    if call.callback is not None and answer.error is None:
        call.callback.succeed(answer.value, after=answer.seconds)
        return None
    if call.callback is not None:
        call.callback.fail(str(answer.error), answer.cause, after=answer.seconds)
        return None
    if answer.error is not None:
        raise TaskError(answer.error, answer.cause, after=answer.seconds)
    return Later(answer.value, answer.seconds) if answer.seconds else answer.value


class _Reader:
    """Reads stubs and collects mistakes."""

    def __init__(self, mistakes: list[Diagnostic]) -> None:
        self._mistakes = mistakes

    def stubs(self, node: Node) -> dict[str, Stub]:
        if not isinstance(node, Mapping):
            self._error(node, "stubs are an object", "write `Name: {return: …}`")
            return {}
        return {name: self._stub(entry.value) for name, entry in node.entries.items()}

    def _stub(self, node: Node) -> Stub:
        if not isinstance(node, Sequence):
            return Stub((self._answer(node),))
        if not node.items:
            self._error(node, "a list of answers has at least one", "write `- {return: …}`")
        return Stub(tuple(map(self._answer, node.items)), counted=True)

    def _answer(self, node: Node) -> Answer:
        if not isinstance(node, Mapping):
            self._error(node, "an answer is an object", "write `{return: …}` or `{error: {…}}`")
            return Answer()
        self._known(node, _FIELDS)
        both = {"return", "error"} & node.entries.keys()
        if len(both) != 1:
            if both or not node.entries.keys() - set(_FIELDS):
                remedy = "keep one of the two" if both else "write `{return: …}` or `{error: {…}}`"
                self._error(node, "an answer has `return` or `error`", remedy)
            return Answer()
        seconds = self._seconds(node.get("delay"))
        if (value := node.get("return")) is not None:
            return Answer(plain(value), seconds=seconds)
        name, cause = self._failure(node.entries["error"].value)
        return Answer(error=name, cause=cause, seconds=seconds)

    def _failure(self, node: Node) -> tuple[str, str | None]:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value, None
        if not isinstance(node, Mapping) or node.get("name") is None:
            self._error(node, "an error has a name", "write `error: {name: …, cause: …}`")
            return "", None
        self._known(node, _ERROR_FIELDS)
        name, cause = plain(node.entries["name"].value), node.get("cause")
        told = None if cause is None else plain(cause)
        return str(name), told if told is None or isinstance(told, str) else str(told)

    def _seconds(self, node: Node | None) -> float:
        if node is None:
            return 0.0
        value = plain(node)
        found = parse_duration(value) if isinstance(value, str) else value
        if isinstance(found, bool) or not isinstance(found, int | float) or found < 0:
            self._error(node, "a delay is a duration", "write seconds, or `90s`, `5m`")
            return 0.0
        return float(found)

    def _known(self, node: Mapping, fields: tuple[str, ...]) -> None:
        for name, entry in node.entries.items():
            if name not in fields:
                near = did_you_mean(name, fields) or f"the fields are: {', '.join(fields)}"
                self._error(entry.key, f"unknown field `{name}`", near)

    def _error(self, node: Node, message: str, remedy: str) -> None:
        self._mistakes.append(Diagnostic("AF120", message, node.span, help=remedy))
