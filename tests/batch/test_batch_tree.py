"""What is combined with what: nothing is lost, and the order of the items is kept."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agentflow.runtime.batch.reducing import Group, Node, Tree


def combined(group: Group) -> Node:
    return group.node({"items": [item for parcel in group.parcels for item in parcel["items"]]})


def whole(tree: Tree) -> list[int]:
    """Combine until one is left, as a run does at its end."""
    while len(tree) > 1:
        for group in tree.last_groups():
            pending: Group | None = group
            while pending is not None:
                pending = tree.add(combined(pending))
    return [item for node in tree for item in (node.parcel or {"items": []})["items"]]


def nodes(sizes: Sequence[int], level: int) -> list[Node]:
    found, start = [], 0
    for size in sizes:
        items = list(range(start, start + size))
        found.append(Node(start, start + size, {"items": items}, level))
        start += size
    return found


@given(
    arity=st.integers(2, 5),
    left=st.lists(st.integers(1, 4), max_size=9),
    new=st.lists(st.integers(1, 4), max_size=20),
    order=st.randoms(use_true_random=False),
)
def test_what_an_earlier_run_left_and_what_comes_is_all_there(
    arity: int, left: list[int], new: list[int], order: object
) -> None:
    every = nodes([*left, *new], 0)
    old = [Node(n.start, n.stop, n.parcel, 1) for n in every[: len(left)]]
    coming = every[len(left) :]
    order.shuffle(coming)  # type: ignore[attr-defined]
    tree = Tree(arity, old)
    for node in coming:
        pending: Group | None = tree.add(node)
        while pending is not None:
            pending = tree.add(combined(pending))
    assert whole(tree) == list(range(sum(left) + sum(new)))
