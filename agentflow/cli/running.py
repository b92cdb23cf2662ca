"""Carrying executions to their end: `run`, `resume`, `retry`, `fork`, `cancel`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentflow.cli import cluster, detached, foreign, inputs, jobs, specs, stores
from agentflow.cli.options import (
    AsJson,
    Cloud,
    Endpoint,
    Executor,
    From,
    Input,
    Quiet,
    Ray,
    Reference,
    Region,
    Simulation,
    Spec,
    Verbose,
)
from agentflow.cli.progress import Progress
from agentflow.cli.replaying import replay
from agentflow.cli.session import Manner, carry, report
from agentflow.errors import UsageError
from agentflow.runtime.batch import cancelling
from agentflow.runtime.catalog import restored
from agentflow.runtime.ids import checked_id, new_id
from agentflow.spec.inputs import check_input

if TYPE_CHECKING:
    from agentflow.runtime.journal import Journal
    from agentflow.runtime.journal.protocol import StoredExecution


def run(
    spec: Spec,
    /,
    *,
    input_: Input = None,
    id_: Annotated[
        str | None,
        Parameter(
            name="--id",
            metavar="ID",
            help="The execution's id. The same id and input again give the same execution.",
        ),
    ] = None,
    executor: Executor = None,
    ray: Ray = None,
    detach: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Print the id and return; the execution goes on in the background.",
        ),
    ] = False,
    from_: From = None,
    simulation: Simulation | None = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Run a workflow to its end and print its output as JSON.

    Everything it does is recorded. If it is interrupted, `agentflow resume ID` goes on where it
    stopped. Ctrl-C interrupts it, and a second one cancels it.

    With `--from`, SPEC is a definition in a cloud's own language, and it runs as that cloud would
    run it: with its error names and limits, by default in virtual time. Nothing is recorded.
    """
    if from_ is not None:
        _check_simulated(
            {"--id": id_, "--executor": executor, "--ray": ray, "--detach": detach or None}
        )
        chosen = simulation or Simulation()
        told = foreign.Manner(
            chosen.functions,
            chosen.stubs,
            tuple(chosen.symbol or ()),
            chosen.real_time,
            as_json=as_json,
            quiet=quiet,
        )
        return foreign.run(spec, from_, input_, told)
    if simulation is not None:
        raise UsageError(
            "--functions, --stubs, --symbol and --real-time are for definitions of a cloud",
            help="say which language the file is in: --from aws",
        )
    loaded = specs.named(spec)
    given = None if input_ is None else inputs.read(input_, of="--input")
    data = check_input(loaded.workflow, given)
    execution = checked_id(id_) if id_ is not None else new_id()
    manner = Manner(executor, as_json, verbose, quiet, ray)
    if url := cluster.job_url(ray, executor):
        words = ("run", jobs.relative(spec, loaded.root), "--id", execution)
        request = jobs.Request(loaded.root, execution, words, data)
        return jobs.carry(url, request, manner, detach=detach)
    if detach:
        return detached.start(loaded, data, execution, manner)
    return carry(
        loaded.root,
        manner,
        Progress(loaded.workflow, execution),
        lambda engine: engine.start(loaded, data, id=execution),
        is_new=True,
    )


def _check_simulated(unused: dict[str, str | bool | None]) -> None:
    """Refuse options that mean nothing where nothing is recorded."""
    for name, value in unused.items():
        if value is not None:
            raise UsageError(
                f"{name} has no meaning with --from: a simulation is not recorded",
                help="`agentflow import` makes a workflow of a definition, which can be run so",
            )


def resume(
    execution: Reference,
    /,
    *,
    executor: Executor = None,
    ray: Ray = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Go on with an execution whose process is gone.

    Steps that completed are in the journal and do not run again.
    """
    manner = Manner(executor, as_json, verbose, quiet, ray)
    if url := cluster.job_url(ray, executor):
        words = ("resume", execution)
        return jobs.carry(url, jobs.Request(stores.project_root(), execution, words), manner)
    return carry(
        stores.project_root(),
        manner,
        execution,
        lambda engine: engine.resume(execution),
    )


def retry(
    execution: Reference,
    /,
    *,
    executor: Executor = None,
    ray: Ray = None,
    target: Cloud = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Run again what failed in an execution, or was cancelled, then go on.

    Steps that completed are in the journal and do not run again. In a cloud (`--target`) the
    execution goes on where it failed, too, for as long as the cloud allows it.
    """
    cluster.check_cloud(target, region=region, endpoint_url=endpoint_url)
    cluster.check_here(target, ray=ray, executor=executor)
    if target is not None:
        from agentflow.cli import deploying

        where = deploying.Where(target, region, endpoint_url)
        return deploying.retry(execution, where, as_json=as_json)
    manner = Manner(executor, as_json, verbose, quiet, ray)
    if url := cluster.job_url(ray, executor):
        words = ("retry", execution)
        return jobs.carry(url, jobs.Request(stores.project_root(), execution, words), manner)
    return carry(
        stores.project_root(),
        manner,
        execution,
        lambda engine: engine.retry(execution),
    )


def fork(
    execution: Reference,
    /,
    *,
    at: Annotated[
        str, Parameter(metavar="STEP", help="Where the new execution takes over: this step runs.")
    ],
    input_: Input = None,
    spec: Annotated[
        str | None,
        Parameter(metavar="SPEC", help="A changed workflow; nothing before the step may differ."),
    ] = None,
    executor: Executor = None,
    ray: Ray = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Start a new execution from a step of another one, with another input or workflow.

    It begins with the other's history: steps before `--at` that completed do not run again. The
    other execution stays as it is.
    """
    data = ... if input_ is None else inputs.read(input_, of="--input")
    changed = None if spec is None else specs.named(spec)
    manner = Manner(executor, as_json, verbose, quiet, ray)
    if url := cluster.job_url(ray, executor):
        root = stores.project_root()
        words: tuple[str, ...] = ("fork", execution, "--at", at)
        if spec is not None:
            words = (*words, "--spec", jobs.relative(spec, root))
        return jobs.carry(url, jobs.Request(root, execution, words, data), manner)
    return carry(
        stores.project_root(),
        manner,
        None,
        lambda engine: engine.fork(execution, at=at, input=data, spec=changed),
    )


def cancel(
    execution: Reference,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; it is recorded.")] = "",
    executor: Executor = None,
    ray: Ray = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> int:
    """Stop an execution: its `finally` blocks run, and its sagas undo what they did.

    If another process runs it, that process is asked; this command waits until it is done.
    """
    manner = Manner(executor, as_json, verbose, quiet, ray)
    if url := cluster.job_url(ray, executor):
        words = ("cancel", execution, "--reason", reason)
        return jobs.carry(url, jobs.Request(stores.project_root(), execution, words), manner)
    with stores.open_journal() as journal:
        found = journal.execution(journal.resolve(execution))
        if found.is_batch:
            cancelling.cancel(journal, found.id, reason)
            return report(journal, journal.execution(found.id), manner, "cancelled")
        progress = _so_far(journal, found)
    return carry(
        stores.project_root(),
        manner,
        progress,
        lambda engine: engine.cancel(found.id, reason),
        wanted="cancelled",
    )


def _so_far(journal: Journal, record: StoredExecution) -> Progress:
    """Where an execution stands that another process may run."""
    loaded = restored(journal, record.digest, Path(record.root))
    return replay(loaded.workflow, record.id, journal.history(record.id)).progress
