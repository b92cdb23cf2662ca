"""The project's workflow in Python does what its twin in YAML does, however it is run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import agentflow
from agentflow.spec.write import to_data

ROOT = Path(__file__).resolve().parents[2]


def test_the_function_means_the_steps_of_the_spec() -> None:
    function = to_data(agentflow.load(ROOT / "specs" / "wordcount.py").workflow)
    spec = to_data(agentflow.load(ROOT / "specs" / "wordcount.yaml").workflow)

    def calls(data: dict[str, object]) -> list[tuple[object, object, object]]:
        return [(s["id"], s["call"], s.get("reduce")) for s in data["do"]]  # type: ignore[attr-defined,index]

    assert calls(function) == calls(spec)
    assert function["description"] == spec["description"]


@pytest.mark.slow
def test_it_gives_the_same_as_the_spec_and_as_plain_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    from specs.wordcount import wordcount

    job = json.loads((ROOT / "specs" / "inputs" / "wordcount.json").read_text())
    with agentflow.Engine(
        executor="inline", root=ROOT, store=f"sqlite:///{tmp_path}/j.db"
    ) as engine:
        ways = (wordcount, ROOT / "specs" / "wordcount.py", ROOT / "specs" / "wordcount.yaml")
        outputs = [engine.start(way, job).result(60) for way in ways]

    assert outputs == [wordcount(**job)] * 3
    sys.modules.pop("specs.wordcount", None)
