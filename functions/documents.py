"""Documents in Markdown: what is untidy about them, and how they refer to each other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import TypedDict

from agentflow.functions import function
from functions.project import existing_file, existing_folder

LINK = re.compile(r"\]\(([\w-]+\.md)\)")

DAMPING = 0.85
"""How likely a reader follows a link, rather than opening any document; PageRank's usual value."""

REPAIRS = {
    "trailing spaces": (r"(?m)[ \t]+$", ""),
    "tabs": (r"\t", "    "),
    "repeated blank lines": (r"\n{3,}", "\n\n"),
    "heading without a space": (r"(?m)^(#+)(?=[^#\s])", r"\1 "),
}
"""Problem → the pattern that finds it, and what to put in its place."""


class Outline(TypedDict):
    """What a document is about."""

    path: str
    title: str
    headings: list[str]
    """Those below the title."""
    words: int


class Ranking(TypedDict):
    """How important each document is, and how far that moved in the last round."""

    ranks: dict[str, float]
    change: float


@function
def find_problems(text: str) -> list[str]:
    """Name what is untidy about a text, in the order in which it is best repaired."""
    return [name for name, (pattern, _) in REPAIRS.items() if re.search(pattern, text)]


@function
def repair(text: str, problem: str) -> str:
    """Put one kind of problem in order everywhere in a text."""
    pattern, replacement = REPAIRS[problem]
    return re.sub(pattern, replacement, text)


@function
async def read_links(folder: str, paths: list[str]) -> dict[str, list[str]]:
    """Read which documents of a folder link to which; links to anything else are left out."""
    root = existing_folder(folder)
    texts = await asyncio.gather(*(asyncio.to_thread((root / p).read_text, "utf-8") for p in paths))
    known = set(paths)
    return {
        path: sorted(known.intersection(LINK.findall(text)) - {path})
        for path, text in zip(paths, texts, strict=True)
    }


@function
async def stream_texts(folder: str, paths: list[str]) -> AsyncIterator[dict[str, str]]:
    """Give documents one after the other, as `{"path", "text"}`."""
    root = existing_folder(folder)
    for path in paths:
        yield {"path": path, "text": await asyncio.to_thread((root / path).read_text, "utf-8")}


@function
def outline(path: str, text: str) -> Outline:
    """Give a document's outline; without any heading, its path is the title."""
    headings = [line.lstrip("#").strip() for line in text.splitlines() if line.startswith("#")]
    title, *rest = headings or [path]
    return {"path": path, "title": title, "headings": rest, "words": len(text.split())}


@function
def spread_rank(links: dict[str, list[str]], ranks: dict[str, float]) -> Ranking:
    """Do one round of PageRank: every document shares its rank among those it links to.

    Ranks add up to 1. A document without links shares with all.
    """
    received = dict.fromkeys(links, (1 - DAMPING) / len(links))
    for document, targets in links.items():
        readers = targets or list(links)
        for target in readers:
            received[target] += DAMPING * ranks[document] / len(readers)
    change = sum(abs(received[document] - ranks[document]) for document in links)
    return {"ranks": received, "change": change}


@function
def order_by_rank(outlines: list[Outline], ranks: dict[str, float]) -> list[dict[str, object]]:
    """Put documents in the order of their ranks, as `[{"rank", "path", "title", …}]`.

    Ranks are rounded to four digits, of which the last few rounds change none.
    """
    ordered = sorted(outlines, key=lambda entry: (-ranks[entry["path"]], entry["path"]))
    return [{"rank": round(ranks[entry["path"]], 4), **entry} for entry in ordered]


@function
def describe_file(path: str) -> dict[str, int]:
    """Count the lines, words and bytes of a text file."""
    content = existing_file(path).read_bytes()
    return {"lines": content.count(b"\n"), "words": len(content.split()), "bytes": len(content)}
