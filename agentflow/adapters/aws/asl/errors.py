"""What goes wrong inside a state, in the service's words."""

from __future__ import annotations

RUNTIME = "States.Runtime"
QUERY = "States.QueryEvaluationError"
TIMEOUT = "States.Timeout"
TASK_FAILED = "States.TaskFailed"
DATA_LIMIT = "States.DataLimitExceeded"
REFERENCE_PATH = "States.ReferencePathConflict"
ITEM_READER = "States.ItemReaderFailed"
RESULT_WRITER = "States.ResultWriterFailed"
TOLERANCE = "States.ExceedToleratedFailureThreshold"

WILDCARD = "States.ALL"


class StateError(Exception):
    """A named error of a state; `cause` is the text that the service shows, if it has one."""

    def __init__(self, name: str | None, cause: str | None = None) -> None:
        super().__init__(name, cause)
        self.name = name
        self.cause = cause
        self.fatal = False
        """It ends the execution, whatever retriers and catchers there are."""
        self.also: frozenset[str] = frozenset()
        """Other names under which it can be caught."""


class EvaluationError(Exception):
    """A path, expression or field could not be evaluated.

    Only what is wrong; the state that evaluates adds its own name and when it was entered.
    """

    def __init__(self, detail: str, name: str = RUNTIME) -> None:
        super().__init__(detail)
        self.detail = detail
        self.name = name


class MalformedError(ValueError):
    """A path, intrinsic or expression is not well formed; `at` is the offset of the mistake."""

    def __init__(self, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
