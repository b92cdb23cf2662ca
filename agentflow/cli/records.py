"""Looking at what is stored: `executions`, `show`, `history`, `logs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentflow.cli import cluster, exits, in_job, jobs, outcome, stores, terminal, text
from agentflow.cli.options import (
    AsJson,
    Cloud,
    Dashboard,
    Endpoint,
    Reference,
    Region,
    StatusName,
)
from agentflow.errors import UsageError
from agentflow.runtime.job import job_folder
from agentflow.runtime.live import REFUSED
from agentflow.runtime.logs import log_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow.errors import Json
    from agentflow.runtime.journal.protocol import Record, StoredExecution


def executions(
    *,
    status: Annotated[
        StatusName | None, Parameter(help="Only executions with this status.")
    ] = None,
    workflow: Annotated[
        str | None, Parameter(metavar="NAME", help="Only executions of this workflow.")
    ] = None,
    limit: Annotated[int, Parameter(metavar="N", help="At most so many.")] = 20,
    ray: Dashboard = None,
    target: Cloud = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    as_json: AsJson = False,
) -> int:
    """List executions, newest first."""
    if limit < 1:
        raise UsageError(f"--limit must be at least 1, not {limit}")
    cluster.check_cloud(target, region=region, endpoint_url=endpoint_url)
    if url := cluster.journal_url(ray, target):
        words = ["executions", "--limit", str(limit)]
        words += ["--status", status] if status else []
        words += ["--workflow", workflow] if workflow else []
        return jobs.ask(url, _request("", *words), as_json=as_json)
    if target is not None:
        from agentflow.cli import deploying

        wanted = deploying.Wanted(workflow, status, limit)
        where = deploying.Where(target, region, endpoint_url)
        return deploying.list_executions(where, wanted, as_json=as_json)
    with stores.open_journal() as journal:
        found = journal.executions(status=status, workflow=workflow, limit=limit)
    if as_json:
        terminal.result_json({"executions": [_summary(record) for record in found]})
    elif not found:
        like = " like that" if status or workflow else ""
        terminal.note(f"No executions{like} yet. `agentflow run SPEC` starts one.")
    else:
        head = ("ID", "WORKFLOW", "VERSION", "STATUS", "STARTED", "TOOK")
        terminal.result(text.columns([head, *map(_line, found)]))
    return exits.OK


def show(execution: Reference, /, *, ray: Dashboard = None, as_json: AsJson = False) -> int:
    """Show an execution: its steps, and its output or why it failed."""
    if url := cluster.journal_url(ray):
        return jobs.ask(url, _request(execution, "show", execution), as_json=as_json)
    with stores.open_journal() as journal:
        found = journal.execution(journal.resolve(execution))
        if as_json:
            terminal.result_json(stores.as_json(found))
        else:
            terminal.result(outcome.described(outcome.Account(journal, found)))
    return exits.OK


def history(execution: Reference, /, *, ray: Dashboard = None, as_json: AsJson = False) -> int:
    """List the events of an execution, in the order in which they were recorded."""
    if url := cluster.journal_url(ray):
        return jobs.ask(url, _request(execution, "history", execution), as_json=as_json)
    with stores.open_journal() as journal:
        found = journal.resolve(execution)
        events = journal.history(found)
    if as_json:
        terminal.result_json({"id": found, "events": [_event_json(event) for event in events]})
    else:
        head = ("SEQ", "AT", "EVENT", "STEP", "TRY", "")
        terminal.result(text.columns([head, *map(_event_line, events)]))
        refused = sum(event.type == REFUSED for event in events)
        if refused:
            terminal.note(f"Refused: {outcome.refused_words(refused)}.")
    return exits.OK


def logs(
    execution: Reference,
    step: Annotated[
        str | None, Parameter(name="STEP", help="Only what this step and those in it printed.")
    ] = None,
    /,
    *,
    ray: Dashboard = None,
    as_json: AsJson = False,
) -> int:
    """Show what an execution's functions printed.

    What functions print is kept in files where the execution runs, in `.agentflow/logs/`.
    """
    if url := cluster.journal_url(ray):
        words = ("logs", execution) if step is None else ("logs", execution, step)
        return jobs.ask(url, _request(execution, *words), as_json=as_json)
    with stores.open_journal() as journal:
        found = journal.resolve(execution)
        root = Path(journal.execution(found).root)
    file = log_folder(root) / f"{found}.log"
    lines = [line for line in _printed(file) if _within(line["step"], step)]
    if as_json:
        terminal.result_json({"id": found, "lines": lines})
    elif not lines:
        terminal.note(_nothing_printed(root, file))
    else:
        width = max(len(line["step"]) for line in lines)
        rows = (f"{line['at']} {line['step']:<{width}} │ {line['line']}" for line in lines)
        terminal.result("\n".join(rows))
    return exits.OK


def _request(execution: str, *words: str) -> jobs.Request:
    return jobs.Request(stores.project_root(), execution, words)


def _nothing_printed(root: Path, file: Path) -> str:
    """Why there are no lines: none were printed, or they are somewhere else."""
    is_of_job = in_job.is_copy(root)
    is_here = job_folder() is not None or (root.is_dir() and not is_of_job)
    if is_here or file.exists():
        return "Nothing was printed."
    where = "as a job of a Ray cluster" if is_of_job else f"in {root} on another machine"
    advice = "\nAsk there: agentflow logs ID --ray job:URL" if is_of_job else ""
    return f"It ran {where}, and what its functions printed is there.{advice}"


def _printed(file: Path) -> Iterator[dict[str, str]]:
    """The lines of an execution's log: `{"at", "step", "line"}`."""
    if file.exists():
        with file.open(encoding="utf-8", errors="replace") as entries:
            for entry in entries:
                at, _, rest = entry.rstrip("\n").partition(" ")
                step, _, line = rest.partition(" ")
                yield {"at": at, "step": step, "line": line}


def _within(key: str, step: str | None) -> bool:
    """Whether `key` is a step or inside of it."""
    return step is None or key == step or key.startswith((f"{step}.", f"{step}[", f"{step}~"))


def _summary(record: StoredExecution) -> dict[str, Json]:
    """A record without its output, which may be large and is what `show` is for."""
    return {name: part for name, part in stores.as_json(record).items() if name != "output"}


def _line(record: StoredExecution) -> tuple[str, ...]:
    took = text.duration(record.ended_at - record.started_at) if record.ended_at else ""
    started = text.day(record.started_at)
    return record.id, record.workflow, record.version, record.status, started, took


def _event_json(event: Record) -> dict[str, Json]:
    mark = {"superseded": True} if event.superseded else {}
    data = event.data or {}
    if event.type == REFUSED:
        data = _refusal(data)
    return {
        **data,
        "seq": event.seq,
        "type": event.type,
        "step": event.step,
        "attempt": event.attempt,
        "at": text.stamp(event.at),
        **mark,
    }


def _event_line(event: Record) -> tuple[str, ...]:
    what = text.shortened(_essence(event), 80)
    if event.superseded:
        what = f"(set aside by a retry) {what}"
    attempt = "" if event.attempt is None else str(event.attempt)
    return str(event.seq), text.day(event.at), event.type, event.step or "", attempt, what


def _essence(event: Record) -> Json:
    """The part of an event's payload that says most on one line."""
    data = {name: part for name, part in (event.data or {}).items() if part is not None}
    if event.type == REFUSED:
        return _refusal(data)
    for name in ("value", "error", "input", "outcomes", "values", "output"):
        if name in data:
            return data[name]
    return data


def _refusal(data: dict[str, Json]) -> dict[str, Json]:
    """What was refused, under a name that is not the event's own."""
    return {"refused" if name == "type" else name: part for name, part in data.items()}
