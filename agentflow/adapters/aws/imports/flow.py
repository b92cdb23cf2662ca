"""Where states lead: which of them join again, and which are gone to more than once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agentflow.adapters.aws.asl.model import Choice, Fail, Machine, State, Succeed


def targets(state: State) -> tuple[str, ...]:
    """Where a state may lead, in the order of the text, each once."""
    found = [rule.next for rule in state.choices] if isinstance(state, Choice) else []
    if isinstance(state, Choice) and state.default is not None:
        found.append(state.default)
    if state.next is not None:
        found.append(state.next)
    found += [catcher.next for catcher in state.catch]
    return tuple(dict.fromkeys(found))


def has_cycle(machine: Machine) -> bool:
    """Whether a state can be reached again from itself."""
    done: set[str] = set()
    under_way: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        yield from targets(machine.states[name])

    stack = [(machine.start_at, visit(machine.start_at))]
    under_way.add(machine.start_at)
    while stack:
        name, ahead = stack[-1]
        following = next(ahead, None)
        if following is None:
            stack.pop()
            under_way.discard(name)
            done.add(name)
        elif following in under_way:
            return True
        elif following not in done:
            under_way.add(following)
            stack.append((following, visit(following)))
    return False


def joins(machine: Machine) -> Mapping[str, str | None]:
    """For each state of a machine without cycles: where all its ways that do not fail meet again.

    None where they end before they meet. These are the immediate post-dominators in the graph
    without the ways into Fail states: those leave, whatever stands around.
    """
    order = _from_the_end(machine)
    after: dict[str, set[str] | None] = {}
    """The states on every way from a state to the end; None if all of them fail."""
    for name in order:
        state = machine.states[name]
        ways = [after[target] for target in targets(state)]
        open_ways = [way for way in ways if way is not None]
        if isinstance(state, Fail) or (targets(state) and not open_ways):
            after[name] = None
        elif not targets(state) or _may_end(state):
            after[name] = {name}
        else:
            after[name] = set.intersection(*open_ways) | {name}
    position = {name: place for place, name in enumerate(order)}
    found: dict[str, str | None] = {}
    for name in order:
        common = (after[name] or set()) - {name}
        found[name] = max(common, key=position.__getitem__) if common else None
    return found


def _may_end(state: State) -> bool:
    return isinstance(state, Succeed) or state.end


def _from_the_end(machine: Machine) -> list[str]:
    """The states that can be reached, each after those it leads to."""
    order: list[str] = []
    seen = {machine.start_at}
    stack = [(machine.start_at, iter(targets(machine.states[machine.start_at])))]
    while stack:
        name, ahead = stack[-1]
        following = next(ahead, None)
        if following is None:
            stack.pop()
            order.append(name)
        elif following not in seen:
            seen.add(following)
            stack.append((following, iter(targets(machine.states[following]))))
    return order
