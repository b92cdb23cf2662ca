"""The store's clock in Unix seconds, as SQL: a server's own, a file's that of this machine.

Leases go by it: a server's is one for all machines. SQLite asks a function that each of its
connections is given, so that a test or a simulation may set the time.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

FUNCTION = "agentflow_now"
"""What SQLite calls."""


class Now(FunctionElement[float]):
    """The time at which a statement runs."""

    inherit_cache = True
    type = Float()


@compiles(Now, "postgresql")
def _server(_element: Now, _compiler: Any, **_options: Any) -> str:
    return "date_part('epoch', clock_timestamp())"


@compiles(Now, "sqlite")
def _file(_element: Now, _compiler: Any, **_options: Any) -> str:
    return f"{FUNCTION}()"
