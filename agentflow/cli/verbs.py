"""The verbs of the command line, as a table: the overview, the parser and the docs read it.

Nothing is imported here, so that `agentflow --help` answers at once.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import NamedTuple


class Verb(NamedTuple):
    """One verb: how it is called, what it does, where its function is."""

    name: str
    arguments: str
    """As the overview shows them, options left out."""
    summary: str
    module: str
    """Where its function, of the same name (`import_` for `import`), is; imported when used."""

    @property
    def target(self) -> str:
        """What the parser imports."""
        function = f"{self.name}_" if iskeyword(self.name) else self.name
        return f"agentflow.cli.{self.module}:{function}"


GROUPS: dict[str, tuple[Verb, ...]] = {
    "Write": (
        Verb("new", "DIR", "Start a project from a template.", "project"),
        Verb("validate", "SPEC…", "Report every mistake at once.", "specs"),
        Verb("compile", "SPEC --target T", "Write a workflow for a cloud.", "compiling"),
        Verb("import", "FILE --from L", "Read a cloud's definition as a workflow.", "foreign"),
        Verb("test", "SPEC --target T", "Compare a workflow here and on a cloud.", "testing"),
        Verb("graph", "SPEC|ID", "Draw a workflow as Mermaid text.", "specs"),
        Verb("deploy", "SPEC --target T", "Put a workflow into a cloud account.", "deploying"),
        Verb("export", "SPEC", "Write a workflow as YAML.", "specs"),
    ),
    "Run": (
        Verb("run", "SPEC", "Run a workflow to its end.", "running"),
        Verb("resume", "ID", "Go on with an interrupted execution.", "running"),
        Verb("retry", "ID", "Run again what failed, then go on.", "running"),
        Verb("fork", "ID --at STEP", "Start anew from a step of an execution.", "running"),
        Verb("cancel", "ID", "Stop an execution and let it clean up.", "running"),
        Verb("invoke", "NAME", "Run one function, or a deployed workflow.", "invoking"),
        Verb("signal", "ID NAME", "Send a message to an execution.", "messages"),
        Verb("approve", "ID STEP", "Answer a step that waits for approval.", "messages"),
    ),
    "Look": (
        Verb("executions", "", "List executions, newest first.", "records"),
        Verb("show", "ID", "Show an execution: its steps, result or error.", "records"),
        Verb("history", "ID", "List the events of an execution.", "records"),
        Verb("logs", "ID", "Show what an execution's functions printed.", "records"),
        Verb("agents", "", "List the agents of this project.", "agents"),
        Verb("doctor", "", "Check this machine and say what to fix.", "doctor"),
    ),
    "Keep": (
        Verb("prune", "--older-than DURATION", "Remove what ended long ago.", "storage"),
        Verb("backup", "DIR", "Copy the journal while it is in use.", "storage"),
    ),
}
"""Verbs by the heading they stand under, in the order of the overview."""

USAGE = """\
Usage: agentflow VERB …

Write a workflow once; run it durably on Ray.
"""

FOOTER = """\
SPEC is a workflow's file, FILE.py:NAME or MODULE:NAME.
ID is an execution's id, a unique prefix of it, @last or @last-failed.
`agentflow VERB --help` explains a verb; `agentflow --version` prints the version.
"""


def overview() -> str:
    """What `agentflow --help` prints."""
    width = max(len(f"{verb.name} {verb.arguments}") for verb in every())
    lines = [USAGE]
    for heading, verbs in GROUPS.items():
        lines.append(f"{heading}:")
        for verb in verbs:
            call = f"{verb.name} {verb.arguments}"
            lines.append(f"  {call:<{width}}  {verb.summary}")
        lines.append("")
    return "\n".join([*lines, FOOTER])


def every() -> tuple[Verb, ...]:
    """All verbs, in the order of the overview."""
    return tuple(verb for verbs in GROUPS.values() for verb in verbs)


def version() -> str:
    """The version of AgentFlow."""
    import agentflow

    return agentflow.__version__
