"""Trying things alone: `invoke` runs one function here, or what is deployed in a cloud."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentflow.cli import deploying, exits, inputs, specs, stores, terminal
from agentflow.cli.options import AsJson, Endpoint, Region
from agentflow.errors import Conflict, Fault, NotFound, UsageError
from agentflow.functions.agents import PREFIX

if TYPE_CHECKING:
    from agentflow.adapters.aws.deploy.client import Cloud
    from agentflow.errors import Json

_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def invoke(
    name: Annotated[
        str,
        Parameter(
            name="NAME",
            help="A function's import path, or `agent:NAME.METHOD`; in a cloud, also a workflow.",
        ),
    ],
    /,
    *,
    data: Annotated[
        str | None,
        Parameter(
            name=("--data", "--input"),
            metavar="JSON|@FILE|-",
            allow_leading_hyphen=True,
            show_default=False,
            help="The function's arguments as an object, or the workflow's input.",
        ),
    ] = None,
    local: Annotated[
        bool, Parameter(negative="", show_default=False, help="Run the function in this process.")
    ] = False,
    target: Annotated[
        str | None,
        Parameter(metavar="aws", show_default=False, help="Invoke what is deployed there."),
    ] = None,
    key: Annotated[
        str | None,
        Parameter(
            metavar="TEXT", show_default=False, help="Which instance of an agent, in a cloud."
        ),
    ] = None,
    secret: Annotated[
        Sequence[str],
        Parameter(
            metavar="NAME",
            negative="",
            show_default=False,
            help="A secret that the function may read here; may be repeated.",
        ),
    ] = (),
    handler: Annotated[
        str | None,
        Parameter(
            metavar="NAME",
            show_default=False,
            help="The cloud function that has the function. [default: the only one there is]",
        ),
    ] = None,
    alias: Annotated[
        str | None,
        Parameter(metavar="NAME", show_default=False, help="Start the workflow by this alias."),
    ] = None,
    id_: Annotated[
        str | None,
        Parameter(
            name="--id", metavar="ID", show_default=False, help="The id of the execution to start."
        ),
    ] = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    as_json: AsJson = False,
) -> int:
    """Run one function alone, with the checks it gets in a workflow; or what a cloud has.

    Here (`--local`) nothing is recorded. In a cloud (`--target aws`) a function's import path
    invokes its deployed version, a workflow's file or name starts an execution and waits for it.
    """
    if local == (target is not None):
        raise UsageError(
            "invoke needs to know where", help="--local for here, or --target aws for a cloud"
        )
    is_function = local or _is_function(name)
    _check(
        ("--key", key, is_function and not local, "it is for an agent in a cloud"),
        ("--secret", secret, local, "what is deployed has its own secrets"),
        ("--handler", handler, is_function and not local, "it is for a function in a cloud"),
        ("--alias", alias, not is_function, "it is for a workflow in a cloud"),
        ("--id", id_, not is_function, "it is for a workflow in a cloud"),
        ("--region", region, not local, "it is for a cloud"),
        ("--endpoint-url", endpoint_url, not local, "it is for a cloud"),
    )
    content = None if data is None else inputs.read(data, of="--data")
    if target is None:
        return _here(name, content, tuple(secret), as_json=as_json)
    deploying.check_target(target)
    if is_function:
        cloud = deploying.account(region, endpoint_url)
        payload = {"function": name, "arguments": {} if content is None else content}
        if name.startswith(PREFIX):
            payload |= {"key": _key(key)}
        return _called(cloud, payload, handler, as_json=as_json)
    workflow, home, content = _workflow(name, content)
    cloud = deploying.account(region or home, endpoint_url)
    return _started(cloud, workflow, alias, id_, content, as_json=as_json)


def _is_function(name: str) -> bool:
    """Whether a name in a cloud is a function's; a workflow is named by its file, or has no dot."""
    if name.startswith(PREFIX):
        return True
    return _FUNCTION.fullmatch(name) is not None and not specs.names_file(name)


def _key(given: str | None) -> str:
    """The instance of an agent in a cloud, where no execution has one of its own."""
    if given is None:
        raise UsageError("which instance of the agent?", help="name it: --key KEY")
    return given


def _check(*options: tuple[str, object, bool, str]) -> None:
    """Refuse options that would have no effect: each with whether it has one, and why not."""
    for name, given, has_effect, why in options:
        if given and not has_effect:
            raise UsageError(f"{name} has no effect here: {why}")


def _here(function: str, arguments: Json, secrets: tuple[str, ...], *, as_json: bool) -> int:
    from agentflow.functions.hosts.agents import Agents
    from agentflow.functions.hosts.calls import Host, Setting, lines_to
    from agentflow.spec.agents import Agents as Project

    write, root = lines_to(sys.stderr), stores.project_root()
    setting = Setting((function,), str(root), secrets=secrets)

    def tell(line: str) -> None:
        text = _readable(json.loads(line))
        if text is not None:
            write(text)

    agents = Agents(Project(root).path, str(root))
    host = Host(setting, agents=agents, write=tell)
    try:
        value = host.answer({"function": function, "arguments": arguments})
    except Fault as fault:
        host.close()
        code = _failed(function, fault, as_json=as_json)
        if fault.name == "MissingSecret":
            terminal.note("  help: here, --secret NAME stands for the workflow's `secrets`")
        return code
    host.close()
    return _succeeded(function, value, as_json=as_json)


def _readable(told: dict[str, Json]) -> str | None:
    """A line of a host's log for a person: what was printed, or where an error arose."""
    if told["level"] == "INFO":
        return str(told["message"])
    frames = [
        f"  {each['file']}:{each['line']}  {each['function']}  {each['code']}"
        for each in told.get("trace", ())
    ]
    return "\n".join([f"{told['function']} failed:", *frames]) if frames else None


def _called(cloud: Cloud, payload: dict[str, Json], handler: str | None, *, as_json: bool) -> int:
    from agentflow.adapters.aws.deploy.executions import call, handlers

    function = str(payload["function"])
    if handler is None:
        found = handlers(cloud, function)
        if not found:
            raise NotFound("no functions are deployed", help="agentflow deploy SPEC --target aws")
        if len(found) > 1:
            raise Conflict(
                f"there are several cloud functions: {', '.join(found)}",
                help="choose one with --handler",
            )
        (handler,) = found
    try:
        value = call(cloud, handler, payload)
    except Fault as fault:
        return _failed(function, fault, as_json=as_json)
    return _succeeded(function, value, as_json=as_json)


def _workflow(name: str, given: Json) -> tuple[str, str | None, Json]:
    """The name, region and checked input of a workflow; of a bare name only what is given."""
    if not specs.names_file(name):
        return name, None, {} if given is None else given
    from agentflow.spec.inputs import check_input

    workflow = specs.read(name).workflow
    chosen = workflow.targets.get("aws", {}) if isinstance(workflow.targets, dict) else {}
    return workflow.name, chosen.get("region"), check_input(workflow, given)


def _started(
    cloud: Cloud, workflow: str, alias: str | None, id: str | None, given: Json, *, as_json: bool
) -> int:
    from agentflow.adapters.aws.deploy.executions import start
    from agentflow.adapters.aws.deploy.machines import alias_arn
    from agentflow.runtime.ids import checked_id, new_id

    arn = cloud.arns.machine(workflow) if alias is None else alias_arn(cloud, workflow, alias)
    execution = start(cloud, arn, new_id() if id is None else checked_id(id), given)
    terminal.note(f"Started {execution.id}.")
    return deploying.ended(cloud, execution, as_json=as_json)


def _succeeded(function: str, value: Json, *, as_json: bool) -> int:
    if as_json:
        terminal.result_json(
            {"function": function, "status": "succeeded", "output": value, "error": None}
        )
    else:
        terminal.output(value)
    return exits.OK


def _failed(function: str, fault: Fault, *, as_json: bool) -> int:
    terminal.note(f"error[{fault.name}]: {fault.message}")
    if as_json:
        terminal.result_json(
            {"function": function, "status": "failed", "output": None, "error": fault.value()}
        )
    return exits.MISSING if fault.name == "FunctionNotFound" else exits.FAILED
