"""Specs and executions are kept, found and listed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from agentflow.errors import AgentFlowError, Conflict, NotFound, UsageError
from agentflow.runtime.journal.protocol import Change
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import SPEC, begin, completed, execution, started


def test_a_spec_comes_back_as_it_was_registered(journal: Journal) -> None:
    spec = replace(SPEC, digest="d2", name="parent", children={"child.yaml": "d1"}, text="ä\n")
    journal.register(spec)
    journal.register(spec)
    assert journal.spec("d2") == journal.find_spec("parent") == spec


def test_the_spec_registered_last_is_the_latest_of_its_name(journal: Journal) -> None:
    newer = replace(SPEC, digest="d2", version="2")
    journal.register(newer)
    assert journal.find_spec("hello") == newer
    journal.register(SPEC)
    assert journal.find_spec("hello") == SPEC
    assert journal.spec("d2") == newer


def test_an_unknown_spec_is_not_found(journal: Journal) -> None:
    assert journal.find_spec("nobody") is None
    with pytest.raises(NotFound, match="digest d9"):
        journal.spec("d9")


def test_an_execution_comes_back_as_it_was_created(journal: Journal) -> None:
    begin(journal, "p")
    asked = execution("e", labels={"team": "a"}, parent="p", parent_key="x", owner="me")
    stored, created = journal.create(asked, started("e"))
    assert created
    assert stored == journal.execution("e") == replace(asked, head=1)


def test_starting_again_gives_the_same_execution(journal: Journal) -> None:
    begin(journal, "e", input={"a": 1, "b": 2})
    journal.append([completed("e", 2)], [], {"e": 1})
    again = execution("e", input={"b": 2, "a": 1}, started_at=500.0)
    stored, created = journal.create(again, started("e"))
    assert not created
    assert stored == journal.execution("e")
    assert (stored.head, stored.started_at) == (2, 100.0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"input": {"name": "Moon"}}, "another input"),
        ({"input": {"name": True}}, "another input"),
        ({"digest": "d2"}, "another version"),
        ({"workflow": "other", "digest": "d3"}, "of workflow hello, not other"),
    ],
    ids=["input", "type in the input", "text", "workflow"],
)
def test_an_id_is_not_reused_for_something_else(
    journal: Journal, fields: dict[str, Any], reason: str
) -> None:
    begin(journal, "e")
    with pytest.raises(Conflict, match=reason):
        journal.create(execution("e", **fields), started("e"))


def test_an_unknown_execution_is_not_found(journal: Journal) -> None:
    for ask in (journal.execution, journal.history, journal.replay):
        with pytest.raises(NotFound, match="no execution 'e'"):
            ask("e")


def test_executions_are_listed_newest_first(journal: Journal) -> None:
    journal.register(replace(SPEC, digest="d2", name="other"))
    for number in range(6):
        fields = {"workflow": "other", "digest": "d2"} if number % 2 else {}
        begin(journal, f"e{number}", started_at=float(number), **fields)
    journal.append([], [Change("e1", "failed"), Change("e2", "failed")], {"e1": 1, "e2": 1})

    def listed(**filters: Any) -> list[str]:
        return [found.id for found in journal.executions(**filters)]

    assert listed() == ["e5", "e4", "e3", "e2", "e1", "e0"]
    assert listed(limit=2) == ["e5", "e4"]
    assert listed(workflow="other") == ["e5", "e3", "e1"]
    assert listed(status="failed") == ["e2", "e1"]
    assert listed(status="failed", workflow="hello") == ["e2"]


def test_children_are_listed_in_the_order_they_started(journal: Journal) -> None:
    begin(journal, "p")
    begin(journal, "later", parent="p", started_at=102.0)
    begin(journal, "sooner", parent="p", started_at=101.0)
    assert [child.id for child in journal.children("p")] == ["sooner", "later"]
    assert journal.children("sooner") == []


@pytest.fixture
def known(journal: Journal) -> Journal:
    names = ("abc", "abcdef", "abx", "Ümläut", "a%c", "z_9")
    for at, name in enumerate(names):
        begin(journal, name, started_at=float(at))
    journal.append([], [Change("abx", "failed")], {"abx": 1})
    return journal


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ("abcdef", "abcdef"),
        ("abcd", "abcdef"),
        ("abc", "abc"),
        ("abx", "abx"),
        ("Üm", "Ümläut"),
        ("a%", "a%c"),
        ("z_", "z_9"),
        ("@last", "z_9"),
        ("@last-failed", "abx"),
    ],
)
def test_a_reference_means_one_execution(known: Journal, reference: str, meant: str) -> None:
    assert known.resolve(reference) == meant


@pytest.mark.parametrize(
    ("reference", "kind", "text"),
    [
        ("ab", UsageError, "abc, abcdef, abx"),
        ("q", NotFound, "no execution 'q'"),
        ("ABC", NotFound, "no execution 'ABC'"),
        ("", NotFound, "no execution ''"),
        ("a_c", NotFound, "no execution 'a_c'"),
        ("@first", NotFound, "no execution '@first'"),
    ],
)
def test_a_reference_that_means_none_or_many_is_refused(
    known: Journal, reference: str, kind: type[AgentFlowError], text: str
) -> None:
    with pytest.raises(kind, match=text):
        known.resolve(reference)


def test_a_mistyped_id_is_answered_with_what_was_meant(known: Journal) -> None:
    with pytest.raises(NotFound) as refused:
        known.resolve("abcdfe")
    assert refused.value.help.startswith("did you mean abcdef")


@pytest.mark.parametrize("reference", ["@last", "@last-failed"])
def test_an_empty_journal_has_no_last_execution(journal: Journal, reference: str) -> None:
    with pytest.raises(NotFound, match="yet"):
        journal.resolve(reference)


def test_many_candidates_are_cut_short(journal: Journal) -> None:
    for number in range(9):
        begin(journal, f"x{number}")
    with pytest.raises(UsageError, match="x0, x1, x2, x3, x4, …"):
        journal.resolve("x")


def test_the_database_libraries_are_loaded_only_when_a_journal_is_opened() -> None:
    script = (
        "import sys, agentflow.runtime.journal, agentflow.runtime.journal.protocol\n"
        "import agentflow.runtime.journal.errors, agentflow.runtime.journal.owner\n"
        "heavy = {'sqlalchemy', 'alembic', 'pydantic'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
        "from agentflow.runtime.journal import Journal\n"
        "assert 'sqlalchemy' in sys.modules and 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_missing_database_library_is_one_clear_error() -> None:
    script = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from agentflow.errors import Unavailable\n"
        "import agentflow.runtime.journal as door\n"
        "try: door.Journal\n"
        "except Unavailable as error: print(error, error.help)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "sqlalchemy" in done.stdout
    assert "pip install 'inferloop-agentflow[journal]'" in done.stdout
