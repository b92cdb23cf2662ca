"""Rules on an event bus: what steps listen for is brought to the Lambda that keeps their tokens.

The Lambda gives an event to every step that waits for it (see `tokens`). A rule leads to whatever
code is newest, not to a version: which steps wait is in the table, whoever wrote it there.
"""

from __future__ import annotations

import json
from typing import Any

from agentflow.adapters.aws.deploy.client import Cloud, found, told
from agentflow.adapters.aws.deploy.ledger import TAG, Ledger, check_own
from agentflow.adapters.aws.deploy.package import CloudFunction

STATEMENT = "agentflow-events"
"""The name of the permission in a Lambda's policy."""


def put_rule(cloud: Cloud, ledger: Ledger, function: CloudFunction) -> None:
    """Have a rule that brings a Lambda the events that it hears."""
    where = {"EventBusName": function.event_bus}
    with told(f"rule {function.rule}"):
        there = found(
            lambda: dict(cloud.events.describe_rule(Name=function.rule, **where)),
            "ResourceNotFound",
        )
        if there is None:
            if ledger.may("create", "rule", function.rule):
                _make(cloud, function, Tags=[{"Key": TAG, "Value": function.workflow}])
            return
        tags = cloud.events.list_tags_for_resource(ResourceARN=there["Arn"])["Tags"]
        check_own("rule", function.rule, {each["Key"]: each["Value"] for each in tags})
        targets = cloud.events.list_targets_by_rule(Rule=function.rule, **where)["Targets"]
        is_same = json.loads(there["EventPattern"]) == function.pattern
        if is_same and [each["Arn"] for each in targets] == [cloud.arns.function(function.name)]:
            ledger.keep("rule", function.rule)
        elif ledger.may("update", "rule", function.rule, "what it brings"):
            _make(cloud, function)


def _make(cloud: Cloud, function: CloudFunction, **more: Any) -> None:
    """Make a rule or complete it; the target comes last, and says that all is done."""
    where = {"EventBusName": function.event_bus}
    made = cloud.events.put_rule(
        Name=function.rule,
        Description=f"Events for steps of workflow {function.workflow}",
        EventPattern=json.dumps(function.pattern),
        **where,
        **more,
    )
    found(
        lambda: cloud.functions.add_permission(
            FunctionName=function.name,
            StatementId=STATEMENT,
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=made["RuleArn"],
        ),
        "ResourceConflict",  # it is there
    )
    target = {"Id": "handler", "Arn": cloud.arns.function(function.name)}
    cloud.events.put_targets(Rule=function.rule, Targets=[target], **where)
