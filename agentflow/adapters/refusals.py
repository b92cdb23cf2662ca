"""What a target cannot express: collected while compiling, raised together."""

from __future__ import annotations

from agentflow.errors import Diagnostic, Span, SpecError
from agentflow.spec.diagnostics import in_order


class CannotExpress(SpecError):
    """The target cannot express parts of a workflow; each diagnostic says why and what to do."""

    code = "AF600"
    exit_code = 4


class Refusals:
    """The refusals of one compile."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def refuse(self, code: str, message: str, span: Span, reason: str, way_out: str) -> None:
        """Note that something cannot be expressed: what, where, why, and what to do."""
        self.diagnostics.append(Diagnostic(code, message, span, reason, way_out))

    def finish(self, sources: dict[str, str]) -> None:
        """Raise what was noted.

        Raises:
            CannotExpress: something was.
        """
        if self.diagnostics:
            first = next(iter(sources.values()), "")
            raise CannotExpress(in_order(self.diagnostics), source=first, sources=sources)
