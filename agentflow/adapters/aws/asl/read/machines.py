"""Read machines and their states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from agentflow.adapters.aws.asl import fields
from agentflow.adapters.aws.asl.model import (
    Choice,
    Fail,
    Machine,
    Map,
    Parallel,
    Pass,
    State,
    Succeed,
    Task,
    Wait,
)
from agentflow.adapters.aws.asl.read.maps import MapParts
from agentflow.adapters.aws.asl.read.sight import check_sight
from agentflow.adapters.aws.asl.resources import refused_by_express
from agentflow.adapters.aws.asl.values import is_number
from agentflow.errors import Diagnostic, Json
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.source import Mapping, Node, Scalar, Sequence, plain

_TYPES: Final[dict[str, Any]] = {
    "Task": Task,
    "Pass": Pass,
    "Choice": Choice,
    "Wait": Wait,
    "Succeed": Succeed,
    "Fail": Fail,
    "Parallel": Parallel,
    "Map": Map,
}

_NEEDED: Final = {
    "Task": ("resource",),
    "Choice": ("choices",),
    "Parallel": ("branches",),
    "Map": ("processor",),
}
"""Attributes without which there is no state."""


class MachineReader(MapParts):
    """Reads one definition; states stand in `states` by name, over all its machines."""

    def __init__(self, diagnostics: list[Diagnostic], *, express: bool) -> None:
        super().__init__(diagnostics)
        self.express = express
        self._machine_language = "JSONPath"
        self._names: dict[str, Node] = {}

    # --- machines --------------------------------------------------------------------------

    def machine(self, node: Node) -> Machine | None:
        """A whole definition."""
        machine = self._machine(node, "the definition", fields.MACHINE)
        if machine is not None:
            self.diagnostics += check_sight(machine)
        return machine

    def branches(self, node: Node, name: str) -> tuple[Machine, ...]:
        """The branches of a Parallel state."""
        if not isinstance(node, Sequence):
            self.wrong(node, name, "a list of machines")
            return ()
        if not node.items:
            self.error("AF130", "`Branches` is empty", node)
        found = (self._machine(item, "a branch", fields.BRANCH) for item in node.items)
        return tuple(machine for machine in found if machine is not None)

    def processor(self, node: Node, name: str) -> Machine | None:
        """What a Map state runs for each item."""
        return self._machine(node, f"`{name}`", fields.PROCESSOR)

    def _machine(self, node: Node, what: str, allowed: Iterable[str]) -> Machine | None:
        if not isinstance(node, Mapping):
            self.error("AF122", f"{what} is an object with StartAt and States", node)
            return None
        self._known(node, what, allowed)
        outer = self._machine_language, self.language
        if (chosen := node.get("QueryLanguage")) is not None:
            self._machine_language = self.query_language(chosen, "QueryLanguage")
        self.language = self._machine_language
        start, timeout = node.get("StartAt"), node.get("TimeoutSeconds")
        if start is None:
            self.error("AF121", f"{what} has no `StartAt`", node, remedy="name its first state")
        machine = Machine(
            start_at=self.text(start, "StartAt") if start else "",
            states=self._states(node, what),
            query_language="JSONata" if self.language == "JSONata" else "JSONPath",
            comment=self._optional_text(node, "Comment"),
            version=self._optional_text(node, "Version") or "1.0",
            timeout_seconds=self.positive(timeout, "TimeoutSeconds") if timeout else None,
            definition=plain(node),
        )
        self._machine_language, self.language = outer
        return machine

    def _states(self, node: Mapping, what: str) -> dict[str, State]:
        found = node.get("States")
        if found is None:
            self.error("AF121", f"{what} has no `States`", node)
            return {}
        if not isinstance(found, Mapping):
            self.wrong(found, "States", "an object of states by name")
            return {}
        if not found.entries:
            self.error("AF130", "`States` is empty", found)
        states: dict[str, State] = {}
        for name, entry in found.entries.items():
            self.new_state_name(entry.key, name)
            self._unique(name, entry.key)
            if (state := self._state(name, entry.key, entry.value)) is not None:
                states[name] = state
        return states

    def _unique(self, name: str, node: Node) -> None:
        first = self._names.setdefault(name, node)
        if first is not node:
            self.error(
                "AF305",
                f"there are two states called `{name}`",
                node,
                remedy=f"the first is at {first.span}; names are unique in the whole definition",
            )

    # --- states ----------------------------------------------------------------------------

    def _state(self, name: str, key: Scalar, node: Node) -> State | None:
        what = f"state `{name}`"
        if not isinstance(node, Mapping):
            self.error("AF122", f"{what} is an object", node)
            return None
        kind = self._type(node, what, key)
        self.language = self._language(node, what)
        if kind is None:
            return None
        noted = len(self.diagnostics)
        given: dict[str, Any] = {}
        for field, entry in node.entries.items():
            known = fields.STATES[kind].get(field)
            if known is None or self.language not in known.languages:
                self._misplaced(field, entry.key, kind, what)
                continue
            value = getattr(self, known.kind)(entry.value, field)
            if known.attribute:
                given[known.attribute] = value
        self._check_fields(node, kind, what, key)
        if kind == "Map":
            given |= self._mode(node, given)
        if kind == "Task":
            self._check_task(node, given)
        self._name_state(what, noted)
        if any(given.get(attribute) is None for attribute in _NEEDED.get(kind, ())):
            return None  # there is a diagnostic that says why
        state: State = _TYPES[kind](name=name, span=key.span, query_language=self.language, **given)
        return state

    def _name_state(self, what: str, noted: int) -> None:
        """Say whose the mistakes are that were noted since; those of inner states say it."""
        for at, found in enumerate(self.diagnostics[noted:], noted):
            if not found.message.startswith("state `"):
                self.diagnostics[at] = replace(found, message=f"{what}: {found.message}")

    def _type(self, node: Mapping, what: str, key: Scalar) -> str | None:
        found = node.get("Type")
        if found is None:
            self.error("AF121", f"{what} has no `Type`", key, remedy=", ".join(_TYPES))
            return None
        kind = found.value if isinstance(found, Scalar) else None
        if isinstance(kind, str) and kind in _TYPES:
            return kind
        if not isinstance(kind, str):
            self.wrong(found, "Type", "text")
        else:
            remedy = did_you_mean(kind, _TYPES) or f"one of {', '.join(_TYPES)}"
            self.error("AF126", f"there is no type of state `{kind}`", found, remedy=remedy)
        return None

    def _language(self, node: Mapping, what: str) -> str:
        chosen = node.get("QueryLanguage")
        if chosen is None:
            return self._machine_language
        language = self.query_language(chosen, "QueryLanguage")
        if language == "JSONPath" and self._machine_language == "JSONata":
            self.error(
                "AF129",
                f"{what} cannot use JSONPath in a machine that uses JSONata",
                chosen,
                remedy="leave JSONata to single states: set `QueryLanguage` on them only",
            )
        return language

    def _misplaced(self, field: str, key: Scalar, kind: str, what: str) -> None:
        here = fields.STATES[kind]
        if field in here:
            other = next(iter(here[field].languages))
            self.error(
                "AF129",
                f"{what}: `{field}` belongs to {other}, the state uses {self.language}",
                key,
                remedy=_TRANSLATIONS.get(field, ""),
            )
            return
        allowed = [name for name, known in here.items() if self.language in known.languages]
        remedy = did_you_mean(field, allowed)
        self.error("AF120", f"{what}: a {kind} state has no field `{field}`", key, remedy=remedy)

    def _check_fields(self, node: Mapping, kind: str, what: str, key: Scalar) -> None:
        for group in fields.REQUIRED.get(kind, ()):
            if not any(name in node.entries for name in group):
                shown = " or ".join(f"`{name}`" for name in group)
                self.error("AF121", f"{what} has no {shown}", key)
        pairs = [*fields.EXCLUSIVE, *(g for g in fields.REQUIRED.get(kind, ()) if len(g) > 1)]
        for group in pairs:
            both = [name for name in group if name in node.entries]
            if len(both) > 1 and not self._is_false(node.get("End"), group):
                self.error(
                    "AF129",
                    f"{what} has both `{both[0]}` and `{both[1]}`",
                    node.entries[both[1]].key,
                    remedy="keep one of the two",
                )
        if "Next" in fields.STATES[kind] and not {"Next", "End"} & node.entries.keys():
            self.error(
                "AF121",
                f"{what} has neither `Next` nor `End`",
                key,
                remedy="name the state that follows, or say `End`",
            )

    @staticmethod
    def _is_false(end: Node | None, group: tuple[str, ...]) -> bool:
        """Whether the pair is `Next` beside `"End": false`, which says nothing."""
        return "End" in group and isinstance(end, Scalar) and end.value is False

    def _check_task(self, node: Mapping, given: dict[str, Any]) -> None:
        timeout: Json = given.get("timeout_seconds")
        heartbeat: Json = given.get("heartbeat_seconds")
        if is_number(timeout) and is_number(heartbeat) and float(heartbeat) >= float(timeout):
            self.error(
                "AF126",
                "`HeartbeatSeconds` is less than `TimeoutSeconds`",
                node.entries["HeartbeatSeconds"].value,
            )
        if "resource" not in given:
            return
        entry, resource = node.entries["Resource"].value, str(given["resource"])
        if not resource:
            self.error("AF130", "`Resource` is empty", entry)
        if self.express and (reason := refused_by_express(resource)):
            self.error("AF129", reason, entry, remedy="make it a Standard workflow")


_TRANSLATIONS: Final = {
    "Parameters": "write `Arguments`",
    "ResultSelector": "select from `$states.result` in `Output`",
    "ResultPath": 'write `Output`, for instance `{% $merge([$states.input, {"x": …}]) %}`',
    "InputPath": "write `$states.input.…` where it is needed",
    "OutputPath": "write `Output`",
    "ItemsPath": "write `Items`",
    "Arguments": "write `Parameters`, or set `QueryLanguage` to JSONata",
    "Output": "write `OutputPath`, or set `QueryLanguage` to JSONata",
    "Items": "write `ItemsPath`, or set `QueryLanguage` to JSONata",
    "Result": "write `Output`",
}
