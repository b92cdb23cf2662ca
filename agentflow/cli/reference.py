"""The reference of the command line, made from the code: `python -m agentflow.cli.reference`."""

from __future__ import annotations

import io
import sys

from rich.console import Console

from agentflow.cli import exits, verbs
from agentflow.cli.dispatch import application

HEAD = """\
# The command line

<!-- Written by `python -m agentflow.cli.reference`; a test compares them. -->

```text
{overview}```

## Output

stdout carries the result and nothing else: the output of an execution as JSON, a list, a drawing.
Progress and messages go to stderr: a live table on a terminal, else one line for each change.
`NO_COLOR` turns colours off; `--quiet` leaves only errors.

With `--json` stdout gets exactly one JSON object, also when the command fails.

| verbs | object |
|---|---|
{shapes}

Times are RFC 3339 in UTC. `status` is `running`, `waiting`, `succeeded`, `failed` or `cancelled`.

## Exit codes

| code | meaning |
|---|---|
{codes}

## Environment

| variable | meaning |
|---|---|
{variables}

## Verbs
"""


RECORD = '{"id", "workflow", "version", "status", "output", "error", "started_at", "ended_at"}'

SHAPES: dict[str, str] = {
    "`run`, `resume`, `retry`, `fork`, `cancel`, `show`": f"`{RECORD}`",
    "`executions`": '`{"executions": [{…}]}`, each as above without `output`',
    "`history`": '`{"id", "events": [{"seq", "type", "step", "attempt", "at", …}]}`',
    "`logs`": '`{"id", "lines": [{"at", "step", "line"}]}`',
    "`signal`, `approve`": '`{"id", "message", "name", "awaited"}`',
    "`validate`": '`{"valid", "files": [{"file", "workflow", "version", "steps"}]}`',
    "`export`": '`{"workflow", "files", "text"}`',
    "`import`": '`{"workflow", "files", "text", "notes"}`',
    "`test`": '`{"workflow", "target", "same", "differences", "local", "aws"}`',
    "`deploy`": '`{"plan", "changed", "changes": [{"action", "kind", "name", "detail"}], …}`',
    "`invoke`": '`{"function", "status", "output", "error"}`; of a workflow as `run`',
    "`graph`": '`{"workflow", "mermaid"}`',
    "`new`": '`{"folder", "template", "files"}`',
    "`new --list`": '`{"templates": [{"name", "description"}]}`',
    "`agents`": '`{"agents": [{"name", "capabilities", "methods", "file", "line", …}]}`',
    "`doctor`": '`{"ok", "checks": [{"name", "status", "message", "fix"}]}`',
    "`prune`": '`{"dry_run", "executions", "events", "blobs", "bytes"}`',
    "`backup`": '`{"folder"}`',
    "a refusal": '`{"error": {"code", "message", "file", "line", "column", "help"}}`',
    "mistakes in specs": "the same, with all of them under `errors`",
}
"""What each verb prints with `--json`."""

VARIABLES: dict[str, str] = {
    "DATABASE_URL": "where the journal is, `postgresql://…` or `sqlite:///…`; by default "
    "`.agentflow/journal.db` in the project",
    "REDIS_URL": "a Redis that carries hints, so that processes notice each other's news at once",
    "RAY_ADDRESS": "a running cluster to join, as with `--ray HOST:PORT`",
    "NO_COLOR": "no colours, if it is set",
    "AGENTFLOW_EXECUTOR": "`ray` (the default) or `inline`, where `--executor` does not say",
    "AGENTFLOW_BLOBS": "where values above 64 KiB are: a folder, or a URL that fsspec knows; by "
    "default beside the journal",
    "AGENTFLOW_BLOB_GRACE_SECONDS": "how old a blob that nothing refers to must be before `prune` "
    "removes it; a day",
    "AGENTFLOW_HISTORY_EVENTS": "how many events one history may hold; 50,000",
    "AGENTFLOW_HISTORY_BYTES": "how many bytes of values, without blobs; 50 MiB",
    "AGENTFLOW_STORE_WAIT_SECONDS": "how long a journal that is away or busy is waited for; 30",
    "AGENTFLOW_SECRET_NAME": "the secret `NAME` of a workflow; else the variable `NAME` itself",
}
"""What the environment says. An empty variable counts as not set."""


def reference() -> str:
    """The page, as Markdown."""
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in exits.MEANINGS.items())
    shapes = "\n".join(f"| {who} | {shape} |" for who, shape in SHAPES.items())
    variables = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in VARIABLES.items())
    tables = {"codes": codes, "shapes": shapes, "variables": variables}
    parts = [HEAD.format(overview=verbs.overview(), **tables)]
    parts += [f"### {verb.name}\n\n```text\n{_help(verb.name)}```\n" for verb in verbs.every()]
    return "\n".join(parts)


def _help(verb: str) -> str:
    """What `agentflow VERB --help` prints, at a fixed width."""
    page = io.StringIO()
    application().help_print([verb], console=Console(file=page, width=96, no_color=True))
    lines = page.getvalue().strip().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
