"""AWS's own validator of definitions, and the reference implementation of JSONata, from npm."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agentflow.adapters.aws import jsonata
from agentflow.adapters.aws.compile import TARGET
from agentflow.adapters.refusals import CannotExpress
from agentflow.adapters.target import Options
from agentflow.errors import Json
from agentflow.functions.encoding import as_doubles
from agentflow.spec.load import Loaded, load
from tests.aws import differential
from tests.aws.in_jsonata import bound, written
from tests.conformance.cases import HERE, all_cases
from tests.conformance.expressions import Row, rows
from tests.conformance.outcomes import canonical

ROOT = HERE.parents[1]
PACKAGE = "amazon-states-language-service@1.16.1"
"""It brings the reference implementation of JSONata, 2.0.5, with it."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of the packages; installed once, in the project's own tools."""
    folder = ROOT / ".tools" / "npm" / PACKAGE
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("allowed: node and npm are not installed")
    if not folder.is_dir():
        aside = folder.with_name(f"{PACKAGE}.{os.getpid()}")
        quiet = ("--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--silent")
        install = [npm, "install", "--prefix", str(aside), *quiet, PACKAGE]
        try:
            subprocess.run(install, capture_output=True, timeout=100, check=True)
        except subprocess.SubprocessError:  # it is refused, or nobody answers
            shutil.rmtree(aside, ignore_errors=True)
            pytest.skip("allowed: the npm registry cannot be reached")
        if folder.is_dir():  # somebody else was faster
            shutil.rmtree(aside)
        else:
            aside.rename(folder)
    return folder / "node_modules"


def node(packages: Path, script: str, given: Json) -> Json:
    """What a script prints for its input."""
    done = subprocess.run(
        ["node", HERE / script],
        input=json.dumps(given),
        env={**os.environ, "NODE_PATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def definitions(name: str, loaded: Loaded) -> dict[str, str]:
    """The state machines of a workflow, with maps of both kinds; none if it is refused."""
    found = {}
    for way in ({}, {"results": "bucket/maps"}):
        try:
            files = TARGET.compile(loaded, Options(way)).files
        except CannotExpress:
            continue
        for file, text in files.items():
            if file.endswith(".asl.json") and text not in found.values():
                found[f"{name}/{file} {way or ''}"] = text
    return found


def test_every_compiled_workflow_is_valid(packages: Path) -> None:
    compiled = {}
    for spec in sorted((ROOT / "specs").glob("*.yaml")):
        compiled.update(definitions(spec.stem, load(spec)))
    for case in all_cases():
        compiled.update(definitions(f"{case.group}: {case.name}", case.loaded))
    assert len(compiled) > 250
    told = node(packages, "validate.js", compiled)
    assert {name: problems for name, problems in told.items() if problems} == {}


def test_the_validator_finds_what_is_wrong(packages: Path) -> None:
    bad = {"StartAt": "a", "States": {"a": {"Type": "Pass", "Next": "nowhere"}}}
    told = node(packages, "validate.js", {"bad": json.dumps(bad)})
    assert any("existing state" in problem for problem in told["bad"])


@pytest.mark.parametrize("typed", [False, True], ids=["types unknown", "types known"])
def test_expressions_are_the_same_on_the_reference_implementation(
    packages: Path, *, typed: bool
) -> None:
    texts = [(row, written(row.source, row.names, typed=typed)) for row in rows()]
    direct = [(row, text) for row, text in texts if text is not None]
    assert len(direct) > 1000
    given = [{"text": jsonata.complete(text), "names": bound(row.names)} for row, text in direct]
    told = node(packages, "evaluate.js", given)
    wrong = [
        f"{row.check}: {each} instead of {row.expected}"
        for (row, _), each in zip(direct, told, strict=True)
        if not same(row, each)
    ]
    assert not wrong, "\n".join(wrong)


def test_random_expressions_are_the_same_on_the_reference_implementation(packages: Path) -> None:
    direct = list(differential.written(13, 1500))
    given = [{"text": each.text, "names": bound(each.case.names)} for each in direct]
    wrong = []
    for each, told in zip(direct, node(packages, "evaluate.js", given), strict=True):
        found = differential.failed(told["error"]) if "error" in told else value_of(told["value"])
        if found != each.expected and not each.explained(found) and not is_own_way(each, found):
            wrong.append(each.told(found))
    assert not wrong, "\n".join(wrong)


def value_of(value: Json) -> differential.Outcome:
    """The outcome of a value in which JavaScript wrote whole floats as integers."""
    return "value", canonical(as_doubles(value))


def is_own_way(each: differential.Written, found: differential.Outcome) -> bool:
    """Whether a difference is one that only the reference implementation makes.

    It evaluates the parts of a display at once, so that another one of two faults comes first; it
    writes whole numbers with 15 digits as texts, and orders keys that are digits before others.
    """
    kinds = {each.expected[0], found[0]}
    if kinds == {"fault"}:
        return re.search(r"[\[{,] ?[$'(]", each.text) is not None
    return kinds == {"value"} and ("$string(" in each.text or "$keys(" in each.text)


def same(row: Row, told: dict[str, Json]) -> bool:
    """Whether the reference gives the row's value, or raises its fault."""
    if "fault" not in row.expected:
        return "value" in told and canonical(told["value"]) == canonical(row.expected["value"])
    error = told.get("error", "")
    names = re.findall("<<([A-Za-z]+)>>", error)
    if not names and "out of range" in error:
        names = ["NumberOutOfRange"]
    return names[-1:] == [row.expected["fault"]]
