"""A process that writes to a journal: `writer_process.py ROOT EXECUTION COMMITS GROUP`.

It prints the head after each commit, which then counts as acknowledged.
"""

from __future__ import annotations

import sys
from pathlib import Path

from journal_examples import SPEC, completed, execution, message, started

from agentflow.runtime.journal.owner import owner_id
from agentflow.runtime.journal.store import Journal


def main(root: str, name: str, commits: int, group: int) -> None:
    journal = Journal.open(None, Path(root))
    journal.register(SPEC)
    journal.create(execution(name, owner=owner_id()), started(name))
    head = 1
    for number in range(commits):
        records = [completed(name, head + 1 + extra, value="x" * 200) for extra in range(group)]
        with journal.group():
            journal.append(records, [], {name: 1})
            journal.post(message("progress", f"{name}/{number}"))
        head += group
        print(head, flush=True)
    journal.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
