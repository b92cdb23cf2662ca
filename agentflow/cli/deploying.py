"""Putting workflows into a cloud account, and looking at what runs there: `deploy`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentflow.cli import compiling, exits, specs, terminal, text
from agentflow.cli.options import AsJson, Endpoint, Region, Spec, TargetSettings
from agentflow.errors import UsageError

if TYPE_CHECKING:
    from agentflow.adapters.aws.deploy.client import Cloud
    from agentflow.adapters.aws.deploy.deployment import Alias, Deployed
    from agentflow.adapters.aws.deploy.executions import Execution
    from agentflow.adapters.aws.deploy.ledger import Change, Ledger
    from agentflow.adapters.aws.deploy.package import Package
    from agentflow.adapters.report import Report
    from agentflow.errors import Json

_MARKS = {"create": "+", "update": "~", "publish": "+", "shift": "~", "delete": "-", "keep": "="}


def deploy(
    spec: Spec,
    /,
    *,
    target: Annotated[str, Parameter(metavar="aws", help="The cloud to deploy to.")],
    plan: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Change nothing; say what would change."),
    ] = False,
    alias: Annotated[
        str | None,
        Parameter(
            metavar="NAME",
            show_default=False,
            help="Let this alias lead to the new version; it is made if it is not there.",
        ),
    ] = None,
    shift: Annotated[
        str | None,
        Parameter(
            metavar="PERCENT",
            show_default=False,
            help="How much of what starts by the alias goes to the new version. [default: 100%]",
        ),
    ] = None,
    rollback: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Deploy nothing; let the alias lead to the version before.",
        ),
    ] = False,
    prune: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="In the end, delete older versions that nothing needs any more.",
        ),
    ] = False,
    option: TargetSettings = (),
    region: Region = None,
    endpoint_url: Endpoint = None,
    as_json: AsJson = False,
) -> int:
    """Put a workflow and its functions into a cloud account, or bring them up to date there.

    What is as it should be stays untouched, so deploying twice changes nothing. What is live goes
    on until the last step: new versions are made beside it.
    """
    check_target(target)
    wanted = _alias(alias, shift, rollback=rollback)
    for name, given in (("option", option), ("prune", prune)):
        if rollback and given:
            raise UsageError(f"--rollback deploys nothing; it takes no --{name}")
    from agentflow.adapters.aws.deploy import deployment
    from agentflow.adapters.aws.deploy.ledger import Ledger

    ledger = Ledger(plan, tell=_tell)
    if rollback:
        assert wanted is not None
        _roll_back(spec, ledger, wanted, account(region or _region(spec), endpoint_url))
        deployed = None
    else:
        package = _packed(spec, compiling.settings(option))
        cloud = account(region or package.settings.region, endpoint_url)
        _tell_promise(package.report)
        deployed = deployment.deploy(package, cloud, ledger, wanted, prunes=prune)
    for note in ledger.notes:
        terminal.note(f"  note: {note}")
    terminal.note(_summary(ledger))
    if as_json:
        terminal.result_json(_as_json(ledger, deployed))
    elif deployed is not None:
        terminal.result(deployed.start)
    return exits.OK


def check_target(target: str) -> None:
    """Refuse a cloud that nothing can be deployed to.

    Raises:
        UsageError: it is not aws.
    """
    if target != "aws":
        raise UsageError(f"there is no target `{target}` to deploy to", help="--target aws")


def account(region: str | None, endpoint_url: str | None) -> Cloud:
    """The account to work in; see `deploy.client.connect`."""
    from agentflow.adapters.aws.deploy.client import connect

    return connect(region, endpoint_url)


def execution_json(execution: Execution) -> dict[str, Json]:
    """An execution in a cloud as `--json` prints it: as one here, with its ARN."""
    return {
        "id": execution.id,
        "workflow": execution.workflow,
        "version": None,
        "status": execution.status,
        "output": execution.output,
        "error": execution.error,
        "started_at": text.stamp(execution.started_at),
        "ended_at": text.stamp(execution.ended_at),
        "arn": execution.arn,
    }


def ended(cloud: Cloud, execution: Execution, *, as_json: bool) -> int:
    """Wait for an execution in a cloud and print how it ended, as `run` does for one here.

    Ctrl-C leaves it to itself.
    """
    from agentflow.adapters.aws.deploy.executions import wait

    try:
        last = wait(cloud, execution)
    except KeyboardInterrupt:
        terminal.note(
            f"{execution.id} goes on in the cloud; `agentflow executions --target aws` tells how."
        )
        raise
    return _show(last, as_json=as_json)


def _show(execution: Execution, *, as_json: bool) -> int:
    if as_json:
        terminal.result_json(execution_json(execution))
    elif execution.status == "succeeded":
        terminal.output(execution.output)
    elif execution.error is not None:
        error = execution.error
        terminal.note(f"error[{error['name']}]: {error['message']}")
        if execution.is_kept:
            terminal.note(f"  help: agentflow retry {execution.id} --target aws")
    else:
        terminal.note(f"{execution.id} is {execution.status}")
    return exits.OK if execution.status in ("succeeded", "running") else exits.FAILED


@dataclass(frozen=True, slots=True)
class Where:
    """The account that a verb asks instead of the journal here."""

    target: str
    region: str | None
    endpoint_url: str | None

    def connect(self) -> Cloud:
        """The account.

        Raises:
            UsageError: there is no such target.
        """
        check_target(self.target)
        return account(self.region, self.endpoint_url)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which executions to list."""

    workflow: str | None
    status: str | None
    limit: int


def list_executions(where: Where, wanted: Wanted, *, as_json: bool) -> int:
    """What `executions --target` prints."""
    from agentflow.adapters.aws.deploy.executions import executions, with_error

    # The service does not tell the two apart.
    status = "running" if wanted.status == "waiting" else wanted.status
    cloud = where.connect()
    found = executions(cloud, wanted.workflow, status, wanted.limit)
    if as_json:
        listed = [execution_json(with_error(cloud, each)) for each in found]
        terminal.result_json(
            {"executions": [{k: v for k, v in each.items() if k != "output"} for each in listed]}
        )
    elif not found:
        terminal.note(
            "No executions: `agentflow invoke SPEC --target aws` starts one. "
            "Of Express workflows AWS keeps no list."
        )
    else:
        head = ("ID", "WORKFLOW", "STATUS", "STARTED", "TOOK")
        terminal.result(text.columns([head, *map(_line, found)]))
    return exits.OK


def retry(reference: str, where: Where, *, as_json: bool) -> int:
    """What `retry --target` does: the failed execution goes on where it failed."""
    from agentflow.adapters.aws.deploy.executions import redrive

    cloud = where.connect()
    return ended(cloud, redrive(cloud, reference), as_json=as_json)


def send(reference: str, name: str, content: Json, where: Where, *, as_json: bool) -> int:
    """What `signal --target` and `approve --target` do: answer a step that waits."""
    from agentflow.adapters.aws.deploy.executions import find
    from agentflow.adapters.aws.deploy.messages import answer

    cloud = where.connect()
    execution = find(cloud, reference)
    step = answer(cloud, execution, name, content)
    if as_json:
        terminal.result_json({"id": execution.id, "message": step, "name": name, "awaited": True})
    else:
        terminal.note(f"Sent `{name}` to {execution.id}.")
    return exits.OK


def _line(execution: Execution) -> tuple[str, ...]:
    ended = execution.ended_at
    took = "" if ended is None else text.duration(ended - execution.started_at)
    started = text.day(execution.started_at)
    return execution.id, execution.workflow, execution.status, started, took


def _alias(name: str | None, shift: str | None, *, rollback: bool) -> Alias | None:
    from agentflow.adapters.aws.deploy.deployment import Alias

    if name is None:
        if shift is not None or rollback:
            option = "--rollback" if rollback else "--shift"
            raise UsageError(f"{option} needs the alias it is about", help="--alias live")
        return None
    if shift is not None and rollback:
        raise UsageError("--rollback goes back at once; it takes no --shift")
    # As the service has it, and so that no alias looks like a version.
    if not re.fullmatch(r"(?=.*[a-zA-Z_.-])[a-zA-Z0-9_.-]{1,80}", name):
        raise UsageError(f"`{name}` is no name for an alias", help="--alias live")
    share = re.fullmatch(r"([0-9]{1,3})%?", "100%" if shift is None else shift)
    if share is None or not 1 <= int(share[1]) <= 100:
        raise UsageError(f"--shift is from 1% to 100%, got `{shift}`")
    return Alias(name, int(share[1]))


def _packed(spec: str, given: dict[str, Json]) -> Package:
    """What is to be deployed."""
    from agentflow.adapters.aws.deploy.package import assemble
    from agentflow.adapters.target import Options, find

    loaded = specs.named(spec)
    options = Options(given)
    return assemble(loaded, find("aws").compile(loaded, options), options)


def _tell_promise(report: Report) -> None:
    """What the service promises, and what of the spec has no effect there."""
    terminal.note(f"{report.workflow}: {report.guarantee}")
    for note in report.notes:
        terminal.note(f"  note: {note}")


def _roll_back(spec: str, ledger: Ledger, alias: Alias, cloud: Cloud) -> None:
    from agentflow.adapters.aws.deploy.machines import roll_back

    roll_back(cloud, ledger, specs.named(spec).workflow.name, alias.name)


def _region(spec: str) -> str | None:
    targets = specs.named(spec).workflow.targets
    chosen = targets.get("aws") if isinstance(targets, dict) else None
    region = chosen.get("region") if isinstance(chosen, dict) else None
    return None if region is None else str(region)


def _tell(change: Change) -> None:
    detail = f": {change.detail}" if change.detail else ""
    mark = _MARKS[change.action]
    terminal.note(f"{mark} {change.action:<7} {change.kind} {change.name}{detail}")


def _summary(ledger: Ledger) -> str:
    if not ledger.changed:
        return "Nothing is to be changed: everything is as it should be."
    count = text.counted(sum(each.action != "keep" for each in ledger.changes), "change")
    return f"{count} would be made; this was a plan." if ledger.is_plan else f"{count} made."


def _as_json(ledger: Ledger, deployed: Deployed | None) -> dict[str, Json]:
    return {
        "plan": ledger.is_plan,
        "changed": ledger.changed,
        "changes": [each.as_json() for each in ledger.changes],
        "notes": list(ledger.notes),
        **(deployed.as_json() if deployed is not None else {}),
    }
