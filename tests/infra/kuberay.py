"""Makes `kuberay.json` of KubeRay's own definitions: `python -m tests.infra.kuberay VERSION CRD…`.

The definitions are 2 MB of YAML, nine tenths of it descriptions and the same pod template over and
over. What is kept says what is allowed, once: a part that occurs again is a reference. Kubernetes
drops fields that a definition does not name; here they are refused, so that a typing mistake in a
manifest is found.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("kuberay.json")
SOURCE = "https://github.com/ray-project/kuberay/tree/{}/helm-chart/kuberay-operator/crds"
KEPT = (
    "type", "properties", "required", "items", "enum", "pattern", "minimum", "maximum",
    "minLength", "maxLength", "minItems", "maxItems", "additionalProperties", "anyOf", "allOf",
    "oneOf",
)  # fmt: skip
WORTH = 200
"""Characters that a part must have to be a reference."""


def trimmed(schema: dict[str, Any]) -> dict[str, Any]:
    """What a definition allows, without words, refusing fields that it does not name."""
    kept: dict[str, Any] = {}
    for key in KEPT:
        value = schema.get(key)
        if value is None:
            continue
        if key == "properties":
            kept[key] = {name: trimmed(part) for name, part in value.items()}
        elif key in {"anyOf", "allOf", "oneOf"}:
            kept[key] = [trimmed(part) for part in value]
        elif isinstance(value, dict):
            kept[key] = trimmed(value)
        else:
            kept[key] = value
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in kept
    if "properties" in kept and not is_open:
        kept["additionalProperties"] = False
    return kept


class Shared:
    """Parts that occur more than once."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self._seen: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self.definitions: dict[str, Any] = {}
        for schema in schemas.values():
            self._count(schema)

    def _count(self, part: Any) -> None:
        if isinstance(part, dict):
            text = json.dumps(part, sort_keys=True)
            self._seen[text] += 1
            if self._seen[text] > 1 and len(text) > WORTH:
                return  # what is in it goes with it
            for inner in part.values():
                self._count(inner)
        elif isinstance(part, list):
            for inner in part:
                self._count(inner)

    def referring(self, part: Any) -> Any:
        """A part, with references for what occurs elsewhere too."""
        if isinstance(part, list):
            return [self.referring(inner) for inner in part]
        if not isinstance(part, dict):
            return part
        text = json.dumps(part, sort_keys=True)
        is_schema = "type" in part and isinstance(part["type"], str)
        if not is_schema or self._seen[text] < 2 or len(text) <= WORTH:
            return {key: self.referring(inner) for key, inner in part.items()}
        if text not in self._names:
            self._names[text] = name = f"part{len(self._names) + 1}"
            self.definitions[name] = {key: self.referring(inner) for key, inner in part.items()}
        return {"$ref": f"#/$defs/{self._names[text]}"}


def main(version: str, *files: str) -> None:
    """Write the file."""
    schemas = {}
    for file in files:
        definition = yaml.safe_load(Path(file).read_text(encoding="utf-8"))["spec"]
        (served,) = [entry for entry in definition["versions"] if entry["name"] == "v1"]
        schema = trimmed(served["schema"]["openAPIV3Schema"])
        schema["properties"].pop("status", None)
        schemas[definition["names"]["kind"]] = schema
    shared = Shared(schemas)
    kinds = {kind: shared.referring(schema) for kind, schema in schemas.items()}
    content = {
        "source": SOURCE.format(version),
        "licence": "Apache-2.0, The KubeRay Authors; trimmed by tests/infra/kuberay.py",
        "kinds": kinds,
        "$defs": shared.definitions,
    }
    FILE.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
