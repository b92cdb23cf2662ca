"""What the command line does not load, and how fast it therefore answers."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from agentflow.cli import reference, verbs
from agentflow.cli.dispatch import application

from .conftest import REPOSITORY

HEAVY = ("ray", "boto3", "sqlmodel", "sqlalchemy", "fastapi", "alembic", "jsonschema")
LOADED = "import sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"


def loaded(*arguments: str) -> set[str]:
    """The top-level packages that a command line had loaded when it ended."""
    program = f"""
import atexit, sys
atexit.register(lambda: exec({LOADED!r}))
sys.argv = ["agentflow", *{arguments!r}]
from agentflow.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


def test_help_loads_the_table_of_verbs_only(project):
    assert not loaded("--help") & {*HEAVY, "cyclopts", "rich", "pydantic", "yaml"}


@pytest.mark.parametrize(
    "arguments",
    [("validate", "specs/gate.yaml"), ("graph", "specs/gate.yaml"), ("new", "x"), ("run", "-h")],
    ids=lambda arguments: arguments[0],
)
def test_offline_verbs_load_no_engine(project, arguments):
    heavy = set(HEAVY) - ({"jsonschema"} if arguments[0] == "validate" else set())
    assert not loaded(*arguments) & heavy


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
def test_every_verb_has_help_that_fits_a_terminal(agentflow, verb):
    done = agentflow(verb, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: agentflow {verb}")


def test_the_parser_has_the_verbs_of_the_table():
    assert {name for name in application() if not name.startswith("-")} == {
        verb.name for verb in verbs.every()
    }


def test_the_reference_is_what_the_code_says():
    page = REPOSITORY / "docs/reference/cli.md"
    assert page.read_text(encoding="utf-8") == reference.reference(), (
        "run `python -m agentflow.cli.reference > docs/reference/cli.md`"
    )
