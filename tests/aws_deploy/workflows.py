"""Workflows over the shop's functions, compiled, packed and deployed."""

from __future__ import annotations

from pathlib import Path

from agentflow.adapters.aws.deploy.client import Cloud
from agentflow.adapters.aws.deploy.deployment import Alias, Deployed, deploy
from agentflow.adapters.aws.deploy.ledger import Ledger
from agentflow.adapters.aws.deploy.machines import alias_routes, number
from agentflow.adapters.aws.deploy.package import Package, assemble
from agentflow.adapters.target import Options, find
from agentflow.errors import Json
from agentflow.spec.load import load
from tests.aws_deploy.projects import project, write

SHOPPING = """\
workflow: {name}
input: {{type: object}}
secrets: [TOKEN]
do:
  - id: sum
    call: shop.orders.total
    with: {{items: "${{ input.items }}"}}
output: {{sum: "${{ sum }}"{more}}}
"""

EVERYTHING = """\
workflow: everything
input: {type: object, properties: {n: {type: integer, multipleOf: 2}}}
do:
  - id: sum
    call: shop.orders.total
    with: {items: []}
  - id: kept
    call: shop.orders.large
    with: {size: "${ sum }"}
  - id: told
    emit: {type: done, data: "${ sum }"}
  - id: answer
    listen: go
  - id: below
    run: child.yaml
    with: {items: []}
output: ${ below }
"""


def packed(
    folder: Path, name: str = "shopping", *, more: str = "", text: str = "", **settings: Json
) -> Package:
    """The package of a workflow in a project of its own."""
    root = project(folder)
    write(root / "specs" / "child.yaml", SHOPPING.format(name="child", more=""))
    write(root / "specs" / f"{name}.yaml", text or SHOPPING.format(name=name, more=more))
    loaded = load(root / "specs" / f"{name}.yaml")
    options = Options({"python": "3.12", **settings})
    return assemble(loaded, find("aws").compile(loaded, options), options)


BOTH = """\
workflow: {name}
do:
  - id: answer
    listen: go
  - {{id: sum, call: shop.orders.{called}}}
"""
TOTAL = "total, with: {items: []}"
LARGE = "large, with: {size: 1}"
LIVE = Alias("live")
LISTENING = "workflow: {name}\ndo:\n  - {{id: answer, listen: go}}\n"


def put(
    cloud: Cloud, package: Package, alias: Alias | None = None, *, plan: bool = False
) -> tuple[Deployed, list[tuple[str, str]]]:
    """A deployment, and what it changed."""
    ledger = Ledger(plan)
    deployed = deploy(package, cloud, ledger, alias)
    return deployed, [(e.action, e.kind) for e in ledger.changes if e.action != "keep"]


def shares(cloud: Cloud, name: str) -> dict[int, int]:
    """The weights of versions behind the alias."""
    routes = alias_routes(cloud, name, "live")
    assert routes is not None
    return {number(arn): weight for arn, weight in routes.items()}
