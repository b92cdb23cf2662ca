"""The commands of the page about clusters, and of `infra/`, as far as no cluster is needed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import agentflow
from agentflow.cli import cluster
from agentflow.cli.dispatch import application
from agentflow.errors import UsageError
from tests.conftest import ROOT
from tests.house.pages import blocks

PAGES = (ROOT / "docs" / "how-to" / "run-on-a-ray-cluster.md", ROOT / "infra" / "README.md")


def commands() -> Iterator[object]:
    """Command lines of `agentflow`, also behind `ray job submit … --`."""
    for page in PAGES:
        for block in blocks(page, ROOT):
            for line in block.text.splitlines():
                command = line.removeprefix("$ ")
                if command.startswith(("agentflow ", "ray job submit ")):
                    words = shlex.split(command)
                    yield pytest.param(words, id=f"{page.name}:{' '.join(words[:4])}")


@pytest.mark.parametrize("words", list(commands()))
def test_a_command_of_the_page_is_understood(words: list[str]) -> None:
    if words[0] == "ray":  # what test_jobs.py runs
        assert words[3:6] == ["--working-dir", ".", "--"]
        words = words[6:]
    _, bound, _ = application().parse_args(words[1:], exit_on_error=False, print_error=False)
    if words[1] == "run":
        spec, given = words[2], words[words.index("--input") + 1]
        assert agentflow.load(ROOT / spec).workflow.name == "wordcount"
        assert (ROOT / given.removeprefix("@")).is_file()
    ray = bound.kwargs.get("ray")
    assert ray is None or cluster.job_url(ray, None) == "http://127.0.0.1:8265"


@pytest.mark.parametrize(
    ("ray", "target", "said"),
    [
        ("head:6379", None, "--ray job:http://127.0.0.1:8265"),
        ("auto", None, "--ray job:http://127.0.0.1:8265"),
        ("job:", "aws", "leave one of them out"),
    ],
)
def test_a_journal_on_a_cluster_is_asked_by_a_job_alone(
    ray: str, target: str | None, said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        cluster.journal_url(ray, target)
    assert said in refused.value.help


@pytest.mark.parametrize(
    ("ray", "url"),
    [
        ("job:", "http://127.0.0.1:8265"),
        ("job:https://head:1/", "https://head:1"),
        ("auto", None),
        ("head:6379", None),
        (None, None),
    ],
)
def test_an_address_leads_to_a_dashboard_or_is_joined(ray: str | None, url: str | None) -> None:
    assert cluster.job_url(ray, None) == url


def test_the_manifests_that_the_page_names_are_there() -> None:
    named = re.findall(r"infra/[\w.]+", PAGES[1].read_text(encoding="utf-8"))
    assert named
    assert all((ROOT / name).is_file() for name in map(Path, named))
