"""Pruning: versions go that nothing needs, and what only they needed."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from agentflow.adapters.aws.deploy import pruning
from agentflow.adapters.aws.deploy.client import Cloud
from agentflow.adapters.aws.deploy.deployment import Alias, deploy
from agentflow.adapters.aws.deploy.ledger import Ledger
from agentflow.adapters.aws.deploy.machines import number, roll_back, versions
from agentflow.errors import Json
from tests.aws_deploy.moto_cloud import requests
from tests.aws_deploy.projects import write
from tests.aws_deploy.workflows import BOTH, LARGE, LIVE, SHOPPING, TOTAL, packed, put, shares

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "deploy-to-aws.md"


def pruned(
    cloud: Cloud,
    folder: Path,
    name: str,
    alias: Alias | None = None,
    *,
    plan: bool = False,
    **settings: Json,
) -> Ledger:
    """A deployment of what is there, and a pruning."""
    ledger = Ledger(plan)
    deploy(packed(folder, name, more=", more: 3", **settings), cloud, ledger, alias, prunes=True)
    return ledger


def deleted(ledger: Ledger) -> list[str]:
    return [each.name for each in ledger.changes if each.action == "delete"]


def there(cloud: Cloud, name: str) -> list[int]:
    return [number(arn) for arn in versions(cloud, name)]


def deploy_thrice(
    cloud: Cloud, folder: Path, name: str, alias: Alias | None = None, **settings: Json
) -> None:
    """Three versions, each of the state machine and of its Lambda."""
    for count in (1, 2, 3):
        more = f", more: {count}"
        put(cloud, packed(folder, name, more=more, memory=128 * count, **settings), alias)


def test_versions_that_no_alias_leads_to_are_deleted(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    deploy_thrice(cloud, tmp_path, name, LIVE)
    planned = deleted(pruned(cloud, tmp_path, name, LIVE, plan=True))
    assert there(cloud, name) == [3, 2, 1]
    done = pruned(cloud, tmp_path, name, LIVE)  # a fourth version: its memory is another
    function = f"{name}-functions"
    assert planned == deleted(done) == [f"{name}:1", f"{name}:2", f"{function}:1", f"{function}:2"]
    assert there(cloud, name) == [4, 3]
    assert deleted(pruned(cloud, tmp_path, name, LIVE)) == []
    roll_back(cloud, Ledger(), name, "live")
    assert shares(cloud, name) == {3: 100}
    assert cloud.functions.get_function(FunctionName=function, Qualifier="3")


def test_what_deployments_ask_for_is_documented(cloud: Cloud, name: str, tmp_path: Path) -> None:
    cloud.objects.create_bucket(Bucket=name.replace("_", "-"))
    settings: dict[str, Json] = {"bundles": name.replace("_", "-")}
    with requests(cloud) as asked:
        for count in (1, 2, 3):
            memory = 128 * count
            text = BOTH.format(name=name, called=LARGE if count == 1 else TOTAL)
            ledger = Ledger()
            package = packed(tmp_path, name, text=text, memory=memory, **settings)
            deploy(package, cloud, ledger, LIVE, prunes=True)
    rows = re.findall(r"^\| `(\w+)`.*\|(.*)\|$", PAGE.read_text(), re.MULTILINE)
    documented = {(service, each) for service, cell in rows for each in re.findall(r"\w+", cell)}
    instead = {("s3", "HeadObject"): ("s3", "GetObject")}
    assert {instead.get(each, each) for each in asked} <= documented


def test_a_version_that_a_workflow_runs_as_a_child_stays(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    parent = f"workflow: {name}\ndo:\n  - {{id: below, run: {name}_child.yaml, with: {{}}}}\n"
    child = f"{name}_child"
    write(tmp_path / "specs" / f"{child}.yaml", SHOPPING.format(name=child, more=""))
    put(cloud, packed(tmp_path, name, text=parent))
    put(cloud, packed(tmp_path, child, memory=256))
    assert deleted(pruned(cloud, tmp_path, child)) == [f"{child}:2", f"{child}-functions:2"]
    assert there(cloud, child) == [3, 1]
    assert cloud.functions.get_function(FunctionName=f"{child}-functions", Qualifier="1")


def test_what_only_older_versions_might_do_is_taken_back(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    put(cloud, packed(tmp_path, name, per_function=True))
    pruned(cloud, tmp_path, name)
    role = cloud.arns.here(f"{name}-states")
    policy = cloud.iam.get_role_policy(RoleName=role, PolicyName="agentflow")["PolicyDocument"]
    allowed = [each["Resource"] for each in policy["Statement"]]
    own = cloud.arns.function(f"{name}-functions")
    assert allowed == [[own, f"{own}:*"]]


def test_nothing_is_deleted_while_it_cannot_be_told_what_an_execution_needs(
    cloud: Cloud, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy_thrice(cloud, tmp_path, name)
    cloud.machines.start_execution(stateMachineArn=cloud.arns.machine(name), input="{}")
    ledger = pruned(cloud, tmp_path, name)
    assert deleted(ledger) == []
    assert "may need an older version: nothing is deleted" in ledger.notes[-1]
    monkeypatch.setattr(pruning, "KNOWN", timedelta(days=-1))  # as if it had begun after that
    pruned(cloud, tmp_path, name)
    assert there(cloud, name) == [4]


def test_the_version_before_stays_where_executions_are_not_listed(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    deploy_thrice(cloud, tmp_path, name, kind="express")
    pruned(cloud, tmp_path, name, kind="express")
    assert there(cloud, name) == [4, 3]
