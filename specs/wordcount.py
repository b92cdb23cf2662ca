"""Map-reduce in Python: the same steps as wordcount.yaml, and the same result.

agentflow run specs/wordcount.py --input @specs/inputs/wordcount.json
agentflow export specs/wordcount.py        the YAML that it means
"""

from __future__ import annotations

from typing import Any

from agentflow import gather, workflow
from functions.files import shard_files
from functions.text import count_words, merge_counts, most_common


@workflow
def wordcount(folder: str, pattern: str = "*", exclude: list[str] | None = None) -> dict[str, Any]:
    """Count the words of the text files in a folder."""
    # Shards of about two megabytes: one list of files is one item of the map below.
    shards = shard_files(folder=folder, pattern=pattern, exclude=exclude)
    counts = gather(
        [count_words(folder=folder, paths=paths) for paths in shards],
        batch="auto",
        reduce=merge_counts,
        arity=32,
    )
    top = most_common(words=counts["words"], n=20)
    return {
        "files": counts["files"],
        "total_words": counts["total"],
        "top": top,
        "longest": counts["longest"],
    }
