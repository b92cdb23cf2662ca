"""Statements that are given to the driver as text: the same on each database, errors included."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import text

from agentflow.errors import Unavailable
from agentflow.runtime.journal.database import Database, open_database
from agentflow.runtime.journal.statements import Listing, Statement
from agentflow.runtime.journal.tables import EXECUTIONS
from tests.journal.journal_examples import SPEC, Store, begin

_WORKFLOW = select(EXECUTIONS.c.workflow).where(EXECUTIONS.c.id == bindparam("of"))
_AMONG = Listing(
    lambda ids: select(EXECUTIONS.c.id).where(
        EXECUTIONS.c.id.in_(ids), EXECUTIONS.c.workflow == bindparam("workflow")
    ),
    EXECUTIONS.c.id.type,
    "workflow",
)


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    """A store with executions `e0` to `e699`."""
    journal = store.open()
    journal.register(SPEC)
    with journal.group():
        for number in range(700):
            begin(journal, f"e{number}")
    journal.close()
    opened = open_database(store.url, store.root, wait_seconds=5)
    yield opened
    opened.close()


def test_parameters_have_the_order_of_their_names_whatever_the_text_says(
    database: Database,
) -> None:
    rename = Statement(
        update(EXECUTIONS)
        .where(EXECUTIONS.c.id == bindparam("of"), EXECUTIONS.c.status == "running")
        .values(workflow=bindparam("new"), version=bindparam("new")),
        "of",
        "new",
    )
    renamed = Statement(
        select(EXECUTIONS.c.workflow, EXECUTIONS.c.version).where(
            EXECUTIONS.c.id == bindparam("of")
        ),
        "of",
    )
    assert database.write(lambda c: rename.run_all(c, [("e1", "one"), ("e2", "two")])) == 2
    assert database.write(lambda c: rename.run(c, "nobody", "three")) == 0
    found = database.read(lambda c: [renamed.first(c, id) for id in ("e1", "e2", "e3", "nobody")])
    assert found == [("one", "one"), ("two", "two"), ("hello", "1"), None]


def test_a_list_may_be_longer_than_a_query_can_be(database: Database) -> None:
    every = {f"e{number}" for number in range(700)}
    found = database.read(lambda c: list(_AMONG.rows(c, every | {"nobody"}, "hello")))
    assert (len(found), {id for (id,) in found}) == (700, every)
    assert database.read(lambda c: list(_AMONG.rows(c, [], "hello"))) == []
    assert database.read(lambda c: list(_AMONG.rows(c, every, "other"))) == []


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("UPDATE executions SET id = 'e2' WHERE id = 'e1'", IntegrityError),
        ("UPDATE nothing SET id = 1", Unavailable),
    ],
    ids=["a rule of the tables", "a mistake"],
)
def test_errors_are_those_of_other_statements(
    database: Database, statement: str, error: type[Exception]
) -> None:
    broken = Statement(text(statement))
    with pytest.raises(error, match=r"nothing|id"):
        database.write(lambda outer: database.write(broken.run))
    assert database.read(lambda c: Statement(_WORKFLOW, "of").value(c, "e1")) == "hello"


def test_a_part_that_fails_is_undone_alone(database: Database) -> None:
    rename = Statement(
        update(EXECUTIONS).where(EXECUTIONS.c.id == bindparam("of")).values(workflow="renamed"),
        "of",
    )
    done: list[str] = []

    def part(connection: Connection, id: str, *inner: str) -> None:
        rename.run(connection, id)
        database.when_committed(lambda: done.append(id))
        for each in inner:
            with pytest.raises(KeyError):
                database.write(lambda c, each=each: part(c, each))  # type: ignore[misc]  # mypy has no type for it
        if id != "e1":
            raise KeyError(id)

    database.write(lambda c: part(c, "e1", "e2", "e3"))
    workflows = database.read(
        lambda c: [Statement(_WORKFLOW, "of").value(c, f"e{n}") for n in (1, 2, 3)]
    )
    assert (workflows, done) == (["renamed", "hello", "hello"], ["e1"])


def test_reading_after_an_error_begins_a_new_snapshot(database: Database) -> None:
    def fail(connection: Connection) -> None:
        raise KeyError

    for _ in range(9):
        with pytest.raises(KeyError):
            database.read(fail)
    rename = update(EXECUTIONS).where(EXECUTIONS.c.id == "e1").values(workflow="renamed")
    database.write(lambda connection: connection.execute(rename))
    assert database.read(lambda c: Statement(_WORKFLOW, "of").value(c, "e1")) == "renamed"
