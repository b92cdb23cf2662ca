"""Read machines and their states."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from agentflow.adapters.aws.asl import choice, fields
from agentflow.adapters.aws.asl.model import (
    Catcher,
    Choice,
    Fail,
    ItemBatcher,
    ItemReader,
    Machine,
    Map,
    Parallel,
    Pass,
    ResultWriter,
    Retrier,
    Rule,
    State,
    Succeed,
    Task,
    Wait,
)
from agentflow.adapters.aws.asl.read.values import Values
from agentflow.adapters.aws.asl.resources import refused_by_express
from agentflow.adapters.aws.asl.values import ABSENT
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
_RETRIER: Final = {
    "IntervalSeconds": ("interval_seconds", "positive"),
    "MaxAttempts": ("max_attempts", "count"),
    "MaxDelaySeconds": ("max_delay_seconds", "positive"),
}
_JOINTS: Final = ("And", "Or", "Not")


class MachineReader(Values):
    """Reads one definition; states stand in `states` by name, over all its machines."""

    def __init__(self, diagnostics: list[Diagnostic], *, express: bool) -> None:
        super().__init__(diagnostics)
        self.express = express
        self._machine_language = "JSONPath"
        self._names: dict[str, Node] = {}

    # --- machines --------------------------------------------------------------------------

    def machine(self, node: Node) -> Machine | None:
        """A whole definition."""
        return self._machine(node, "the definition", fields.MACHINE)

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
        given: dict[str, Any] = {}
        for field, entry in node.entries.items():
            known = fields.STATES[kind].get(field)
            if known is None or self.language not in known.languages:
                self._misplaced(field, entry.key, kind, what)
                continue
            value = getattr(self, known.kind)(entry.value, field)
            if known.attribute:
                given[known.attribute] = value
        complete = self._complete(node, kind, what, key)
        if kind == "Map":
            given |= self._mode(node, given)
        if kind == "Task" and "resource" in given:
            self._check_resource(node, str(given["resource"]))
        if not complete or given.get("processor", "") is None:
            return None
        state: State = _TYPES[kind](name=name, span=key.span, query_language=self.language, **given)
        return state

    def _type(self, node: Mapping, what: str, key: Scalar) -> str | None:
        found = node.get("Type")
        if found is None:
            self.error("AF121", f"{what} has no `Type`", key, remedy=", ".join(_TYPES))
            return None
        kind = self.text(found, "Type")
        if kind and kind not in _TYPES:
            remedy = did_you_mean(kind, _TYPES) or f"one of {', '.join(_TYPES)}"
            self.error("AF126", f"there is no type of state `{kind}`", found, remedy=remedy)
        return kind if kind in _TYPES else None

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

    def _complete(self, node: Mapping, kind: str, what: str, key: Scalar) -> bool:
        missing = False
        for group in fields.REQUIRED.get(kind, ()):
            if not any(name in node.entries for name in group):
                shown = " or ".join(f"`{name}`" for name in group)
                self.error("AF121", f"{what} has no {shown}", key)
                missing = True
        pairs = [*fields.EXCLUSIVE, *(g for g in fields.REQUIRED.get(kind, ()) if len(g) > 1)]
        for group in pairs:
            both = [name for name in group if name in node.entries]
            if len(both) > 1:
                self.error(
                    "AF129",
                    f"{what} has both `{both[0]}` and `{both[1]}`",
                    node.entries[both[1]].key,
                )
        if "Next" in fields.STATES[kind] and not {"Next", "End"} & node.entries.keys():
            self.error("AF121", f"{what} has neither `Next` nor `End`", key)
        return not missing

    # --- retry, catch, choices -------------------------------------------------------------

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
        if not isinstance(found, Sequence) or not found.items:
            self.wrong(found, "ErrorEquals", "a list of error names")
            return ()
        return tuple(self.text(item, "ErrorEquals") for item in found.items)

    def rules(self, node: Node, name: str) -> tuple[Rule, ...]:
        """The entries of `Choices`."""
        if isinstance(node, Sequence) and not node.items:
            self.error("AF130", "`Choices` is empty", node)
        return tuple(self._rule(item) for item in self._objects(node, name))

    def _rule(self, node: Mapping) -> Rule:
        if self.language == "JSONata":
            self._known(node, "a rule", ("Condition", "Next", "Comment", "Assign", "Output"))
            condition = node.get("Condition")
            if condition is None:
                self.error("AF121", "a rule has no `Condition`", node)
            test: Json = self.template(condition, "Condition") if condition else False
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
                for part in [inner] if joint == "Not" else self._objects(inner, joint):
                    self._comparison(part)
                self._known(node, f"`{joint}`", (joint, *extra))
                return
        self._operator(node, names)

    def _operator(self, node: Mapping, names: list[str]) -> None:
        if "Variable" not in names:
            self.error("AF121", "a comparison has no `Variable`", node)
        else:
            self.path(node.entries["Variable"].value, "Variable")
        operators = [name for name in names if name != "Variable"]
        for name in operators:
            if name not in choice.OPERATORS:
                remedy = did_you_mean(name, choice.OPERATORS)
                message = f"there is no comparison `{name}`"
                self.error("AF126", message, node.entries[name].key, remedy=remedy)
        if len(operators) != 1:
            self.error("AF129", "a comparison has one operator", node)
        elif operators[0] in choice.OPERATORS:
            self._operand(operators[0], node.entries[operators[0]].value)

    def _operand(self, operator: str, node: Node) -> None:
        if operator.endswith("Path"):
            self.path(node, operator)
        elif operator.startswith(("Is", "Boolean")):
            self.boolean(node, operator)
        elif operator.startswith("Numeric"):
            self._number(node, operator, -(10**18), None, whole=False)
        elif operator.startswith("Timestamp"):
            self.timestamp(node, operator)
        else:
            self.text(node, operator)

    # --- maps ------------------------------------------------------------------------------

    def item_reader(self, node: Node, name: str) -> ItemReader | None:
        """Where the items of a distributed map come from."""
        found = self._parts(node, name, ("Resource", "ReaderConfig"))
        if found is None:
            return None
        config, rest = self._config(found, "ReaderConfig")
        return ItemReader(
            resource=self._optional_text(found, "Resource"),
            parameters=rest,
            input_type=config.get("InputType"),
            max_items=self._setting(found.get("ReaderConfig"), "MaxItems"),
            config={key: value for key, value in config.items() if not key.startswith("MaxItems")},
        )

    def item_batcher(self, node: Node, name: str) -> ItemBatcher | None:
        """How items are put together."""
        if not isinstance(node, Mapping):
            self.wrong(node, name, "an object")
            return None
        sizes = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
        paths = tuple(f"{size}Path" for size in sizes) if self.language == "JSONPath" else ()
        self._known(node, "`ItemBatcher`", (*sizes, *paths, "BatchInput"))
        given = self._optional(node, batch_input="BatchInput")
        return ItemBatcher(self._setting(node, sizes[0]), self._setting(node, sizes[1]), **given)

    def result_writer(self, node: Node, name: str) -> ResultWriter | None:
        """Where results go."""
        found = self._parts(node, name, ("Resource", "WriterConfig"))
        if found is None:
            return None
        config, rest = self._config(found, "WriterConfig")
        return ResultWriter(self._optional_text(found, "Resource") or None, rest, config)

    def _parts(self, node: Node, name: str, allowed: tuple[str, ...]) -> Mapping | None:
        if not isinstance(node, Mapping):
            self.wrong(node, name, "an object")
            return None
        self._known(node, f"`{name}`", (*allowed, self._arguments_name()))
        return node

    def _arguments_name(self) -> str:
        return "Arguments" if self.language == "JSONata" else "Parameters"

    def _config(self, node: Mapping, name: str) -> tuple[dict[str, Json], Json]:
        config = node.get(name)
        if config is not None and not isinstance(config, Mapping):
            self.wrong(config, name, "an object")
        given = self._optional(node, parameters=self._arguments_name())
        data = plain(config) if isinstance(config, Mapping) else {}
        return data, given.get("parameters", {})

    def _setting(self, node: Node | None, field: str) -> Any:
        if not isinstance(node, Mapping):
            return ABSENT
        if (found := node.get(field)) is not None:
            return self.count(found, field) if self.language == "JSONata" else plain(found)
        found = node.get(f"{field}Path")
        return ABSENT if found is None else self.reference(found, f"{field}Path")

    def _mode(self, node: Mapping, given: dict[str, Any]) -> dict[str, Any]:
        body = node.get("ItemProcessor") or node.get("Iterator")
        config = body.get("ProcessorConfig") if isinstance(body, Mapping) else None
        distributed = express = False
        if config is not None and not isinstance(config, Mapping):
            self.wrong(config, "ProcessorConfig", "an object")
        elif isinstance(config, Mapping):
            self._known(config, "`ProcessorConfig`", ("Mode", "ExecutionType"))
            if (mode := config.get("Mode")) is not None:
                distributed = self.word(mode, "Mode", ("INLINE", "DISTRIBUTED")) == "DISTRIBUTED"
            if (kind := config.get("ExecutionType")) is not None:
                express = self.word(kind, "ExecutionType", ("STANDARD", "EXPRESS")) == "EXPRESS"
        for field in fields.DISTRIBUTED_ONLY if not distributed else ():
            if field in node.entries:
                self.error(
                    "AF129",
                    f"`{field}` needs a distributed map",
                    node.entries[field].key,
                    remedy='set `ProcessorConfig: {"Mode": "DISTRIBUTED"}` in ItemProcessor',
                )
        found: dict[str, Any] = {"distributed": distributed, "express": express}
        if "parameters" in given:  # the older name of ItemSelector
            found["item_selector"] = given.pop("parameters")
        return found

    # --- odds and ends ---------------------------------------------------------------------

    def _check_resource(self, node: Mapping, resource: str) -> None:
        entry = node.entries["Resource"].value
        if not resource:
            self.error("AF130", "`Resource` is empty", entry)
        elif self.express and (reason := refused_by_express(resource)):
            self.error("AF129", reason, entry, remedy="make it a Standard workflow")

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
