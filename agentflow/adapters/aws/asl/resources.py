"""What the `Resource` of a Task names: a function, an activity, or an action of a service."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

_SYMBOL = r"\$\{[^{}]*\}"
"""What a deployment puts in: `${AWS::Region}`, `${Function.Arn}`."""
_PART = rf"(?:{_SYMBOL}|[^:$]|\$(?!\{{))*"
"""What stands between the colons of an ARN; those inside a symbol are its own."""
_SERVICE = re.compile(
    rf"arn:{_PART}:states:{_PART}:{_PART}:"
    r"(aws-sdk:)?([\w-]+):(\w+)(?:\.(sync|sync:2|waitForTaskToken))?"
)
_LAMBDA = re.compile(rf"arn:{_PART}:lambda:{_PART}:{_PART}:function:(.+)")
_ACTIVITY = re.compile(rf"arn:{_PART}:states:{_PART}:{_PART}:activity:(.+)")
_WHOLE_SYMBOL = re.compile(rf"{_SYMBOL}(:.*)?")
_FIRST = re.compile(_PART)

Pattern: TypeAlias = Literal["", "sync", "sync:2", "waitForTaskToken"]
"""How a task waits: for the answer, for the end of a job, for a token to come back."""
_PATTERNS: Final[dict[str, Pattern]] = {
    "": "",
    "sync": "sync",
    "sync:2": "sync:2",
    "waitForTaskToken": "waitForTaskToken",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of work, and how the task waits for it."""

    arn: str
    kind: Literal["function", "activity", "service"]
    name: str
    """Of the function, the activity, or the service."""
    action: str = ""
    sdk: bool = False
    pattern: Pattern = ""

    @property
    def is_invoke(self) -> bool:
        """Whether it invokes a Lambda function through the optimised integration."""
        return (self.name, self.action, self.sdk) == ("lambda", "invoke", False)


def parse(arn: str) -> Resource:
    """What an ARN names; one that is not known counts as a service of its own name."""
    if found := _ACTIVITY.fullmatch(arn):
        return Resource(arn, "activity", found[1])
    if found := _SERVICE.fullmatch(arn):
        return Resource(
            arn, "service", found[2], found[3], found[1] is not None, _PATTERNS[found[4] or ""]
        )
    if found := _LAMBDA.fullmatch(arn):
        return Resource(arn, "function", found[1])
    if _WHOLE_SYMBOL.fullmatch(arn):  # most of those that name their work so name a function
        return Resource(arn, "function", arn)
    return Resource(arn, "service", arn)


def function_name(text: str) -> str:
    """The name of a Lambda function, which may be given as an ARN or the end of one."""
    return _named(text, "function:")


def machine_name(text: str) -> str:
    """The name of a state machine, which may be given as an ARN with a version or an alias."""
    return _named(text, "stateMachine:")


def _named(text: str, kind: str) -> str:
    """What follows the kind of an ARN, or the whole text, up to the next colon."""
    before, _, after = text.rpartition(kind)
    found = _FIRST.match(after if not before or before.endswith(":") else text)
    assert found is not None, "it may be empty"
    return found[0]


def refused_by_express(arn: str) -> str:
    """Why an Express workflow cannot use a resource; empty if it can."""
    resource = parse(arn)
    if resource.kind == "activity":
        return "Express workflows have no activities"
    if resource.pattern:
        return f"Express workflows do not support `.{resource.pattern}`"
    return ""
