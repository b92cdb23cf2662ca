"""The nodes that Ray has: how the workers are spread over them, and what they cannot give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from agentflow.errors import Unavailable
from agentflow.spec.model import Resources

Node: TypeAlias = tuple[str, dict[str, float]]
"""The id of a node, and how much it has of what."""
_RESOURCES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}


def nodes() -> list[Node]:
    """The ids of nodes with CPUs, and what they have."""
    import ray

    found = [
        (node["NodeID"], node["Resources"])
        for node in ray.nodes()  # type: ignore[no-untyped-call]  # ray has no types here
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
    ]
    if not found:
        raise Unavailable("Ray has no CPUs", help="add a node to the cluster")
    return found


def shares(nodes: Sequence[Node], wanted: int | None) -> list[tuple[str, int]]:
    """How many workers each node gets, in proportion to its CPUs."""
    cpus = [(id, int(resources["CPU"])) for id, resources in nodes]
    if wanted is None:
        return cpus
    total = sum(own for _, own in cpus)
    parts: list[tuple[str, int]] = []
    given = seen = 0
    for id, own in cpus:
        seen += own
        share = round(wanted * seen / total) - given
        given += share
        if share:
            parts.append((id, share))
    return parts


def missing(asked: Resources, nodes: Sequence[Node]) -> str:
    """What no node has enough of, in words; empty if one may do."""
    for name, resource in _RESOURCES.items():
        wanted = getattr(asked, name) or 0
        most = max(node.get(resource, 0.0) for _, node in nodes)
        if wanted > most:
            return f"the call asks for {name} {wanted:g}, and this machine has {most:g}"
    return ""
