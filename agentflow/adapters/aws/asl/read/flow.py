"""Check where states lead: targets that exist, states that are reached, ways that end."""

from __future__ import annotations

from collections.abc import Iterator

from agentflow.adapters.aws.asl.read.values import Values
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.source import Mapping, Node, Scalar, Sequence


def check_flow(values: Values, node: Node) -> None:
    """Check a machine and those inside of it."""
    if not isinstance(node, Mapping):
        return
    states = node.get("States")
    if not isinstance(states, Mapping) or not states.entries:
        return
    _check_ways(values, node, states)
    for entry in states.entries.values():
        for inner in _machines(entry.value):
            check_flow(values, inner)


def _check_ways(values: Values, node: Mapping, states: Mapping) -> None:
    start = node.get("StartAt")
    if not _targets_exist(values, start, states) or not isinstance(start, Scalar):
        return
    edges = {name: list(_targets_of(entry.value)) for name, entry in states.entries.items()}
    reached = _closure([str(start.value)], edges)
    for name, entry in states.entries.items():
        if name not in reached:
            values.error(
                "AF310", f"nothing leads to the state `{name}`", entry.key, remedy="remove it"
            )
    if node.get("TimeoutSeconds") is None:  # a time limit is an end too
        _check_end(values, states, edges, reached)


def _targets_exist(values: Values, start: Node | None, states: Mapping) -> bool:
    names = states.entries.keys()
    sound = True
    for target in [*([] if start is None else [start]), *_all_targets(states)]:
        if isinstance(target, Scalar) and isinstance(target.value, str):
            if target.value in names:
                continue
            remedy = did_you_mean(target.value, names)
            values.error("AF309", f"there is no state `{target.value}`", target, remedy=remedy)
        sound = False
    return sound


def _check_end(
    values: Values, states: Mapping, edges: dict[str, list[str]], reached: set[str]
) -> None:
    """Check that an end can be reached from every state; the first one without says enough."""
    backwards: dict[str, list[str]] = {name: [] for name in edges}
    for name, targets in edges.items():
        for following in targets:
            backwards[following].append(name)
    ends = [name for name, entry in states.entries.items() if _ends(entry.value)]
    lost = reached - _closure(ends, backwards)
    first = next((name for name in edges if name in lost), None)
    if first is not None:
        values.error(
            "AF311",
            f"from the state `{first}` no way leads to an end",
            states.entries[first].key,
            remedy="give the loop an exit: a Choice, `End`, or a Succeed or Fail state",
        )


def _closure(starts: list[str], edges: dict[str, list[str]]) -> set[str]:
    """The names that are reached from some, with these."""
    found, open_ = set(starts), list(starts)
    while open_:
        for target in edges[open_.pop()]:
            if target not in found:
                found.add(target)
                open_.append(target)
    return found


def _all_targets(states: Mapping) -> Iterator[Node]:
    for entry in states.entries.values():
        yield from _targets(entry.value)


def _targets(node: Node) -> Iterator[Node]:
    """The places in a state that name the state to go to; a rule that names none stands for it."""
    if not isinstance(node, Mapping):
        return
    for field in ("Next", "Default"):
        if (found := node.get(field)) is not None:
            yield found
    for field in ("Choices", "Catch"):
        found = node.get(field)
        for item in found.items if isinstance(found, Sequence) else ():
            if isinstance(item, Mapping):
                target = item.get("Next")
                yield item if target is None else target


def _targets_of(node: Node) -> Iterator[str]:
    return (target.value for target in _targets(node) if isinstance(target, Scalar))


def _ends(node: Node) -> bool:
    """Whether it is an end, or said to lead nowhere already."""
    if not isinstance(node, Mapping):
        return True
    end, kind = node.get("End"), node.get("Type")
    name = kind.value if isinstance(kind, Scalar) else None
    if name in ("Succeed", "Fail"):
        return True
    if end is None:
        return name != "Choice" and node.get("Next") is None
    return isinstance(end, Scalar) and end.value is True


def _machines(node: Node) -> Iterator[Node]:
    if not isinstance(node, Mapping):
        return
    for field in ("ItemProcessor", "Iterator"):
        if (found := node.get(field)) is not None:
            yield found
    branches = node.get("Branches")
    yield from branches.items if isinstance(branches, Sequence) else ()
