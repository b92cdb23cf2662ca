"""Read the parts of Map states: readers, batchers, writers, the processor's mode."""

from __future__ import annotations

from typing import Any, Final

from agentflow.adapters.aws.asl import fields
from agentflow.adapters.aws.asl.model import ItemBatcher, ItemReader, ResultWriter
from agentflow.adapters.aws.asl.read.parts import Parts
from agentflow.adapters.aws.asl.values import ABSENT
from agentflow.errors import Json
from agentflow.spec.source import Mapping, Node, Sequence, plain

_INPUT_TYPES: Final = ("JSON", "JSONL", "CSV", "MANIFEST", "PARQUET")


class MapParts(Parts):
    """Reads what Map states are made of."""

    def item_reader(self, node: Node, name: str) -> ItemReader | None:
        """Where the items of a distributed map come from."""
        found = self._parts(node, name, ("Resource", "ReaderConfig"))
        if found is None:
            return None
        config, rest = self._config(found, "ReaderConfig")
        return ItemReader(
            resource=self._optional_text(found, "Resource"),
            parameters=rest,
            input_type=self._input_type(found.get("ReaderConfig")),
            max_items=self._setting(found.get("ReaderConfig"), "MaxItems"),
            config={key: value for key, value in config.items() if not key.startswith("MaxItems")},
        )

    def _input_type(self, config: Node | None) -> str | None:
        if not isinstance(config, Mapping):
            return None
        headers = config.get("CSVHeaders")
        if headers is not None and not isinstance(headers, Sequence):
            self.wrong(headers, "CSVHeaders", "a list")
        found = config.get("InputType")
        return None if found is None else self.word(found, "InputType", _INPUT_TYPES)

    def item_batcher(self, node: Node, name: str) -> ItemBatcher | None:
        """How items are put together."""
        if not isinstance(node, Mapping):
            self.wrong(node, name, "an object")
            return None
        sizes = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
        paths = tuple(f"{size}Path" for size in sizes) if self.language == "JSONPath" else ()
        self._known(node, "`ItemBatcher`", (*sizes, *paths, "BatchInput", "Comment"))
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
        self._known(node, f"`{name}`", (*allowed, self._arguments_name(), "Comment"))
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
            return (
                self.count(found, field) if self.language == "JSONata" else self.whole(found, field)
            )
        found = node.get(f"{field}Path")
        return ABSENT if found is None else self.reference(found, f"{field}Path")

    def _mode(self, node: Mapping, given: dict[str, Any]) -> dict[str, Any]:
        body = node.get("ItemProcessor") or node.get("Iterator")
        config = body.get("ProcessorConfig") if isinstance(body, Mapping) else None
        distributed = express = False
        if config is not None and not isinstance(config, Mapping):
            self.wrong(config, "ProcessorConfig", "an object")
        elif isinstance(config, Mapping):
            self._known(config, "`ProcessorConfig`", ("Mode", "ExecutionType", "Comment"))
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
