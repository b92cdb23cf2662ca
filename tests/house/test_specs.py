"""Every workflow in `specs/` is valid and runs, and gives the same on both executors."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import agentflow
from tests.house.plain_wordcount import wordcount

ROOT = Path(__file__).resolve().parent.parent.parent
SPECS = {spec.stem: spec for spec in sorted((ROOT / "specs").glob("*.yaml"))}

PATTERNS = {
    "sequential",
    "parallel",
    "conditional",
    "loop",
    "wordcount",  # map-reduce
    "saga",
    "pipeline",
    "state-machine",
}


def sample(name: str) -> dict[str, Any]:
    """The sample input of a workflow."""
    return json.loads((ROOT / "specs" / "inputs" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def inline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[agentflow.Engine]:
    journal = tmp_path_factory.mktemp("inline") / "journal.db"
    with agentflow.Engine(executor="inline", store=f"sqlite:///{journal}", root=ROOT) as engine:
        yield engine


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[agentflow.Engine]:
    journal = tmp_path_factory.mktemp("ray") / "journal.db"
    with agentflow.Engine(executor="ray", store=f"sqlite:///{journal}", root=ROOT) as engine:
        yield engine


def test_every_pattern_has_a_workflow() -> None:
    assert set(SPECS) >= PATTERNS


def test_every_workflow_has_a_sample_input_and_every_input_a_workflow() -> None:
    inputs = {file.stem for file in (ROOT / "specs" / "inputs").glob("*.json")}
    assert inputs == set(SPECS)


@pytest.mark.parametrize("name", SPECS)
def test_a_workflow_says_what_it_does_and_how_to_run_it(name: str) -> None:
    text = SPECS[name].read_text(encoding="utf-8")
    head = text[: text.index("workflow:")]
    assert f"agentflow run specs/{name}.yaml --input @specs/inputs/{name}.json" in head
    assert "# Input" in head
    assert "# Output" in head


@pytest.mark.parametrize("name", SPECS)
def test_a_workflow_is_named_like_its_file(name: str) -> None:
    assert agentflow.load(SPECS[name]).workflow.name == name


EXPECTED: dict[str, Any] = {
    "sequential": {"summary": "38 of 2397 requests failed"},
    "saga": {
        "status": "cancelled",
        "reason": "nobody delivers to PL",
        "movements": [
            {"kind": "reserved", "quantity": -3, "amount_cents": 10470},
            {"kind": "charged", "quantity": 0, "amount_cents": 10470},
            {"kind": "refunded", "quantity": 0, "amount_cents": -10470},
            {"kind": "released", "quantity": 3, "amount_cents": 0},
        ],
    },
    "loop": {"requests": 2397, "malformed": 3},
    "pipeline": {"blocks": 12, "requests": 2397, "malformed": 3},
    "state-machine": {
        "state": "tidy",
        "repaired": [
            "trailing spaces",
            "tabs",
            "repeated blank lines",
            "heading without a space",
        ],
    },
    "etl": {
        "loaded": 294,
        "refused": ["O-0017", "O-0064", "O-0117", "O-0164", "O-0217", "O-0264"],
    },
    "credit": {"granted": ["O-1", "O-2", "O-4"], "refused": ["O-3", "O-5"]},
    "approval": {"publish": False, "reason": "nobody answered within 1s"},
}
"""What the workflows give for their samples, as far as it can be told by hand."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_a_workflow_runs(inline: agentflow.Engine, name: str) -> None:
    output = inline.start(SPECS[name], sample(name)).result(60)
    expected = EXPECTED.get(name, {})
    assert {key: output[key] for key in expected} == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_a_workflow_gives_the_same_on_ray(
    inline: agentflow.Engine, ray: agentflow.Engine, name: str
) -> None:
    executions = [engine.start(SPECS[name], sample(name)) for engine in (inline, ray)]
    here, there = [execution.result(60) for execution in executions]
    assert here == there


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "pattern", "exclude"),
    [
        (str(ROOT / "specs" / "data"), "*", []),
        (sysconfig.get_path("stdlib"), "*.py", ["site-packages", "dist-packages"]),
        (str(ROOT / "specs" / "data"), "*.none", []),
    ],
    ids=["a few files", "the standard library", "no files"],
)
def test_wordcount_equals_a_plain_script(
    inline: agentflow.Engine, folder: str, pattern: str, exclude: list[str]
) -> None:
    job = {"folder": folder, "pattern": pattern, "exclude": exclude}
    output = inline.start(SPECS["wordcount"], job).result(100)
    assert output == wordcount(Path(folder), pattern, tuple(exclude))
