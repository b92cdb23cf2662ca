"""What the command line does not load, and how fast it therefore answers."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import fields

import pytest

from agentflow import Engine
from agentflow.cli import reference, verbs
from agentflow.cli.dispatch import application
from agentflow.runtime.settings import Settings

from .conftest import REPOSITORY

HELLO = "workflow: hello\ndo: [{id: a, call: os.path.basename, with: {p: /a/hello}}]\n"

HEAVY = ("ray", "boto3", "sqlalchemy", "fastapi", "alembic", "jsonschema")


def loaded(*lines: str) -> list[set[str]]:
    """The modules that are loaded after each of some command lines, in one process."""
    program = f"""
import sys
from agentflow.cli import main
for line in {lines!r}:
    sys.argv = ["agentflow", *line.split()]
    try:
        main()
    except SystemExit as left:
        assert not left.code, line
    print("loaded:", *sys.modules, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    told = [line for line in done.stderr.splitlines() if line.startswith("loaded: ")]
    return [set(line.split()) for line in told]


def test_help_loads_the_table_of_verbs_only(project):
    [found] = loaded("--help")
    assert not found & {*HEAVY, "cyclopts", "rich", "pydantic", "yaml"}


def test_offline_verbs_load_no_engine(project):
    heavy = set(HEAVY)
    for found in loaded("new x", "graph specs/gate.yaml", "run -h"):
        assert "cyclopts" in found
        assert not found & heavy
    [found] = loaded("validate specs/gate.yaml")
    assert not found & heavy - {"jsonschema"}


NOT_FOR_A_STEP = {
    *(set(HEAVY) - {"sqlalchemy"}),
    "sqlalchemy.orm",  # tables are read and written as tuples
    "sqlalchemy.dialects.postgresql",
    "pydantic",  # no variable is set that needs a check
    "cyclopts.help",
    "rich",  # nobody looks
    "fsspec",
    "redis",
    "tenacity",
    "agentflow.adapters",
    "agentflow.spec.python",
    "agentflow.runtime.journal.indexes",
    "agentflow.runtime.executors.ray",
}
"""What a process does without that runs functions in itself and has a store already."""


@pytest.mark.parametrize("verb", ["run", "resume"])
def test_a_step_in_this_process_loads_only_what_it_needs(project, monkeypatch, verb):
    monkeypatch.delenv("AGENTFLOW_EXECUTOR")
    (project / "hello.yaml").write_text(HELLO, encoding="utf-8")
    with Engine(executor="inline", root=project) as engine:
        waiting = engine.create(project / "hello.yaml").id
    what = {"run": "hello.yaml", "resume": waiting}[verb]
    [found] = loaded(f"{verb} {what} --executor inline")
    assert {"sqlalchemy", "agentflow.runtime.executors.inline"} <= found
    assert not found & NOT_FOR_A_STEP


def test_an_engine_without_the_packages_of_the_journal_says_what_to_install(project):
    program = """
import sys
sys.modules["sqlalchemy"] = None
sys.argv = ["agentflow", "run", "specs/gate.yaml", "--input", '{"gate": "x"}']
from agentflow.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (7, "")
    assert "the journal needs the package sqlalchemy" in done.stderr
    assert "[journal]" in done.stderr


@pytest.mark.slow
def test_help_takes_at_most_twelve_times_an_empty_python():
    def fastest(*arguments: str) -> float:
        times = []
        for _ in range(7):
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments], capture_output=True, check=True, cwd=REPOSITORY
            )
            times.append(time.perf_counter() - begun)
        return min(times)

    assert fastest("-m", "agentflow", "--help") <= 12 * fastest("-c", "pass")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)], ids=str)
def test_the_overview_names_every_verb(process, arguments):
    done = process(*arguments)
    assert (done.code, done.err) == (0, "")
    for verb in verbs.every():
        assert f"  {verb.name} {verb.arguments}".rstrip() in done.out


def test_the_version_is_told(process):
    assert process("--version").out.startswith("agentflow ")


@pytest.mark.parametrize("verb", [verb.name for verb in verbs.every()])
def test_every_verb_has_help_that_fits_a_terminal(agentflow, verb, monkeypatch):
    texts = []
    for width in ("60", "600"):
        monkeypatch.setenv("COLUMNS", width)
        done = agentflow(verb, "--help")
        assert done.code == 0
        assert done.out.startswith(f"Usage: agentflow {verb}")
        texts.append(done.out)
    narrow, wide = texts
    assert narrow.split() == wide.split()
    assert all(len(line) <= 60 for line in narrow.splitlines())
    for paragraph in wide.split("Arguments:")[0].split("Parameters:")[0].strip().split("\n\n"):
        assert "\n" not in paragraph  # it is broken where the terminal ends and nowhere else


def test_the_parser_has_the_verbs_of_the_table():
    assert {name for name in application() if not name.startswith("-")} == {
        verb.name for verb in verbs.every()
    }


@pytest.mark.parametrize("setting", [field.name for field in fields(Settings)])
def test_the_reference_explains_each_setting(setting):
    names = {name.removeprefix("AGENTFLOW_").lower() for name in reference.VARIABLES}
    assert setting in names


def test_the_reference_is_what_the_code_says():
    page = REPOSITORY / "docs/reference/cli.md"
    assert page.read_text(encoding="utf-8") == reference.reference(), (
        "run `python -m agentflow.cli.reference > docs/reference/cli.md`"
    )
