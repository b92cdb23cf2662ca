"""`validate`, `new` and `doctor`: verbs that run nothing."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

VALID = ("specs/faulty.yaml", "specs/reviews.yaml")


def test_a_valid_file_is_one_line(agentflow):
    done = agentflow("validate", *VALID)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "specs/faulty.yaml   ok  (workflow faulty 1.0.0, 2 steps)\n"
        "specs/reviews.yaml  ok  (workflow reviews 1.2.0, 3 steps)\n"
    )


MISTAKES = """\
error[AF301]: `inputt` is not defined
 --> specs/mistakes.yaml:5:19
  |
4 |     call: functions.reviews.load
5 |     with: {n: "${ inputt.n }"}
  |                   ^^^^^^ no such name
  |
  = help: did you mean `input`?

error[AF120]: unknown field `retires` in a `call` step
 --> specs/mistakes.yaml:6:5
"""


def test_all_mistakes_of_all_files_are_shown(agentflow, project):
    (project / "specs/other.yaml").write_text("workflow: other\ndo: []\n")
    done = agentflow("validate", "specs/mistakes.yaml", VALID[0], "specs/other.yaml")
    assert done.code == 3
    assert done.err.startswith(MISTAKES)
    assert done.err.endswith("2 errors in specs/mistakes.yaml\n1 error in specs/other.yaml\n")
    assert done.out == "specs/faulty.yaml  ok  (workflow faulty 1.0.0, 2 steps)\n"


def test_json_tells_what_is_valid_and_what_is_not(agentflow):
    told = agentflow("validate", *VALID, "--json").json
    assert told["valid"] is True
    assert told["files"][1] == {
        "file": "specs/reviews.yaml",
        "workflow": "reviews",
        "version": "1.2.0",
        "steps": 3,
    }
    refused = agentflow("validate", "specs/mistakes.yaml", VALID[0], "--json")
    assert refused.code == 3
    assert refused.json["valid"] is False
    assert [error["line"] for error in refused.json["errors"]] == [5, 6]
    assert [file["file"] for file in refused.json["files"]] == [VALID[0]]


def test_no_user_code_is_imported(agentflow, project):
    (project / "functions/reviews.py").write_text("raise SystemExit('imported')\n")
    assert "imported" not in agentflow("validate", "specs/gate.yaml").err


def test_a_new_project_works_as_its_next_steps_say(agentflow, project, monkeypatch):
    made = agentflow("new", "mine")
    assert (made.code, made.out) == (0, "")
    first, *commands = [line.strip() for line in made.err.splitlines()[2:]]
    assert first == "cd mine"
    monkeypatch.chdir(project / "mine")
    assert commands
    for command in commands:
        import shlex

        assert agentflow(*shlex.split(command)[1:]).code == 0, command


@pytest.mark.parametrize("template", ["default", "map-reduce"])
def test_every_template_is_a_valid_project(agentflow, project, template):
    listed = agentflow("new", "--list", "--json").json["templates"]
    assert template in [entry["name"] for entry in listed]
    assert all(entry["description"] for entry in listed)
    made = agentflow("new", "mine", "--template", template, "--json").json
    assert "mine/agentflow.toml" in made["files"]
    specs = [file for file in made["files"] if file.startswith("mine/specs/")]
    assert agentflow("validate", *specs).code == 0


def test_nothing_is_overwritten(agentflow, project):
    for target in ("specs", "agentflow.toml"):
        done = agentflow("new", target)
        assert done.code == 5
        assert "nothing was changed" in done.err
    (project / "empty").mkdir()
    assert agentflow("new", "empty").code == 0


def test_doctor_finds_nothing_wrong_here(agentflow, project):
    told = agentflow("doctor", "--json")
    assert told.code == 0
    checks = {check["name"]: check["status"] for check in told.json["checks"]}
    assert {"python", "journal", "ray", "project", "functions", "store"} <= checks.keys()
    checks.pop("leftovers", None)  # of tests that kill what they started
    assert set(checks.values()) == {"ok"}
    assert not (project / ".agentflow").exists(), "looking changes nothing"


def test_doctor_tells_what_killed_processes_left(agentflow, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "agentflow-items-9999999-x").mkdir()
    (tmp_path / f"agentflow-ray-{os.getpid()}-x").mkdir()
    done = agentflow("doctor")
    assert done.code == 0
    assert "warn  leftovers" in done.out
    assert f"{tmp_path}/agentflow-items-9999999-x" in done.out
    assert f"{tmp_path}/agentflow-ray-" not in done.out


def test_doctor_names_what_to_type(agentflow, project, monkeypatch):
    shutil.rmtree(project / "functions")
    (project / ".agentflow").mkdir()
    (project / ".agentflow/journal.db").write_bytes(b"not a database, " * 100)
    monkeypatch.setenv("AGENTFLOW_EXECUTOR", "inline")
    done = agentflow("doctor")
    assert done.code == 7
    assert f"warn  functions  there is no {project}/functions\n" in done.out
    assert f"fix: mkdir {project}/functions\n" in done.out
    assert "fail  store" in done.out
