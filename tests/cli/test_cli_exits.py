"""The exit code follows the outcome, with and without `--json`; nothing is ever a traceback."""

from __future__ import annotations

import pytest

from agentflow.cli import exits
from agentflow.errors import AgentFlowError

ERROR_KEYS = ["code", "message", "file", "line", "column", "help"]

REVIEWS = ("run", "specs/reviews.yaml")

CASES = {
    # verb and arguments: code, a part of the message, help
    "an unknown verb": (["rnu"], 2, "there is no verb `rnu`", "did you mean `agentflow run`?"),
    "an unknown option": (["show", "x", "--jsn"], 2, "Did you mean --json?", "agentflow show"),
    "a missing argument": (["run"], 2, "SPEC", "agentflow run --help"),
    "too many arguments": (["show", "a", "b"], 2, "too many arguments: b", ""),
    "a bad choice": ([*REVIEWS, "--executor", "spark"], 2, '"spark"', ""),
    "a bad number": (["executions", "--limit", "many"], 2, "many", ""),
    "a limit of nothing": (["executions", "--limit", "0"], 2, "at least 1", ""),
    "a missing value": (["fork", "x", "--at"], 2, "--at needs a value", "fork --help"),
    "no file to validate": (["validate"], 2, "needs a workflow's file", "validate specs/"),
    "a folder to make that is not named": (["new"], 2, "needs a folder", ""),
    "a Python file that is not there": (["run", "flows.py:main"], 3, "no such file", "path"),
    "a spec that is not there": (["run", "specs/no.yaml"], 3, "no such file", ""),
    "a spec that is a folder": (["run", "specs/"], 3, "folder", ""),
    "a spec with mistakes": (["run", "specs/mistakes.yaml"], 3, "`inputt`", "`input`"),
    "a spec with mistakes, drawn": (["graph", "specs/mistakes.yaml"], 3, "`inputt`", "`input`"),
    "an input that is not JSON": ([*REVIEWS, "--input", "{"], 3, "--input is not JSON", ""),
    "an input that does not match": ([*REVIEWS, "--input", "[]"], 3, "$: [] is not of type", ""),
    "data that is not JSON": (["signal", "@last", "x", "--data", "{"], 3, "--data is not JSON", ""),
    "no such workflow": (["run", "nothing"], 5, "no file `nothing`", "specs/FILE.yaml"),
    "a workflow that has not run": (
        ["run", "reviews"],
        5,
        "no file `reviews`",
        "specs/reviews.yaml",
    ),
    "a word for no execution": (["show", "@lst"], 5, "'@lst'", "@last is the last one"),
    "a file in no folder": (
        ["export", "specs/reviews.yaml", "--out", "no/x.yaml"],
        5,
        "no/x.yaml",
        "folder",
    ),
    "no such template": (["new", "x", "--template", "mapreduce"], 5, "template", "map-reduce"),
    "no execution yet": (["show", "@last"], 5, "@last", ""),
    **{
        f"no such execution to {verb}": ([verb, "nope"], 5, "nope", "")
        for verb in ("show", "history", "logs", "resume", "retry", "cancel", "graph")
    },
    "no such execution to fork": (["fork", "nope", "--at", "x"], 5, "nope", ""),
    "no such execution to signal": (["signal", "nope", "x"], 5, "nope", ""),
    "no such execution to approve": (["approve", "nope", "x"], 5, "nope", ""),
}


@pytest.mark.parametrize(("arguments", "code", "message", "help"), CASES.values(), ids=CASES.keys())
def test_a_refusal_is_one_clear_error(agentflow, arguments, code, message, help):
    plain = agentflow(*arguments)
    assert (plain.code, plain.out) == (code, "")
    assert message in plain.err
    assert "Traceback" not in plain.err
    told = agentflow(*arguments, "--json")
    assert told.code == code
    error = told.json["error"]
    assert list(error) == ERROR_KEYS
    assert message in error["message"]
    assert help in error["help"]


def test_json_after_two_dashes_is_no_option(agentflow):
    assert agentflow("show", "--", "--json").out == ""


def test_a_spec_lists_all_its_mistakes_under_errors(agentflow):
    told = agentflow("run", "specs/mistakes.yaml", "--json").json
    assert [error["line"] for error in told["errors"]] == [5, 6]
    assert told["error"] == told["errors"][0]
    assert told["error"]["file"] == "specs/mistakes.yaml"
    assert told["error"]["column"] == 19


@pytest.mark.parametrize("verb", ["show", "resume", "retry", "cancel", "history", "logs"])
def test_a_store_that_cannot_be_read_is_unreachable(agentflow, project, verb):
    (project / ".agentflow").mkdir()
    (project / ".agentflow/journal.db").write_bytes(b"not a database, " * 100)
    done = agentflow(verb, "x", "--json")
    assert done.code == 7
    assert done.json["error"]["code"] in ("AF007", "AF012")


def test_an_environment_that_is_wrong_is_wrong_usage(agentflow, monkeypatch):
    monkeypatch.setenv("AGENTFLOW_EXECUTOR", "spark")
    done = agentflow(*REVIEWS)
    assert done.code == 2
    assert "AGENTFLOW_EXECUTOR" in done.err


def test_a_bug_is_one_message_and_a_file_with_the_traceback(agentflow, project, monkeypatch):
    def broken(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("agentflow.cli.specs.load", broken)
    done = agentflow("validate", "specs/reviews.yaml", "specs/gate.yaml", "--json")
    assert done.code == exits.BUG
    assert "Traceback" not in done.out + done.err
    assert "ZeroDivisionError: of all things" in done.json["error"]["message"]
    (report,) = (project / ".agentflow").glob("bug-*.txt")
    assert str(report.relative_to(project)) in done.json["error"]["help"]
    assert "Traceback (most recent call last)" in report.read_text()
    assert "specs/gate.yaml" in report.read_text()


def test_ctrl_c_anywhere_is_130(agentflow, monkeypatch):
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agentflow.cli.specs.load", interrupted)
    done = agentflow("validate", "specs/gate.yaml", "--json")
    assert (done.code, done.json["error"]["code"]) == (130, "AF130")


def test_an_output_that_takes_ascii_only_gets_escapes(process, project):
    spec = 'workflow: sweets\ndo: [{id: a, return: "Müsli 🍬"}]\n'
    (project / "specs" / "sweets.yaml").write_text(spec, encoding="utf-8")

    told = process("--help", PYTHONIOENCODING="ascii")
    done = process("run", "specs/sweets.yaml", PYTHONIOENCODING="ascii")

    assert (told.code, done.code) == (0, 0), told.err + done.err
    assert "\\u2026" in told.out
    assert done.out == '"M\\u00fcsli \\ud83c\\udf6c"\n'


def test_every_code_that_an_error_carries_has_its_meaning():
    def every(kind: type[AgentFlowError]):
        yield kind
        for inner in kind.__subclasses__():
            yield from every(inner)

    assert {kind.exit_code for kind in every(AgentFlowError)} <= set(exits.MEANINGS)
