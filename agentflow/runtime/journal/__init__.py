"""The journal: what is known about executions, kept in a database.

`Journal` is imported when it is first asked for: the database libraries take longer to load than
most commands take to run, and are an extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow.errors import Unavailable

if TYPE_CHECKING:
    from agentflow.runtime.journal.store import Journal

__all__ = ["Journal"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from agentflow.runtime.journal import store
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"the journal needs the package {error.name}, which is not installed",
            help="pip install 'inferloop-agentflow[journal]'",
        ) from error
    return store.Journal
