"""`dev.py` and the pins it installs."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)(.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def normal(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["dev.txt", "uv.txt"])
def test_every_pin_has_a_hash_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert "://" not in text
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    pins = [number for number, line in enumerate(lines) if "==" in line and line[0] != " "]
    assert pins
    for number in pins:
        assert lines[number + 1].startswith("    --hash=sha256:"), lines[number]


def test_every_requirement_of_the_project_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    groups = [project["project"]["dependencies"], project["dependency-groups"]["dev"], *extras]
    named = [requirement for group in groups for requirement in group]
    wanted = {normal(re.split(r"[\[<>=]", requirement)[0]) for requirement in named}
    pinned = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    found = {normal(match[1]) for match in PIN.finditer(pinned)}
    assert wanted - found == {normal(project["project"]["name"])}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required"),
        (["tset"], "invalid choice"),
        (["setup", "now"], "setup takes no arguments, but got now"),
    ],
    ids=["nothing", "unknown", "too much"],
)
def test_wrong_usage_is_one_clear_error(arguments: list[str], message: str) -> None:
    command = [sys.executable, str(ROOT / "dev.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_dev_needs_nothing_but_the_standard_library() -> None:
    text = (ROOT / "dev.py").read_text(encoding="utf-8")
    modules = re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)
    assert set(modules) <= sys.stdlib_module_names


def test_the_result_is_shown_as_a_table(dev: ModuleType) -> None:
    output = {
        "files": 1790,
        "total_words": 2500000,
        "top": [{"word": "self", "count": 90000}, {"word": "the", "count": 50000}],
        "longest": [{"path": "test/test_typing.py", "words": 40000}],
    }
    assert dev.present(output).splitlines() == [
        "",
        "2,500,000 words in 1,790 files",
        "",
        "  most common                   longest files",
        "  self                90,000     40,000  test/test_typing.py",
        "  the                 50,000",
    ]


def test_ci_runs_what_contributors_run() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^python3 .*$", text, re.MULTILINE) == [
        "python3 dev.py test",
        "python3 dev.py lint",
    ]
