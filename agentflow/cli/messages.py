"""Talking to executions that wait: `signal` and `approve`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentflow.cli import cluster, exits, inputs, jobs, outcome, places, stores, terminal
from agentflow.cli.options import (
    AsJson,
    Cloud,
    Dashboard,
    Data,
    Endpoint,
    Reference,
    Region,
)
from agentflow.cli.outcome import Account, command, is_alive
from agentflow.errors import InputError, NotFound
from agentflow.runtime.bus import NoBus, RedisBus
from agentflow.runtime.catalog import restored
from agentflow.runtime.ids import new_id
from agentflow.runtime.journal.protocol import Message
from agentflow.runtime.recovery import require_open
from agentflow.runtime.settings import load_settings
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.model import Listen

if TYPE_CHECKING:
    from agentflow.errors import Json
    from agentflow.runtime.journal import Journal


def signal(
    execution: Reference,
    name: Annotated[str, Parameter(name="NAME", help="What a `listen` step waits for.")],
    /,
    *,
    data: Data = None,
    ray: Dashboard = None,
    target: Cloud = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    as_json: AsJson = False,
) -> int:
    """Send a message to an execution.

    If no step waits for it yet, it is kept until one does; in a cloud (`--target`) a step has to
    wait.
    """
    content = None if data is None else inputs.read(data, of="--data")
    cluster.check_cloud(target, region=region, endpoint_url=endpoint_url)
    if url := cluster.journal_url(ray, target):
        request = _request(data, content, "signal", execution, name)
        return jobs.ask(url, request, as_json=as_json)
    if target is not None:
        from agentflow.cli import deploying

        where = deploying.Where(target, region, endpoint_url)
        return deploying.send(execution, name, content, where, as_json=as_json)
    with stores.open_journal() as journal:
        account = _open(journal, execution)
        return _send(journal, account, name, content, as_json=as_json)


def approve(
    execution: Reference,
    step: Annotated[
        str, Parameter(name="STEP", help="The step that waits, by its place: `review`.")
    ],
    /,
    *,
    data: Data = None,
    ray: Dashboard = None,
    target: Cloud = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    as_json: AsJson = False,
) -> int:
    """Answer a step that waits for approval.

    The answer is checked against the step's form before it is sent.
    """
    content = None if data is None else inputs.read(data, of="--data")
    cluster.check_cloud(target, region=region, endpoint_url=endpoint_url)
    if url := cluster.journal_url(ray, target):
        request = _request(data, content, "approve", execution, step)
        return jobs.ask(url, request, as_json=as_json)
    if target is not None:
        from agentflow.cli import deploying

        where = deploying.Where(target, region, endpoint_url)
        return deploying.send(execution, step, content, where, as_json=as_json)
    with stores.open_journal() as journal:
        account = _open(journal, execution)
        _check(journal, account, step, content)
        return _send(journal, account, step, content, as_json=as_json)


def _request(data: str | None, content: Json, *words: str) -> jobs.Request:
    """What a job sends, beside the journal of a cluster."""
    given = ... if data is None else content
    return jobs.Request(stores.project_root(), words[1], words, given, "--data")


def _open(journal: Journal, reference: str) -> Account:
    record = journal.execution(journal.resolve(reference))
    require_open(record)
    return Account(journal, record)


def _check(journal: Journal, account: Account, step: str, content: Json) -> None:
    """Refuse an answer to a step that is no approval, or one that its form does not allow."""
    record = account.record
    workflow = restored(journal, record.digest, Path(record.root)).workflow
    place = places.find(workflow, step)
    action = place.step.action if place is not None and place.step is not None else None
    if not isinstance(action, Listen) or action.name is not None:
        waiting = [message.name for message in account.awaited if outcome.is_approval(message)]
        listed = f"it waits for: {', '.join(waiting)}" if waiting else ""
        raise NotFound(
            f"execution {record.id} has no step `{step}` that asks for approval",
            help=did_you_mean(step, waiting) or listed or f"agentflow show {record.id}",
        )
    problems = _problems(action.form, content)
    if problems:
        raise InputError(
            f"the answer does not match the form of `{step}`:\n  " + "\n  ".join(problems),
            help="give it with --data JSON",
        )


def _problems(form: Json, content: Json) -> list[str]:
    if form is None:
        return []
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(form).iter_errors(content)
    return [f"{error.json_path}: {error.message}" for error in errors]


def _send(journal: Journal, account: Account, name: str, content: Json, *, as_json: bool) -> int:
    record = account.record
    message = Message(f"{record.id}/{new_id()}", name, None, content, time.time(), record.id)
    url = load_settings().redis_url
    bus = NoBus() if url is None else RedisBus(url, journal.name)
    journal.post(message)
    asyncio.run(bus.send_at_once({"kind": "message"}))  # whoever runs it looks at once
    is_awaited = any(listening.name == name for listening in account.awaited)
    if as_json:
        terminal.result_json(
            {"id": record.id, "message": message.id, "name": name, "awaited": is_awaited}
        )
        return exits.OK
    later = "" if is_awaited else "; no step waits for it yet, it is kept until one does"
    terminal.note(f"Sent `{name}` to {record.id}{later}.")
    if not is_alive(record):
        terminal.note(f"No process runs the execution now.\n  {command('resume', record)}")
    return exits.OK
