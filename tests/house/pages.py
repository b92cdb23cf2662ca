"""Pages of the documentation as something to run: their fenced blocks, in order.

A block's language says what happens to it:

    console      each line after `$ ` is a command; the lines below it are what it must print
    yaml         a workflow, or a list of steps, which must be valid
    python       a program, which must run
    json, toml   must be well-formed
    sh           for a bare machine; must be among the commands that CI itself runs
    text         an illustration

A block whose first line is a comment with a path (`# specs/words.yaml`) is written to that file.
In expected output `…` stands for anything in a line, and a line of its own for any lines. Ids,
times, durations and how much a failure left done are compared by their form, so that a page may
show real ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"(?ms)^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$")
TARGET = re.compile(r"\A# (?P<path>[\w./-]+/[\w.-]+\.\w+)\n")

FORMS = {
    "<id>": re.compile(r"\b[0-9][0-9a-hjkmnp-tv-z]{15}\b"),
    "<time>": re.compile(r"\b(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:\.\d+Z)?"),
    "<duration>": re.compile(r"\b\d+(?:\.\d+)?s\b"),
    # How many of its siblings had completed when an item failed is a race.
    "<results>": re.compile(r"\b(?:1 result is|\d+ results are)\b"),
}
"""What changes from run to run, and what is compared in its place."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def target(self) -> str | None:
        """The file that the block is the content of."""
        match = TARGET.match(self.text)
        return match["path"] if match else None

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A line after `$ `, and what a page says it prints."""

    text: str
    expected: str


def blocks(page: Path, root: Path) -> list[Block]:
    """The fenced blocks of a page."""
    content = page.read_text(encoding="utf-8")
    name = str(page.relative_to(root))
    return [
        Block(name, content.count("\n", 0, match.start()) + 1, match["language"], _dedent(match))
        for match in FENCE.finditer(content)
    ]


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    found: list[list[str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append([line[2:]])
        elif not found:
            raise AssertionError(f"{block.place}: a console block starts with `$ `")
        elif found[-1][-1].endswith("\\"):
            found[-1][-1] += f"\n{line}"
        else:
            found[-1].append(line)
    return [Command(command, "\n".join(expected)) for command, *expected in found]


def prints(expected: str, printed: str) -> bool:
    """Whether what was printed is what the page says."""
    pattern = ""
    for line in _without_chance(expected).splitlines():
        if line == "…":
            pattern += r"(?:.*\n)*"
        else:
            pattern += ".*".join(map(re.escape, line.split("…"))) + r"\n"
    text = _without_chance(printed)
    return re.fullmatch(pattern, f"{text}\n" if text else "") is not None


def _without_chance(text: str) -> str:
    for name, form in FORMS.items():
        text = form.sub(name, text)
    # Columns are as wide as what they hold, so the number of spaces changes too.
    return re.sub(r"(?<=\S) {2,}", "  ", re.sub(r" +$", "", text, flags=re.MULTILINE)).rstrip()


def _dedent(match: re.Match[str]) -> str:
    return "".join(
        line.removeprefix(match["indent"]) for line in match["text"].splitlines(keepends=True)
    )
