"""What is sent to executions: kept in the order of arrival, found by who listens, taken once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select
from sqlalchemy.sql.elements import ColumnElement

from agentflow.runtime.journal.backend import Topic
from agentflow.runtime.journal.protocol import Message
from agentflow.runtime.journal.reading import Reader, exists, unknown
from agentflow.runtime.journal.rows import message_of, message_row, readable
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
            return [row], lambda connection: self._post(connection, message, row)

        return write_values(self._database, self._values, prepare)

    def cursor(self) -> int:
        """The position of the newest message, to begin reading `inbox` from."""
        query = select(newest_message())
        return self._database.read(lambda connection: connection.scalar(query)) or 0

    def inbox(self, after: int, *, limit: int = 1000) -> list[tuple[int, Message]]:
        """The messages that arrived after a cursor, each with its own, oldest first.

        One look at the index when there is nothing. It gives every execution's messages: an
        orchestrator takes those it listens for and leaves the rest, which `messages_for` finds
        when somebody begins to listen. One that is damaged is left out, so that it does not keep
        the others from arriving; whoever waits for it learns of it by `messages_for`.
        """
        query = select(MESSAGES).where(MESSAGES.c.cursor > after)
        rows = self._all(query.order_by(MESSAGES.c.cursor).limit(limit))
        return [
            (row.cursor, message)
            for row in rows
            if (message := readable(row, self._values)) is not None
        ]

    def messages_for(self, execution_id: str, name: str) -> list[Message]:
        """What an execution that begins to listen for `name` finds waiting, oldest first.

        That is what was sent to it, and what was published to all since it was created, without
        what it took already. The correlation is left to the caller.
        """
        query = (
            select(MESSAGES)
            .join(EXECUTIONS, EXECUTIONS.c.id == execution_id)
            .where(MESSAGES.c.name == name, concerns_execution(), not_delivered())
            .order_by(MESSAGES.c.cursor)
        )
        return [message_of(row, self._values) for row in self._all(query)]

    def _post(self, connection: Connection, message: Message, row: Mapping[str, Any]) -> bool:
        self._database.order(connection, Topic.MESSAGES)
        known = connection.execute(select(MESSAGES).where(MESSAGES.c.id == message.id)).first()
        if known is not None:
            return self._database.in_doubt and message_of(known, self._values) == message
        if message.execution is not None:
            addressee = EXECUTIONS.c.id == message.execution
            if not exists(connection, addressee):
                raise unknown(message.execution)
        connection.execute(insert(MESSAGES), row)
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
