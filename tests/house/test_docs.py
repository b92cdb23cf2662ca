"""Every command and snippet of the documentation does what its page says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import agentflow
from agentflow.errors import SpecError
from tests.house.pages import Block, blocks, commands, prints

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    page
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    # Generated pages have tests of their own; the architecture is prose and drawings.
    if "reference" not in page.parts and page.name != "architecture.md"
)
RUN_BY_CI = {"python3 dev.py demo", "python3 dev.py test", "python3 dev.py lint"}
LANGUAGES = {"console", "yaml", "python", "json", "toml", "sh", "text"}


def pages(executor: str) -> list[object]:
    """The pages as parameters; those that run something are slow."""
    return [
        pytest.param(page, executor, id=f"{page.relative_to(ROOT)}-{executor}")
        for page in PAGES
        if executor == "inline" or page.name == "README.md"
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("page", "executor"), pages("inline") + pages("ray"))
def test_a_page_does_what_it_says(page: Path, executor: str, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "project", executor)
    for block in blocks(page, ROOT):
        reader.follow(block)
    reader.expect_success(str(page.relative_to(ROOT)))


class Reader:
    """Somebody who does what a page says, in a copy of this repository's project."""

    def __init__(self, project: Path, executor: str) -> None:
        project.mkdir()
        for name in ("specs", "functions"):
            shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("*.pyc"))
        (project / "agentflow.toml").touch()
        self.project = project
        self.place = project
        self.exit_code = 0
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AGENTFLOW_EXECUTOR": executor,
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "100",
            "LC_ALL": "C.UTF-8",
        }

    def follow(self, block: Block) -> None:
        """Do what a block says."""
        assert block.language in LANGUAGES, f"{block.place}: unknown language {block.language!r}"
        if block.target:
            file = self.place / block.target
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        match block.language:
            case "console":
                for command in commands(block):
                    self.type(command.text, command.expected, block.place)
            case "python" if block.target is None:
                done = self.run(sys.executable, "-W", "error", "-c", block.text)
                assert done.returncode == 0, f"{block.place}:\n{done.stdout}"
            case "python":
                compile(block.text, block.place, "exec")
            case "yaml" if block.target is None:
                validate(block)
            case "json":
                json.loads(block.text)
            case "toml":
                tomllib.loads(block.text)
            case "sh":
                assert set(block.text.splitlines()) <= RUN_BY_CI, block.place

    def type(self, command: str, expected: str, where: str) -> None:
        """Type a command, and compare what it prints and how it ends."""
        if command.startswith("cd "):
            self.place /= command[3:]
            return
        if command == "echo $?":
            assert expected == str(self.exit_code), f"{where}: exit code {self.exit_code}"
            self.exit_code = 0
            return
        self.expect_success(where)
        done = self.run("bash", "-c", command)
        # A shell says 128 + n where Python says -n: a signal ended it.
        self.exit_code = done.returncode if done.returncode >= 0 else 128 - done.returncode
        assert prints(expected, done.stdout), (
            f"{where}: $ {command}\nprints\n{textwrap.indent(done.stdout, '    ')}"
            f"but the page says\n{textwrap.indent(expected, '    ')}"
        )

    def expect_success(self, where: str) -> None:
        """A command that fails is followed by one that asks for its exit code."""
        assert self.exit_code == 0, f"{where}: the page does not say that the command before fails"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program where the reader is; its messages and its output together."""
        return subprocess.run(
            command,
            cwd=self.place,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )


def validate(block: Block) -> None:
    """A yaml block is a workflow, or steps that could stand in one."""
    text = block.text
    if text.startswith("- "):
        text = "workflow: fragment\ndo:\n" + textwrap.indent(text, "  ")
    try:
        agentflow.loads(text, path=block.place, root=ROOT)
    except SpecError as error:
        pytest.fail("\n".join(f"{d.span}: {d.message} {d.help}" for d in error.diagnostics))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize(
    ("expected", "printed", "holds"),
    [
        ("a", "a\n", True),
        ("a", "b\n", False),
        ("took … long", "took very long\n", True),
        ("…\nend", "x\ny\nend\n", True),
        ("…\nend", "end\n", True),
        ("…\nend", "x\ny\n", False),
        ("", "", True),
        ("", "x\n", False),
        ("a.c", "abc\n", False),
        ("12:00:01 load 1.2s", "23:59:59 load 10.0s\n", True),
        ("12:00:01 load 1.2s", "23:59:59 save 10.0s\n", False),
        ("1m89r5zjvkbetn96", "1m89r7tdyajk5g8k\n", True),
        ("4 results are kept", "1 result is kept\n", True),
        ("4 results are kept", "no result is kept\n", False),
    ],
)
def test_expected_output_is_compared_line_by_line(
    expected: str, printed: str, *, holds: bool
) -> None:
    assert prints(expected, printed) is holds
