"""The main job as one would write it without AgentFlow: one process, one loop, one Counter.

It shares no code with `functions/`, so that the two can prove each other right.

    python tests/house/plain_wordcount.py FOLDER PATTERN [EXCLUDED_FOLDER …]
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path


def wordcount(folder: Path, pattern: str, exclude: tuple[str, ...] = ()) -> dict[str, object]:
    """Give what `specs/wordcount.yaml` gives for the same input."""
    words: Counter[str] = Counter()
    lengths: dict[str, int] = {}
    for file in folder.rglob(pattern):
        path = file.relative_to(folder)
        if file.is_file() and not any(part in exclude for part in path.parts):
            found = re.findall("[a-z_]+", file.read_text("latin-1").translate(LOWER))
            words.update(found)
            lengths[path.as_posix()] = len(found)
    top = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:20]
    longest = sorted(lengths.items(), key=lambda item: (-item[1], item[0]))[:10]
    return {
        "files": len(lengths),
        "total_words": sum(lengths.values()),
        "top": [{"word": word, "count": count} for word, count in top],
        "longest": [{"path": path, "words": count} for path, count in longest],
    }


LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
"""ASCII only: a word of this job has no other letters."""

if __name__ == "__main__":
    place, name, *left_out = sys.argv[1:]
    print(json.dumps(wordcount(Path(place), name, tuple(left_out)), indent=2))
