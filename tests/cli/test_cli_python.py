"""Workflows in Python on the command line: wherever a SPEC is taken."""

from __future__ import annotations

import pytest

FLOWS = """\
from agentflow import wait, workflow
from functions.sums import add


@workflow
def inner(n: int) -> int:
    return add(n, 1)


@workflow(version="1.2")
def outer(n: int) -> int:
    \"\"\"Add two.\"\"\"
    wait("1ms")
    return add(inner(n), 1)


@workflow
def broken(n: int) -> int:
    raise ValueError(f"no {n}")
"""


@pytest.fixture(autouse=True)
def flows(project):
    (project / "flows.py").write_text(FLOWS)
    (project / "single.py").write_text(FLOWS.partition("@workflow(")[0])
    (project / "functions" / "sums.py").write_text(
        "def add(a: int, b: int) -> int:\n    return a + b\n"
    )


EXPORTED = """\
workflow: outer
version: "1.2"
description: Add two.

input:
  type: object
  properties: {n: {type: integer}}
  required: [n]
  additionalProperties: false

do:
  - id: wait
    wait: 1ms

  - id: inner
    run: inner
    with: {n: "${ input.n }"}

  - id: add
    call: functions.sums.add
    with: {a: "${ inner }", b: 1}

output: ${ add }
"""


@pytest.mark.parametrize(
    ("spec", "output"), [("flows.py:outer", "5"), ("flows:outer", "5"), ("single.py", "4")]
)
def test_run_takes_a_function(agentflow, spec, output):
    done = agentflow("run", spec, "--input", '{"n": 3}')
    assert (done.code, done.out) == (0, f"{output}\n"), done.err


def test_a_failure_points_at_the_line_of_the_function(agentflow, project):
    done = agentflow("run", "flows.py:broken", "--input", '{"n": 3}')
    assert done.code == 1
    assert "--> flows.py:19:5\n" in done.err
    assert '   |      raise ValueError(f"no {n}")\n' in done.err
    (project / "flows.py").unlink()
    shown = agentflow("show", "@last")
    assert "--> flows.py:19:5\n" in shown.out


def test_an_execution_is_known_by_the_name_of_its_workflow(agentflow):
    agentflow("run", "flows.py:outer", "--input", '{"n": 3}')
    assert agentflow("run", "outer", "--input", '{"n": 4}').out == "6\n"
    assert agentflow("graph", "@last").code == 0


def test_validate_and_graph_take_functions(agentflow):
    done = agentflow("validate", "flows.py:outer", "single.py", "flows:broken")
    assert done.code == 0
    assert done.out.splitlines()[0] == "flows.py:outer  ok  (workflow outer 1.2, 3 steps)"
    assert "call functions.sums.add" in agentflow("graph", "flows.py:outer").out


def test_mistakes_are_shown_at_their_lines(agentflow, project):
    (project / "flows.py").write_text(FLOWS.replace('wait("1ms")', "del n"))
    done = agentflow("validate", "flows.py:outer")
    assert done.code == 3
    assert "error[AF501]: `del` is not part of workflows\n  --> flows.py:13:5\n" in done.err
    told = agentflow("run", "flows.py:outer", "--json").json
    assert (told["error"]["code"], told["error"]["line"]) == ("AF501", 13)


def test_export_prints_the_yaml_that_a_function_means(agentflow):
    done = agentflow("export", "flows.py:outer")
    assert (done.code, done.out) == (0, EXPORTED)
    assert done.err == "It runs `inner`; `--out FILE` writes what it runs beside it.\n"


def test_what_is_exported_runs_by_itself(agentflow, project):
    done = agentflow("export", "flows.py:outer", "--out", "specs/outer.yaml", "--json")
    assert done.json["files"] == ["specs/outer.yaml", "specs/inner.yaml"]
    (project / "flows.py").unlink()
    assert agentflow("run", "specs/outer.yaml", "--input", '{"n": 3}').out == "5\n"


def test_export_takes_specs_too(agentflow, project):
    (project / "a.yaml").write_text("workflow: a\ndo: [{id: b, wait: 1}]  # a comment\n")
    assert (
        agentflow("export", "a.yaml").out
        == "workflow: a\nversion: 1.0.0\n\ndo:\n  - id: b\n    wait: 1\n"
    )


def test_export_says_where_it_cannot_write(agentflow):
    done = agentflow("export", "single.py", "--out", "missing/a.yaml")
    assert (done.code, done.out) == (5, "")
    assert "missing/a.yaml cannot be written" in done.err
