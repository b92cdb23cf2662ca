"""Counting words: a word is a run of ASCII letters and underscores, whatever its case."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from typing import TypedDict

from agentflow.functions import function
from functions.project import existing_folder

WORD = re.compile(rb"[a-z_]+")
"""Searched in bytes: letters of ASCII are the same bytes in UTF-8, Latin-1 and their like."""

LONGEST = 10
"""How many of the longest files a count keeps."""


class FileLength(TypedDict):
    """How many words a file has."""

    path: str
    words: int


class WordCount(TypedDict):
    """How often a word occurs."""

    word: str
    count: int


class Counts(TypedDict):
    """What is known about the words of some files; two of them add up to one of the same kind."""

    files: int
    total: int
    words: dict[str, int]
    longest: list[FileLength]
    """At most `LONGEST`, most words first; the same number of words, then by path."""


@function
def count_words(folder: str, paths: list[str]) -> Counts:
    """Count the words of files; paths are relative to the folder."""
    root = existing_folder(folder)
    words: Counter[bytes] = Counter()
    lengths: list[FileLength] = []
    for path in paths:
        found = WORD.findall((root / path).read_bytes().lower())
        words.update(found)
        lengths.append({"path": path, "words": len(found)})
    return {
        "files": len(paths),
        "total": words.total(),
        "words": {word.decode("ascii"): count for word, count in words.items()},
        "longest": _longest(lengths),
    }


@function
def merge_counts(items: list[Counts]) -> Counts:
    """Add counts up."""
    words: Counter[str] = Counter()
    for item in items:
        words.update(item["words"])
    return {
        "files": sum(item["files"] for item in items),
        "total": sum(item["total"] for item in items),
        "words": dict(words),
        "longest": _longest([length for item in items for length in item["longest"]]),
    }


@function
def most_common(words: dict[str, int], n: int = 20) -> list[WordCount]:
    """Give the `n` most frequent words, most frequent first; equally frequent ones by alphabet."""
    top = heapq.nsmallest(n, words.items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"word": word, "count": count} for word, count in top]


@function
def compare_words(left: list[WordCount], right: list[WordCount]) -> dict[str, list[str]]:
    """Tell which words two lists share, and which only one of them has, by alphabet."""
    ours, theirs = ({entry["word"] for entry in side} for side in (left, right))
    return {
        "both": sorted(ours & theirs),
        "only_left": sorted(ours - theirs),
        "only_right": sorted(theirs - ours),
    }


def _longest(lengths: list[FileLength]) -> list[FileLength]:
    return heapq.nsmallest(LONGEST, lengths, key=lambda entry: (-entry["words"], entry["path"]))
