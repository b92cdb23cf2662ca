"""The command line, as the tests of deployments write it."""

from __future__ import annotations

import json
from typing import Any

from agentflow.cli.dispatch import dispatch
from agentflow.errors import Json

AWS = ("--target", "aws")


class Line:
    """A command line in the shop's folder."""

    def __init__(self, url: str | None, capsys: Any) -> None:
        self.url = url
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, Json, str]:
        """The exit code, what is printed as JSON, and the messages."""
        where = ("--endpoint-url", self.url) if self.url else ()
        code = dispatch([*words, *where, "--json"])
        printed = self._capsys.readouterr()
        return code, json.loads(printed.out), printed.err
