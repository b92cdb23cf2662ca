"""What a compile says of itself: how each step is done, and how close it comes to the limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from agentflow.errors import Json, Span


@dataclass(frozen=True, slots=True)
class Entry:
    """How one step is done."""

    step: str
    """Its path."""
    how: str
    """`native`, `lowered` or `helper hop`."""
    note: str
    """What it became, or why it needs the helper."""
    span: Span


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the service, and how much of it is used."""

    name: str
    used: int | None
    """`None` where it depends on the data."""
    allowed: int
    note: str = ""


@dataclass(slots=True)
class Report:
    """Entries in the order of the spec; notes are what the reader should know and do nothing."""

    workflow: str
    target: str
    guarantee: str = ""
    """What the service promises of each step."""
    entries: list[Entry] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    children: list[Report] = field(default_factory=list)
    _known: set[Entry] = field(default_factory=set, init=False, repr=False, compare=False)

    def add(self, step: str, how: str, note: str, span: Span) -> None:
        """Note how a step is done; what is said twice is kept once."""
        entry = Entry(step, how, note, span)
        if entry not in self._known:
            self._known.add(entry)
            self.entries.append(entry)

    def as_json(self) -> dict[str, Json]:
        """The report as plain data."""
        return {
            "workflow": self.workflow,
            "target": self.target,
            "guarantee": self.guarantee,
            "steps": [
                {
                    "step": entry.step,
                    "how": entry.how,
                    "note": entry.note,
                    "line": entry.span.line,
                }
                for entry in self.entries
            ],
            "limits": [
                {
                    "limit": limit.name,
                    "used": limit.used,
                    "allowed": limit.allowed,
                    "note": limit.note,
                }
                for limit in self.limits
            ],
            "notes": self.notes,
            "children": [child.as_json() for child in self.children],
        }

    def as_text(self) -> str:
        """The report for a person."""
        return "\n".join(self.lines()) + "\n"

    def lines(self) -> Iterator[str]:
        """The lines of the report, those of children at the end."""
        yield f"{self.workflow} for {self.target}: {self.guarantee}"
        width = max((len(entry.step) for entry in self.entries), default=0)
        yield ""
        for entry in self.entries:
            yield f"  {entry.step:<{width}}  {entry.how:<10}  {entry.note}".rstrip()
        yield ""
        for limit in self.limits:
            used = "depends on the data" if limit.used is None else f"{limit.used:,}"
            note = f"  ({limit.note})" if limit.note else ""
            yield f"  {limit.name}: {used} of {limit.allowed:,}{note}"
        if self.notes:
            yield ""
            yield from (f"  note: {note}" for note in self.notes)
        for child in self.children:
            yield ""
            yield from child.lines()
