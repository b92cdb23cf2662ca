"""A short run of `python -m tests.journal.damage`, and proof that it would find something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agentflow.runtime.journal import chain, reading
from agentflow.runtime.journal.chain import StoredEvent
from agentflow.runtime.journal.heads import Heads
from agentflow.runtime.journal.protocol import Record
from agentflow.runtime.journal.values import Values
from tests.journal.damage import Finding, run, summary

SEED = 20


def findings(cases: int) -> list[Finding]:
    return list(run(list(range(cases)), SEED, processes=1))


@pytest.mark.slow
def test_no_damage_leads_to_a_wrong_history() -> None:
    result = summary(findings(200), SEED, 0.0)
    assert result["wrong"] == []
    assert len(result["damages"]) >= 12
    came_out = {name for counts in result["damages"].values() for name in counts}
    assert came_out == {"cases", "whole", "beginning", "refused"}


def _trusting(row: Any, events: Sequence[StoredEvent], values: Values) -> list[Record]:
    return chain._records(row.id, events, values)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("no chain", "has another history"),
        ("no log of heads", "lost acknowledged events"),
        ("no seal on specs", "would run another text"),
    ],
)
def test_a_journal_that_does_not_check_is_found_out(
    monkeypatch: pytest.MonkeyPatch, fault: str, wrong: str
) -> None:
    match fault:
        case "no chain":
            monkeypatch.setattr(reading, "verified", _trusting)
        case "no log of heads":
            monkeypatch.setattr(Heads, "known", lambda self, execution: None)
            monkeypatch.setattr(Heads, "latest", lambda self: [])
        case _:
            monkeypatch.setattr("agentflow.runtime.journal.rows._is_sealed", lambda *_: True)
    assert [finding for finding in findings(120) if wrong in finding.wrong]
