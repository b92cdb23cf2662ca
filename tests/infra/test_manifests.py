"""The manifests in `infra/` are what KubeRay's published definitions allow, and do what they say."""

from __future__ import annotations

import copy
import json
import re
import shlex
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import agentflow
from tests.conftest import ROOT
from tests.infra import kuberay

INFRA = ROOT / "infra"
MANIFESTS = sorted(INFRA.glob("*.yaml"))
DEFINITIONS = json.loads(kuberay.FILE.read_text(encoding="utf-8"))


def problems(manifest: dict[str, Any]) -> list[str]:
    """What KubeRay's definition of the manifest's kind has against it."""
    schema = {**DEFINITIONS["kinds"][manifest["kind"]], "$defs": DEFINITIONS["$defs"]}
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(manifest)
    ]


def manifest(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((INFRA / name).read_text(encoding="utf-8"))
    return loaded


def cluster(manifest: dict[str, Any]) -> dict[str, Any]:
    """The part of a manifest that describes a cluster."""
    spec: dict[str, Any] = manifest["spec"]
    return dict(spec.get("rayClusterSpec", spec))


def containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    groups = [cluster(manifest)["headGroupSpec"], *cluster(manifest)["workerGroupSpecs"]]
    return [one for group in groups for one in group["template"]["spec"]["containers"]]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_what_its_definition_allows(path: Path) -> None:
    assert problems(manifest(path.name)) == []


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (("spec", "enableInTreeAutoscalling"), True, "enableInTreeAutoscalling"),
        (("spec", "workerGroupSpecs", 0, "maxReplicas"), "10", "not of type 'integer'"),
        (("spec", "workerGroupSpecs", 0, "template", "spec", "containerz"), [], "containerz"),
        (("spec", "authOptions", "mode"), "tokens", "is not one of"),
        (("spec", "headGroupSpec"), {}, "'template' is a required property"),
    ],
    ids=["misspelt", "text for a number", "misspelt deep inside", "unknown word", "missing"],
)
def test_a_mistake_in_a_manifest_is_found(
    place: tuple[Any, ...], value: Any, complaint: str
) -> None:
    broken = copy.deepcopy(manifest("raycluster.yaml"))
    inner = broken
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert any(complaint in problem for problem in problems(broken))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
class TestACluster:
    def test_scales_between_bounds_and_never_to_nothing(self, path: Path) -> None:
        spec = cluster(manifest(path.name))
        assert spec["enableInTreeAutoscaling"] is True
        for group in spec["workerGroupSpecs"]:
            assert 1 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]

    def test_asks_for_a_token(self, path: Path) -> None:
        assert cluster(manifest(path.name))["authOptions"] == {"mode": "token"}

    def test_has_the_ray_that_is_tested_and_one_image(self, path: Path) -> None:
        assert cluster(manifest(path.name))["rayVersion"] == version("ray")
        assert len({one["image"] for one in containers(manifest(path.name))}) == 1

    def test_runs_as_nobody_special(self, path: Path) -> None:
        spec = cluster(manifest(path.name))
        for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
            assert group["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
        for one in containers(manifest(path.name)):
            assert one["securityContext"]["allowPrivilegeEscalation"] is False


def test_the_job_runs_a_workflow_of_this_project_with_a_fixed_id() -> None:
    place, _, command = manifest("rayjob.yaml")["spec"]["entrypoint"].partition(" && ")
    words = shlex.split(command)
    assert place == "cd project"
    assert words[:2] == ["agentflow", "run"]
    assert agentflow.load(ROOT / words[2]).workflow.name == "wordcount"
    assert "--id" in words
    assert (ROOT / words[words.index("--input") + 1][1:]).is_file()


class TestDockerfile:
    text = (INFRA / "Dockerfile").read_text(encoding="utf-8")

    def test_pins_its_base(self) -> None:
        assert re.findall(r"(?m)^FROM (\S+)", self.text) == ["python:3.11.11-slim-bookworm"]

    def test_ends_as_another_user_than_root(self) -> None:
        assert re.findall(r"(?m)^USER (\S+)", self.text)[-1] == "1000"

    def test_copies_what_is_there(self) -> None:
        for line in re.findall(r"(?m)^COPY (?:--\S+ )*(.+) \S+$", self.text):
            for source in line.split():
                assert (ROOT / source).exists(), source

    def test_installs_extras_that_there_are(self) -> None:
        (extras,) = re.findall(r"\.\[([\w,]+)\]", self.text)
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
