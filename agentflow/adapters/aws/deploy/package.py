"""Everything that a deployment puts into an account: state machines, Lambdas, and their bundle."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from agentflow.adapters.aws.deploy.bundling import BUNDLE, bundle, bundle_limits
from agentflow.adapters.aws.deploy.definition import functions_replaced, payloads
from agentflow.adapters.aws.deploy.settings import FunctionSettings, function_settings
from agentflow.adapters.bundle.build import Bundle
from agentflow.adapters.report import Report
from agentflow.adapters.target import Compiled, Deployment, Options
from agentflow.errors import Json, UsageError
from agentflow.spec.load import Loaded

LONGEST_NAME = 80
"""Characters of a state machine's name."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Table:
    """A table in DynamoDB; items are gone some time after what they have as `expires`."""

    name: str
    key: tuple[str, ...]
    """The attributes of an item's key, which are texts: one to find a partition by, then others."""
    actions: tuple[str, ...]
    """What a Lambda does with it."""


@dataclass(frozen=True, slots=True)
class CloudFunction:
    """One Lambda."""

    name: str
    workflow: str
    secrets: tuple[str, ...]
    only: str | None = None
    """The one function that it runs; `None`: all of the bundle, and the helper's requests."""
    tokens: str | None = None
    """The table for the tokens of steps that wait for messages."""
    agents: str | None = None
    """The table for the instances of agents."""
    results: tuple[str, ...] = ()
    """Objects in S3 that it reads: `BUCKET/PREFIX/*`."""
    hears: tuple[str, ...] = ()
    """The events that steps listen for, which it gives to them."""
    event_bus: str = "default"
    """Where they come from."""

    def with_all_of(self, other: CloudFunction) -> CloudFunction:
        """This one with what another of its name has: by setting, workflows may share a Lambda."""
        return replace(
            self,
            secrets=tuple(dict.fromkeys((*other.secrets, *self.secrets))),
            tokens=self.tokens or other.tokens,
            agents=self.agents or other.agents,
            results=tuple(dict.fromkeys((*other.results, *self.results))),
            hears=tuple(dict.fromkeys((*other.hears, *self.hears))),
        )

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that it writes to."""
        found: list[Table] = []
        if self.tokens is not None:
            actions = ("PutItem", "Query", "DeleteItem") if self.hears else ("PutItem",)
            found.append(Table(self.tokens, ("execution", "place"), actions))
        if self.agents is not None:
            found.append(Table(self.agents, ("instance",), ("UpdateItem",)))
        return tuple(found)

    @property
    def rule(self) -> str:
        """The name of the rule that brings it the events that it hears."""
        return shortened(f"{self.name}-events", 64)

    @property
    def pattern(self) -> Json:
        """What events the rule is for."""
        return {"detail-type": sorted(self.hears)}

    def environment(self) -> dict[str, str]:
        """The variables that the handler reads."""
        known = {
            "AGENTFLOW_WORKFLOW": self.workflow,
            "AGENTFLOW_SECRETS": ",".join(self.secrets),
            "AGENTFLOW_FUNCTION": self.only or "",
            "AGENTFLOW_TOKENS": self.tokens or "",
            "AGENTFLOW_AGENTS": self.agents or "",
        }
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True, slots=True)
class Machine:
    """One state machine."""

    name: str
    kind: str
    """`standard` or `express`."""
    definition: str
    deployment: Deployment
    functions: tuple[CloudFunction, ...]
    children: tuple[str, ...]
    """The state machines that it runs."""


@dataclass(frozen=True, slots=True)
class Package:
    """What is to be deployed."""

    machines: tuple[Machine, ...]
    """Each after those that it runs; the last is the workflow's own."""
    bundle: Bundle | None
    """`None` if no function is called."""
    settings: FunctionSettings
    report: Report
    """Of the compile, with the limits of the bundle."""

    @property
    def stored(self) -> tuple[str, str] | None:
        """The bucket and key in S3 that Lambda takes the bundle from; `None` if it is sent."""
        if self.bundle is None or self.settings.bundles is None:
            return None
        bucket, _, prefix = self.settings.bundles.partition("/")
        name = f"{hashlib.sha256(self.bundle.data).hexdigest()}.zip"
        return bucket, f"{prefix}/{name}" if prefix else name

    @property
    def machine(self) -> Machine:
        """The workflow's own."""
        return self.machines[-1]

    @property
    def functions(self) -> tuple[CloudFunction, ...]:
        """All Lambdas, by name."""
        every: dict[str, CloudFunction] = {}
        for machine in self.machines:
            for each in machine.functions:
                every[each.name] = each.with_all_of(every.get(each.name, each))
        return tuple(every[name] for name in sorted(every))


def assemble(loaded: Loaded, compiled: Compiled, options: Options) -> Package:
    """Put together what a compiled workflow needs.

    Raises:
        UsageError: a setting has a value it cannot have.
        SpecError, CannotBundle, Unavailable: see `bundle.build`.
    """
    targets = loaded.workflow.targets if isinstance(loaded.workflow.targets, dict) else {}
    settings = function_settings({**(targets.get("aws") or {}), **options.service})
    if settings.agents is None:  # one for all of them: a key means the same in those it runs
        settings = replace(settings, agents=f"{loaded.workflow.name}-agents")
    made = [
        _machine(each, compiled.files[f"{each.name}.asl.json"], settings)
        for each in compiled.deployments
    ]
    if any("." in each.name for each in made):
        compiled.report.notes.append(
            "Terraform makes no state machine with a dot in its name; `agentflow deploy` does"
        )
    built = bundle(loaded.root, made, settings)
    if built is not None:
        compiled.report.limits += bundle_limits(built, settings)
    return Package(tuple(_children_first(made)), built, settings, compiled.report)


def outputs(package: Package) -> dict[str, bytes]:
    """The files of a package, beside those of the compile, by name."""
    from agentflow.adapters.aws.deploy.terraform import terraform

    files = {f"{each.name}.asl.json": each.definition.encode() for each in package.machines}
    files["main.tf.json"] = terraform(package).encode()
    files["report.txt"] = package.report.as_text().encode()
    if package.bundle is not None:
        files[BUNDLE] = package.bundle.data
    return files


def _machine(deployment: Deployment, text: str, settings: FunctionSettings) -> Machine:
    kind = str(deployment.settings.get("kind", "standard"))
    _check_name(deployment.name, kind)
    own = tuple(
        each.name
        for each in deployment.resources
        if each.kind == "workflow" and each.name != deployment.name
    )
    functions = tuple(_functions(deployment, text, settings))
    if settings.per_function:
        by_path = {each.only: each.name for each in functions if each.only}
        text = functions_replaced(
            text, lambda given: by_path.get(_called(given) or "", deployment.handler)
        )
    return Machine(deployment.name, kind, text, deployment, functions, own)


def _check_name(name: str, kind: str) -> None:
    """Refuse a name that a workflow may have and a state machine may not."""
    if len(name) > LONGEST_NAME:
        raise UsageError(
            f"the name of a state machine has up to {LONGEST_NAME} characters, `{name}` has "
            f"{len(name)}",
            help="give the workflow a shorter name",
        )
    if kind == "express" and "." in name:
        raise UsageError(
            f"a state machine that logs cannot be named `{name}`, and Express ones do",
            help="give the workflow a name of letters, digits, hyphens and underscores",
        )


def _called(arguments: dict[str, Json]) -> str | None:
    called = arguments["Payload"].get("function")
    return called if isinstance(called, str) else None


def _functions(
    deployment: Deployment, text: str, settings: FunctionSettings
) -> Iterator[CloudFunction]:
    """The Lambdas of one state machine."""
    if _NAME.fullmatch(deployment.handler) is None:
        raise UsageError(
            f"`{deployment.handler}` is no name for a Lambda function: those have up to 64 "
            "letters, digits, hyphens and underscores",
            help="choose one with the setting `handler`",
        )
    secrets = tuple(str(name) for name in deployment.settings.get("secrets", ()))
    asked = list(payloads(text))
    listens = [payload["listen"] for payload in asked if "listen" in payload]
    tokens = f"{deployment.handler}-tokens" if listens else None
    hears = tuple(dict.fromkeys(each["name"] for each in listens if "since" in each))
    stored = tuple(each.name for each in deployment.resources if each.kind == "bucket")
    agents = settings.agents if deployment.agents else None
    if (deployment.functions and not settings.per_function) or deployment.needs_helper:
        # Beside Lambdas of single functions it calls none, and computes only.
        helping = CloudFunction(
            deployment.handler,
            deployment.name,
            (),
            None,
            tokens,
            hears=hears,
            event_bus=str(deployment.settings.get("event_bus", "default")),
        )
        every = replace(helping, secrets=secrets, agents=agents, results=stored)
        yield helping if settings.per_function else every
    if settings.per_function:
        combining = {_called({"Payload": each}) for each in asked if "reduce" in each}
        for path in deployment.functions:
            name = shortened(f"{deployment.handler}-{re.sub('[.:]', '-', path)}", 64)
            reads = stored if path in combining else ()
            kept = agents if path in deployment.agents else None
            yield CloudFunction(name, deployment.name, secrets, path, None, kept, reads)


def shortened(name: str, limit: int) -> str:
    """The name, with its end replaced by a digest of the whole if it is too long."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _children_first(machines: list[Machine]) -> Iterator[Machine]:
    """The machines, each after those that it runs, as far as they do not run each other."""
    by_name: Mapping[str, Machine] = {each.name: each for each in machines}
    done: set[str] = set()

    def visit(machine: Machine) -> Iterator[Machine]:
        if machine.name in done:
            return
        done.add(machine.name)
        for child in machine.children:
            if child in by_name:
                yield from visit(by_name[child])
        yield machine

    return visit(machines[0])
