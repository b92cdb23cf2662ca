"""Where a step stands in a workflow, for names of states, the report, and idempotency keys."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agentflow.adapters.aws.templates import query


@dataclass(frozen=True, slots=True)
class Path:
    """Where a step stands, as the machine's key of it: fixed pieces and variables of indexes."""

    pieces: tuple[str, ...] = ()
    """Texts, and `$variables` that hold the number between two brackets."""
    begun: str = ""
    """The variable that holds the key of the first `given` pieces, if theirs cannot be seen."""
    given: int = 0

    def step(self, id: str) -> Path:
        """A step inside."""
        return replace(self, pieces=(*self.pieces, f".{id}" if self.pieces else id))

    def round(self, variable: str) -> Path:
        """A round, item or state entered."""
        return replace(self, pieces=(*self.pieces, "[", f"${variable}", "]"))

    def carried(self, variable: str) -> Path:
        """The same place, where a variable holds its key."""
        return Path(self.pieces, variable, len(self.pieces))

    @property
    def plain(self) -> str:
        """The path without indexes, for names and reports."""
        return "".join(piece for piece in self.pieces if piece[0] not in "[]$")

    @property
    def is_computed(self) -> bool:
        """Whether the key depends on indexes."""
        return bool(self.begun) or any(piece.startswith("$") for piece in self.pieces)

    def value(self) -> str:
        """The key, as a value of the dialect."""
        texts = [f"${self.begun}"] if self.begun else []
        for piece in self.pieces[self.given :]:
            if piece.startswith("$") or not texts or texts[-1].startswith("$"):
                texts.append(piece)
            else:
                texts[-1] += piece
        if len(texts) == 1 and not self.begun:
            return texts[0]
        return query(" & ".join(t if t.startswith("$") else f"'{t}'" for t in texts))
