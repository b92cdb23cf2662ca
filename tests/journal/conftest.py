from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_examples import SPEC

from agentflow.runtime.journal.store import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(None, tmp_path)
    opened.register(SPEC)
    yield opened
    opened.close()
