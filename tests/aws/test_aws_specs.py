"""The workflows in `specs/`: compiled, run, printed; what is refused, and how."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentflow.adapters.aws.compile import TARGET, definition
from agentflow.adapters.refusals import CannotExpress
from agentflow.adapters.target import Options
from agentflow.errors import Json, UsageError
from agentflow.spec.load import load, loads
from tests.aws.worlds import Project, World, local, on_sfnx

ROOT = Path(__file__).resolve().parent.parent.parent
SPECS = {spec.stem: spec for spec in sorted((ROOT / "specs").glob("*.yaml"))}
GOLDEN = ROOT / "tests" / "aws" / "golden"
PRINTED = ("sequential", "wordcount", "saga", "state-machine", "approval")
MESSAGES: dict[str, Json] = {"folder.fingerprinted": {"files": 3, "first": "0123456789abcdef"}}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_a_spec_gives_the_local_outcome_compiled(name: str) -> None:
    loaded = load(SPECS[name])
    given = json.loads((ROOT / "specs" / "inputs" / f"{name}.json").read_text(encoding="utf-8"))
    messages = MESSAGES if name == "events" else {}
    here, there = World(Project(ROOT), messages), World(Project(ROOT), messages)
    ours, theirs = local(loaded, given, here), on_sfnx(loaded, given, there)
    assert ours.status == "succeeded"
    assert theirs.essence == ours.essence
    assert there.calls == here.calls
    assert there.events == here.events


@pytest.mark.parametrize("name", PRINTED)
def test_what_is_printed_is_what_was_reviewed(name: str) -> None:
    """`UPDATE_GOLDEN=1 pytest tests/aws/test_aws_specs.py` writes the files anew."""
    files = TARGET.compile(load(SPECS[name]), Options()).files
    for file in (f"{name}.asl.json", "report.txt"):
        golden = GOLDEN / name / file
        if os.environ.get("UPDATE_GOLDEN"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(files[file], encoding="utf-8")
        assert files[file] == golden.read_text(encoding="utf-8")


def test_the_same_spec_gives_the_same_bytes() -> None:
    first, second = (TARGET.compile(load(SPECS["etl"]), Options()).files for _ in range(2))
    assert first == second


def test_children_are_compiled_too() -> None:
    compiled = TARGET.compile(load(SPECS["compare"]), Options())
    assert {"compare.asl.json", "wordcount.asl.json"} <= compiled.files.keys()
    parent, child = compiled.deployments
    assert ("workflow", "wordcount") in {(each.kind, each.name) for each in parent.resources}
    assert child.functions == (
        "functions.files.shard_files",
        "functions.text.count_words",
        "functions.text.merge_counts",
        "functions.text.most_common",
    )


def test_a_thousand_steps_compile_in_a_second() -> None:
    steps = "\n".join(
        f"  - {{id: s{n}, call: f.x, with: {{a: '${{ s{n - 1} }}'}}}}" for n in range(1, 1000)
    )
    loaded = loads(f"workflow: long\ndo:\n  - {{id: s0, call: f.x}}\n{steps}\n")
    began = time.process_time()
    assert len(definition(loaded)["States"]) == 1000
    assert time.process_time() - began < 10  # about 0.5 s; generous for a busy machine


def test_names_of_states_are_short_and_unique() -> None:
    long = "x" * 120
    loaded = loads(
        f"workflow: names\ndo:\n  - id: {long}\n    switch:\n"
        f"      - {{when: '${{ input.a }}', do: [{{id: a, return: 1}}]}}\n"
        "  - id: b\n    fork:\n"
        "      one: {do: [{id: a, call: f.x}]}\n      two: {do: [{id: a, call: f.x}]}\n"
    )
    text = json.dumps(definition(loaded))
    names = _names(json.loads(text))
    assert len(names) == len(set(names))
    assert all(len(name) <= 80 for name in names)


def _names(machine: Json) -> list[str]:
    found: list[str] = []
    for name, state in machine["States"].items():
        found.append(name)
        for inner in [*state.get("Branches", []), state.get("ItemProcessor")]:
            found += _names(inner) if inner else []
    return found


# --- refusals -------------------------------------------------------------------------------------

REFUSED = {
    "a time limit of a block": (
        "do:\n  - {id: a, timeout: 5s, saga: {do: [{id: b, return: 1}]}}",
        {},
        ("AF602", "`a` has a time limit for a block that cannot run on its own", 3),
    ),
    "a compensation in a branch": (
        (
            "do:\n  - id: a\n    saga:\n      do:\n        - id: f\n          fork:\n"
            "            b: {do: [{id: c, call: f.x, compensate: {call: f.y}}]}"
        ),
        {},
        ("AF602", "`c` is undone by `f.y` from inside a branch or an item", 8),
    ),
    "a message in an express workflow": (
        "do:\n  - {id: a, listen: news}",
        {"kind": "express"},
        ("AF604", "`a` waits for a message, which Express workflows cannot", 3),
    ),
    "a wait of years": (
        "do:\n  - {id: a, wait: 400d}",
        {},
        ("AF603", "`a` waits 34,560,000 seconds", 3),
    ),
    "a wait that an express execution has no time for": (
        "do:\n  - {id: a, wait: 600}",
        {"kind": "express"},
        ("AF603", "`a` waits 600 seconds", 3),
    ),
    "a value that no variable can hold": (
        f"do:\n  - {{id: a, set: {{x: {'y' * 300_000}}}}}",
        {},
        ("AF603", "`a` has 300,000 bytes of values", 3),
    ),
    "an agent that is not there": (
        "do:\n  - {id: a, call: 'agent:clerk.file'}",
        {},
        ("AF601", "`agent:clerk.file` is not there: agent `clerk` has no method `file`", 3),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_expressed_is_refused_with_place_reason_and_way_out(case: str) -> None:
    text, settings, (code, message, line) = REFUSED[case]
    loaded = loads(f"workflow: refused\n{text}\n")
    with pytest.raises(CannotExpress) as caught:
        TARGET.compile(loaded, Options(settings))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message, diagnostic.span.line) == (code, message, line)
    assert diagnostic.label
    assert diagnostic.help
    assert caught.value.exit_code == 4


def test_a_time_limit_that_lambda_cannot_keep_is_told() -> None:
    loaded = loads("workflow: long\ndo:\n  - {id: a, call: f.x, timeout: 30m}\n")
    report = TARGET.compile(loaded, Options()).report
    assert "`a` may take 1,800 seconds, a Lambda function 900 at most" in report.notes


def test_notes_and_refusals_name_the_step_of_the_author_and_none_of_a_pass() -> None:
    loaded = loads(
        "workflow: named\ndo:\n  - {id: a, map: [1], as: x, call: f.x, with: {x: '${ x }'}, "
        "batch: 2, concurrency: 100, reduce: {call: f.sum}}\n"
    )
    notes = TARGET.compile(loaded, Options()).report.notes
    assert [each.partition(":")[0] for each in notes] == [
        "`batch` of `a` has no effect",
        "`a` runs 40 items at once, not 100",
    ]
    with pytest.raises(CannotExpress, match="`a` runs an execution for each item"):
        TARGET.compile(loaded, Options({"distributed": True, "kind": "express"}))


def test_batches_that_a_pass_takes_away_are_told() -> None:
    loaded = loads(
        "workflow: single\ndo:\n  - {id: a, map: [1], as: x, call: f.x, with: {x: '${ x }'}, "
        "batch: 2, tolerate: 1, reduce: {call: f.sum}}\n"
    )
    first = TARGET.compile(loaded, Options({"distributed": True})).report.entries[0]
    assert first.how == "lowered"
    assert "batch: items are called one by one" in first.note


def test_refusals_are_reported_together() -> None:
    loaded = loads(
        "workflow: refused\ndo:\n  - {id: a, listen: news}\n"
        "  - {id: b, timeout: 5s, saga: {do: [{id: c, return: 1}]}}\n"
    )
    with pytest.raises(CannotExpress) as caught:
        TARGET.compile(loaded, Options({"kind": "express"}))
    assert [each.span.line for each in caught.value.diagnostics] == [3, 4]


@pytest.mark.parametrize("settings", [{"knd": "express"}, {"kind": "fast"}])
def test_settings_that_do_not_exist_are_refused(settings: dict[str, Json]) -> None:
    with pytest.raises(UsageError):
        TARGET.compile(loads("workflow: x\ndo: [{id: a, call: f.x}]\n"), Options(settings))


# --- the input ------------------------------------------------------------------------------------

SCHEMA = """
input:
  type: object
  properties:
    name: {type: string, minLength: 2}
    kind: {enum: [a, b]}
    tags: {type: array, items: {type: [string, "null"]}, maxItems: 2}
    inner: {type: object, properties: {n: {type: integer, minimum: 0}}, required: [n]}
  required: [name]
  additionalProperties: false
"""


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({"name": "xy"}, True),
        ({"name": "xy", "kind": "b", "tags": [], "inner": {"n": 0, "other": 1}}, True),
        ({"name": "xy", "tags": ["a", None]}, True),
        ({}, False),
        ([], False),
        (None, False),
        ({"name": "x"}, False),
        ({"name": 1}, False),
        ({"name": "xy", "kind": "c"}, False),
        ({"name": "xy", "tags": [1]}, False),
        ({"name": "xy", "tags": ["a", "b", "c"]}, False),
        ({"name": "xy", "inner": {"n": 1.5}}, False),
        ({"name": "xy", "inner": {}}, False),
        ({"name": "xy", "more": 1}, False),
    ],
)
def test_the_input_is_checked_before_anything_runs(given: Json, *, fits: bool) -> None:
    loaded = loads(f"workflow: checked\n{SCHEMA}\ndo: [{{id: a, call: f.x}}]\n")
    world = World({"f.x": lambda: 1})
    outcome = on_sfnx(loaded, given, world)
    assert (outcome.status == "succeeded") is fits
    assert bool(world.calls) is fits
    if not fits:
        assert outcome.error["name"] == "InvalidInput"


# --- the command line -----------------------------------------------------------------------------


def agentflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agentflow", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_compile_writes_files_and_tells_what_it_did(tmp_path: Path) -> None:
    spec = str(SPECS["sequential"])
    done = agentflow("compile", spec, "--target", "aws", "--out", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["report"]["workflow"] == "sequential"
    assert [Path(file).name for file in told["files"]] == [
        "sequential.asl.json",
        "report.txt",
        "deployment.json",
        "main.tf.json",
        "functions.zip",
    ]
    assert json.loads((tmp_path / "sequential.asl.json").read_text())["QueryLanguage"] == "JSONata"


@pytest.mark.slow
def test_what_a_target_cannot_express_is_exit_code_4(tmp_path: Path) -> None:
    spec = tmp_path / "limits.yaml"
    spec.write_text(
        "workflow: limits\ndo:\n  - {id: a, timeout: 5s, saga: {do: [{id: b, return: 1}]}}\n"
    )
    for verb in ("compile", "validate"):
        done = agentflow(verb, str(spec), "--target", "aws", "--json")
        assert done.returncode == 4
        assert json.loads(done.stdout)["error"]["line"] == 3
