"""A process that writes to a journal: `writer_process.py ROOT URL EXECUTION COMMITS GROUP`.

An empty URL means the project's own file. It prints the head after each commit, which then counts as acknowledged.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agentflow.runtime.journal.owner import owner_id
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import SPEC, completed, execution, message, started


def main(root: str, url: str, name: str, commits: int, group: int) -> None:
    journal = Journal.open(url or None, Path(root))
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
    _, of_root, of_url, of_execution, of_commits, of_group = sys.argv
    main(of_root, of_url, of_execution, int(of_commits), int(of_group))
