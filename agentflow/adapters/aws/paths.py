"""Where a step stands in a workflow, for names of states, the report, and idempotency keys."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agentflow.adapters.aws.templates import query


@dataclass(frozen=True, slots=True)
class Path:
    """Where a step stands, as the machine's key of it: fixed pieces and variables of indexes."""

    pieces: tuple[str, ...] = ()
    """Texts, `$variables` that hold the number between two brackets, and what marks attempts."""
    begun: str = ""
    """The variable that holds the key of the first `given` pieces, if theirs cannot be seen."""
    given: int = 0

    def step(self, id: str) -> Path:
        """A step inside."""
        return replace(self, pieces=(*self.pieces, f".{id}" if self.pieces else id))

    def round(self, variable: str) -> Path:
        """A round, item or state entered."""
        return replace(self, pieces=(*self.pieces, "[", f"${variable}", "]"))

    def attempt(self, variable: str) -> Path:
        """One of several attempts of the step; a variable counts those before it."""
        mark = f"(${variable} = 0 ? '' : '~' & (${variable} + 1))"
        return replace(self, pieces=(*self.pieces, mark))

    def outside(self) -> Path:
        """The step around."""
        return replace(self, pieces=self.pieces[:-1])

    def carried(self, variable: str) -> Path:
        """The same place, where a variable holds its key."""
        return Path(self.pieces, variable, len(self.pieces))

    @property
    def plain(self) -> str:
        """The path without indexes, for names and reports."""
        return "".join(piece for piece in self.pieces if piece[0] not in "[]$(")

    @property
    def is_computed(self) -> bool:
        """Whether the key depends on indexes."""
        return bool(self.begun) or any(piece[0] in "$(" for piece in self.pieces)

    def value(self) -> str:
        """The key, as a value of the dialect."""
        if not self.is_computed:
            return self.plain
        return query(self.text())

    def text(self) -> str:
        """The key, as JSONata."""
        texts = [f"${self.begun}"] if self.begun else []
        for piece in self.pieces[self.given :]:
            if piece[0] in "$(" or not texts or texts[-1][0] in "$(":
                texts.append(piece)
            else:
                texts[-1] += piece
        return " & ".join(t if t[0] in "$(" else f"'{t}'" for t in texts)
