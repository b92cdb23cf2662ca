"""Read the parts of states: retriers, catchers, the rules of choices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from agentflow.adapters.aws.asl import choice
from agentflow.adapters.aws.asl.errors import WILDCARD
from agentflow.adapters.aws.asl.model import Catcher, Retrier, Rule
from agentflow.adapters.aws.asl.read.values import Values
from agentflow.errors import Json
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.source import Mapping, Node, Sequence, plain

_RETRIER: Final = {
    "IntervalSeconds": ("interval_seconds", "positive"),
    "MaxAttempts": ("max_attempts", "count"),
    "MaxDelaySeconds": ("max_delay_seconds", "positive"),
}
_JOINTS: Final = ("And", "Or", "Not")
_JSONATA: Final = ("Condition", "Output")
"""Fields of rules that are not written with JSONPath."""


class Parts(Values):
    """Reads what states are made of."""

    def retriers(self, node: Node, name: str) -> tuple[Retrier, ...]:
        """The entries of `Retry`."""
        return tuple(self._retrier(item) for item in self._objects(node, name))

    def _retrier(self, node: Mapping) -> Retrier:
        allowed = (*_RETRIER, "ErrorEquals", "BackoffRate", "JitterStrategy", "Comment")
        self._known(node, "a retrier", allowed)
        outer, self.language = self.language, "JSONPath"
        given: dict[str, Any] = {
            attribute: getattr(self, kind)(found, field)
            for field, (attribute, kind) in _RETRIER.items()
            if (found := node.get(field)) is not None
        }
        if (rate := node.get("BackoffRate")) is not None:
            given["backoff_rate"] = float(self._number(rate, "BackoffRate", 1, None, whole=False))
        if (jitter := node.get("JitterStrategy")) is not None:
            given["jitter_strategy"] = self.word(jitter, "JitterStrategy", ("NONE", "FULL"))
        self.language = outer
        return Retrier(error_equals=self._errors(node), **given)

    def catchers(self, node: Node, name: str) -> tuple[Catcher, ...]:
        """The entries of `Catch`."""
        return tuple(self._catcher(item) for item in self._objects(node, name))

    def _catcher(self, node: Mapping) -> Catcher:
        own = ("Output",) if self.language == "JSONata" else ("ResultPath",)
        self._known(node, "a catcher", ("ErrorEquals", "Next", "Comment", "Assign", *own))
        return Catcher(
            error_equals=self._errors(node),
            next=self._target(node, "a catcher"),
            **self._optional(node, result_path="ResultPath", assign="Assign", output="Output"),
        )

    def _errors(self, node: Mapping) -> tuple[str, ...]:
        found = node.get("ErrorEquals")
        if found is None:
            self.error("AF121", "`ErrorEquals` is missing", node, remedy='["States.ALL"] is any')
            return ()
        if not isinstance(found, Sequence):
            self.wrong(found, "ErrorEquals", "a list of error names")
            return ()
        if not found.items:
            self.error("AF130", "`ErrorEquals` is empty", found, remedy='["States.ALL"] is any')
        names = tuple(self.text(item, "ErrorEquals") for item in found.items)
        if WILDCARD in names and len(names) > 1:
            self.error("AF129", f"`{WILDCARD}` stands alone in `ErrorEquals`", found)
        return names

    def rules(self, node: Node, name: str) -> tuple[Rule, ...]:
        """The entries of `Choices`."""
        return tuple(self._rule(item) for item in self._some(node, name))

    def _rule(self, node: Mapping) -> Rule:
        if self.language == "JSONata":
            self._known(node, "a rule", ("Condition", "Next", "Comment", "Assign", "Output"))
            condition = node.get("Condition")
            if condition is None:
                self.error("AF121", "a rule has no `Condition`", node)
            test: Json = False if condition is None else self.condition(condition, "Condition")
        else:
            self._comparison(node, top=True)
            test = plain(node)
        given = self._optional(node, assign="Assign", output="Output")
        return Rule(test, self._target(node, "a rule"), **given)

    def _comparison(self, node: Node, *, top: bool = False) -> None:
        if not isinstance(node, Mapping):
            self.error("AF122", "a comparison is an object", node)
            return
        extra = {"Next", "Assign", "Comment"} if top else {"Comment"}
        names = [name for name in node.entries if name not in extra]
        for joint in _JOINTS:
            if joint in names:
                inner = node.entries[joint].value
                for part in [inner] if joint == "Not" else self._some(inner, joint):
                    self._comparison(part)
                self._known(node, f"`{joint}`", (joint, *extra))
                return
        self._operator(node, names)

    def _operator(self, node: Mapping, names: list[str]) -> None:
        if "Variable" not in names:
            self.error("AF121", "a comparison has no `Variable`", node)
        else:
            self.path(node.entries["Variable"].value, "Variable")
        operators = [name for name in names if name in choice.OPERATORS]
        for name in names:
            if name in _JSONATA:
                message = f"`{name}` belongs to JSONata, the state uses JSONPath"
                self.error("AF129", message, node.entries[name].key)
            elif name not in choice.OPERATORS and name != "Variable":
                remedy = did_you_mean(name, choice.OPERATORS)
                message = f"there is no comparison `{name}`"
                self.error("AF126", message, node.entries[name].key, remedy=remedy)
        if len(operators) == 1:
            self._operand(operators[0], node.entries[operators[0]].value)
        elif operators or not set(names) - {"Variable"}:
            remedy = "join several with `And`" if operators else "`StringEquals`, `IsPresent`, …"
            self.error("AF129", "a comparison has one operator", node, remedy=remedy)

    def _operand(self, operator: str, node: Node) -> None:
        if operator.endswith("Path"):
            self.path(node, operator)
        elif operator.startswith(("Is", "Boolean")):
            self.boolean(node, operator)
        elif operator.startswith("Numeric"):
            self._number(node, operator, None, None, whole=False)
        elif operator.startswith("Timestamp"):
            self.timestamp(node, operator)
        else:
            self.text(node, operator)

    def _some(self, node: Node, name: str) -> list[Mapping]:
        """The objects of a list that may not be empty."""
        if isinstance(node, Sequence) and not node.items:
            self.error("AF130", f"`{name}` is empty", node)
        return self._objects(node, name)

    def _objects(self, node: Node, name: str) -> list[Mapping]:
        if not isinstance(node, Sequence):
            self.wrong(node, name, "a list of objects")
            return []
        for item in node.items:
            if not isinstance(item, Mapping):
                self.wrong(item, f"an entry of {name}", "an object")
        return [item for item in node.items if isinstance(item, Mapping)]

    def _target(self, node: Mapping, what: str) -> str:
        found = node.get("Next")
        if found is None:
            self.error("AF121", f"{what} has no `Next`", node)
            return ""
        return self.text(found, "Next")

    def _optional(self, node: Mapping, **wanted: str) -> dict[str, Any]:
        """Fields that may be there, by the attributes that they fill."""
        kinds = {"ResultPath": "result_path", "Assign": "assign"}
        return {
            attribute: getattr(self, kinds.get(field, "template"))(found, field)
            for attribute, field in wanted.items()
            if (found := node.get(field)) is not None
        }

    def _optional_text(self, node: Mapping, name: str) -> str:
        found = node.get(name)
        return "" if found is None else self.text(found, name)

    def _known(self, node: Mapping, what: str, allowed: Iterable[str]) -> None:
        names = set(allowed)
        for field, entry in node.entries.items():
            if field not in names:
                remedy = did_you_mean(field, names)
                self.error("AF120", f"{what} has no field `{field}`", entry.key, remedy=remedy)
