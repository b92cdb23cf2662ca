"""Help as plain text, in lines as long as the terminal is wide; imported when help is asked for."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from cyclopts.help import PlainFormatter

if TYPE_CHECKING:
    from rich.console import Console

_HANGING = "      "
"""Before the further lines of an option, so that its name stands out."""


class Formatter(PlainFormatter):
    """Breaks lines once: docstrings are broken already, and not where the terminal ends."""

    def _print_plain(self, console: Console, text: str) -> None:
        indent = text[: len(text) - len(text.lstrip(" "))]
        paragraphs = [
            textwrap.fill(
                " ".join(paragraph.split()),
                console.width,
                initial_indent=indent,
                subsequent_indent=indent and _HANGING,
                break_long_words=False,
                break_on_hyphens=False,
            )
            for paragraph in text.split("\n\n")
        ]
        console.print("\n\n".join(paragraphs), highlight=False, markup=False, soft_wrap=True)
