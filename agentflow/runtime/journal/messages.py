"""What is sent to executions: kept in the order of arrival, found by who listens, taken once."""

from __future__ import annotations

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select
from sqlalchemy.sql.elements import ColumnElement

from agentflow.runtime.journal.backend import Topic
from agentflow.runtime.journal.columns import MessageColumns, columns
from agentflow.runtime.journal.protocol import Message
from agentflow.runtime.journal.reading import Reader, unknown
from agentflow.runtime.journal.rows import message_of, message_row, readable
from agentflow.runtime.journal.statements import Statement
from agentflow.runtime.journal.tables import DELIVERIES, EXECUTIONS, MESSAGES
from agentflow.runtime.journal.writing import Prepared, write_values


class Messages(Reader):
    """Signals, approvals, published events, requests to cancel."""

    def post(self, message: Message) -> bool:
        """Keep a message for whom it concerns; `False` if its id is known already.

        Raises:
            NotFound: it is addressed to an execution that does not exist.
        """

        def prepare() -> Prepared[bool]:
            row = message_row(message, self._values)
            return [row.data], lambda connection: self._post(connection, message, row)

        return write_values(self._database, self._values, prepare)

    def cursor(self) -> int:
        """The position of the newest message, to begin reading `inbox` from."""
        return self._database.read(NEWEST.value) or 0

    def inbox(self, after: int, *, limit: int = 1000) -> list[tuple[int, Message]]:
        """The messages that arrived after a cursor, each with its own, oldest first.

        One look at the index when there is nothing. It gives every execution's messages: an
        orchestrator takes those it listens for and leaves the rest, which `messages_for` finds
        when somebody begins to listen. One that is damaged is left out, so that it does not keep
        the others from arriving; whoever waits for it learns of it by `messages_for`.
        """
        rows = self._database.read(lambda connection: _ARRIVED.rows(connection, after, limit))
        return [
            (cursor, message)
            for cursor, *row in rows
            if (message := readable(MessageColumns._make(row), self._values)) is not None
        ]

    def messages_for(self, execution_id: str, name: str) -> list[Message]:
        """What an execution that begins to listen for `name` finds waiting, oldest first.

        That is what was sent to it, and what was published to all since it was created, without
        what it took already. The correlation is left to the caller.
        """
        rows = self._database.read(lambda connection: _WAITING.rows(connection, execution_id, name))
        return [message_of(MessageColumns._make(row), self._values) for row in rows]

    def delivered(self, execution_id: str, name: str) -> set[str]:
        """The ids of messages that were sent to an execution and that it will not find waiting.

        It has taken them, or a retry dropped them.
        """
        found = self._database.read(
            lambda connection: _DELIVERED.rows(connection, execution_id, name)
        )
        return {message for (message,) in found}

    def _post(self, connection: Connection, message: Message, row: MessageColumns) -> bool:
        self._database.order(connection, Topic.MESSAGES)
        known = _KNOWN.first(connection, message.id)
        if known is not None:
            found = MessageColumns._make(known)
            return self._database.in_doubt and message_of(found, self._values) == message
        if message.execution is not None and not _ADDRESSEE.first(connection, message.execution):
            raise unknown(message.execution)
        _KEEP.run(connection, *row)
        return True


def newest_message() -> ColumnElement[int]:
    """The cursor of the newest message, `NULL` while there is none."""
    return select(func.max(MESSAGES.c.cursor)).scalar_subquery()


def concerns_execution() -> ColumnElement[bool]:
    """A message is addressed to the execution of the row, or was published since it exists."""
    return or_(
        MESSAGES.c.execution_id == EXECUTIONS.c.id,
        and_(MESSAGES.c.execution_id.is_(None), MESSAGES.c.cursor > EXECUTIONS.c.deaf_until),
    )


def not_delivered() -> ColumnElement[bool]:
    """The execution of the row has not taken the message."""
    return ~(
        select(DELIVERIES.c.key)
        .where(
            DELIVERIES.c.message_id == MESSAGES.c.id,
            DELIVERIES.c.execution_id == EXECUTIONS.c.id,
        )
        .exists()
    )


NEWEST = Statement(select(newest_message()))
_COLUMNS = columns(MESSAGES, MessageColumns)
_ARRIVED = Statement(
    select(MESSAGES.c.cursor, *_COLUMNS)
    .where(MESSAGES.c.cursor > bindparam("after"))
    .order_by(MESSAGES.c.cursor)
    .limit(bindparam("most")),
    "after",
    "most",
)
_WAITING = Statement(
    select(*_COLUMNS)
    .join(EXECUTIONS, EXECUTIONS.c.id == bindparam("execution"))
    .where(MESSAGES.c.name == bindparam("name"), concerns_execution(), not_delivered())
    .order_by(MESSAGES.c.cursor),
    "execution",
    "name",
)
_DELIVERED = Statement(
    select(MESSAGES.c.id)
    .join(
        DELIVERIES,
        and_(
            DELIVERIES.c.message_id == MESSAGES.c.id,
            DELIVERIES.c.execution_id == MESSAGES.c.execution_id,
        ),
    )
    .where(MESSAGES.c.execution_id == bindparam("execution"), MESSAGES.c.name == bindparam("name")),
    "execution",
    "name",
)
_KNOWN = Statement(select(*_COLUMNS).where(MESSAGES.c.id == bindparam("id")), "id")
_ADDRESSEE = Statement(select(EXECUTIONS.c.id).where(EXECUTIONS.c.id == bindparam("id")), "id")
_KEEP = Statement(insert(MESSAGES), *MessageColumns._fields)
