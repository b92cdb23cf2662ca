"""Where a step stands in a workflow, for names of states, the report, and idempotency keys."""

from __future__ import annotations

from dataclasses import dataclass

from agentflow.adapters.aws.templates import query


@dataclass(frozen=True, slots=True)
class Path:
    """Where a step stands, as the machine's key of it: fixed pieces and variables of indexes."""

    pieces: tuple[str, ...] = ()
    """Texts, and `$variables` that hold the number between two brackets."""

    def step(self, id: str) -> Path:
        """A step inside."""
        return Path((*self.pieces, f".{id}" if self.pieces else id))

    def round(self, variable: str) -> Path:
        """A round, item or state entered."""
        return Path((*self.pieces, "[", f"${variable}", "]"))

    @property
    def plain(self) -> str:
        """The path without indexes, for names and reports."""
        return "".join(piece for piece in self.pieces if piece[0] not in "[]$")

    def value(self) -> str:
        """The key, as a value of the dialect."""
        texts: list[str] = []
        for piece in self.pieces:
            if piece.startswith("$") or not texts or texts[-1].startswith("$"):
                texts.append(piece)
            else:
                texts[-1] += piece
        if len(texts) == 1:
            return texts[0]
        return query(" & ".join(t if t.startswith("$") else f"'{t}'" for t in texts))
