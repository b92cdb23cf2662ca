"""The bundle of a package: what is in it, how large it may be, and the module Lambda imports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow.adapters.aws.deploy.definition import payloads
from agentflow.adapters.aws.deploy.settings import FunctionSettings
from agentflow.adapters.bundle.build import Bundle, Limits, Order, build
from agentflow.adapters.report import Limit

if TYPE_CHECKING:
    from agentflow.adapters.aws.deploy.package import Machine

ENTRY = "agentflow_handler"
"""The module that Lambda imports; its `handle` is called."""
BUNDLE = "functions.zip"
LIMITS = Limits(
    packed=50 << 20,
    unpacked=250 << 20,
    source="Lambda",
    larger="with the setting `bundles: BUCKET` a larger zip goes through S3",
)
"""Of what is sent with a request.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
STORED = Limits(packed=LIMITS.unpacked, unpacked=LIMITS.unpacked, source="Lambda")
"""Of what goes through S3."""
PROVIDED = frozenset({"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"})
"""What Lambda's Python has."""


_HELPER = "agentflow.adapters.bundle.helper"
_TOKENS = "agentflow.adapters.aws.tokens"
_OBJECTS = "agentflow.adapters.aws.objects"
_AGENTS = "agentflow.adapters.aws.agents"


def bundle(root: Path, machines: Sequence[Machine], settings: FunctionSettings) -> Bundle | None:
    """The bundle with what state machines call; `None` if they call nothing.

    Raises:
        SpecError, CannotBundle, Unavailable: see `bundle.build`.
    """
    if not any(each.functions for each in machines):
        return None
    functions = sorted({path for each in machines for path in each.deployment.functions})
    agents = {name: path for each in machines for name, path in each.deployment.agents.items()}
    asked = [payload for each in machines for payload in payloads(each.definition)]
    needs_helper = any(each.deployment.needs_helper for each in machines)
    needs_tokens = any("listen" in payload for payload in asked)
    needs_objects = any("reduce" in payload for payload in asked)
    needs_schemas = any("check" in payload for payload in asked)
    plugs = [_TOKENS] * needs_tokens + [_OBJECTS] * needs_objects
    return build(
        Order(
            functions=tuple(agents.get(each, each) for each in functions),
            root=root,
            platform=settings.platform,
            limits=_limits(settings),
            entry={f"{ENTRY}.py": _entry(functions, agents, plugs if needs_helper else None)},
            modules=(*[_HELPER] * needs_helper, *plugs, *[_AGENTS] * bool(agents)),
            requirements=("jsonschema>=4.23,<5",) * needs_schemas,
            provided=PROVIDED,
        )
    )


def _limits(settings: FunctionSettings) -> Limits:
    return LIMITS if settings.bundles is None else STORED


def bundle_limits(bundle: Bundle, settings: FunctionSettings) -> list[Limit]:
    """What a bundle uses of what Lambda takes."""
    most = _limits(settings)
    return [
        Limit("bundle, bytes unpacked", bundle.unpacked, most.unpacked, str(settings.platform)),
        Limit("bundle, bytes of the zip", len(bundle.data), most.packed),
    ]


def _entry(functions: list[str], agents: Mapping[str, str], plugs: list[str] | None) -> str:
    """The module that Lambda imports; `plugs` are modules of the helper, if there is one."""
    imported = [f"from {each} import {_PLUGS[each][0]}" for each in plugs or ()]
    arguments = ["FUNCTIONS", "ROOT"]
    methods: list[str] = []
    if agents:
        imported.append(f"from {_AGENTS} import Table")
        imported.append("from agentflow.functions.hosts.agents import Agents")
        arguments.append("agents=Agents(AGENTS.__getitem__, str(ROOT), Table())")
        pairs = (f'    "{name}": "{agents[name]}",' for name in sorted(agents))
        methods = ["AGENTS = {", *pairs, "}"]
    if plugs is not None:
        imported.append(f"from {_HELPER} import Helper")
        given = (f"{_PLUGS[each][1]}={_PLUGS[each][0]}()" for each in plugs)
        arguments.append(f"helper=Helper({', '.join(given)})")
    lines = [
        '"""What Lambda calls; written by AgentFlow."""',
        "",
        "from pathlib import Path",
        "",
        *imported,
        "from agentflow.functions.hosts.aws_lambda import Handler",
        "",
        "FUNCTIONS = (",
        *(f'    "{path}",' for path in functions),
        ")",
        *methods,
        "ROOT = Path(__file__).parent",
        f"handle = Handler({', '.join(arguments)})",
        "",
    ]
    return "\n".join(lines)


_PLUGS = {
    _OBJECTS: ("Objects", "stored"),
    _TOKENS: ("Tokens", "waiting"),
}
"""What a module gives the helper: its class, and the helper's parameter."""
