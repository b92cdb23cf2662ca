"""From states that jump to steps inside each other.

A machine without cycles becomes sequences and switches: ways that part are written side by side up
to where they join. Where that would need the same state in two places, and where states are
reached again, the machine becomes a `states` step, which jumps as the original does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agentflow.adapters.aws.asl.model import Fail, Machine, Succeed
from agentflow.adapters.aws.imports.flow import has_cycle, joins, targets
from agentflow.adapters.aws.imports.lowered import Exit, Handler, Lowered, Steps
from agentflow.adapters.aws.imports.naming import Namer
from agentflow.adapters.aws.imports.terms import expression
from agentflow.errors import Span
from agentflow.spec.expressions.template import Template
from agentflow.spec.model import (
    Action,
    Block,
    Case,
    Catch,
    Return,
    Set,
    States,
    Step,
    Switch,
    Transition,
)
from agentflow.spec.model import State as SpecState

MOST_STATES: Final = 12_500
"""A history has 25,000 events, and a state at least two of them."""
_LONGEST: Final = 1_000
"""An expression is bounded."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a machine is put together from."""

    machine: Machine
    lower: Callable[[str], Lowered]
    result: Callable[[Span], Template]
    """What the machine gives at its end."""
    namer: Namer


def structured(shape: Shape, span: Span) -> Steps:
    """The steps of a machine."""
    if not has_cycle(shape.machine) and _is_tree(shape.machine):
        return _Sequences(shape).steps()
    return _jumping(shape, span)


def _is_tree(machine: Machine) -> bool:
    """Whether ways that part and join again do so properly: no state would be written twice."""
    join = joins(machine)
    written: set[str] = set()

    def write(name: str | None, stop: str | None) -> bool:
        while name is not None and name != stop:
            state = machine.states[name]
            if isinstance(state, Fail | Succeed):
                return True  # short enough to be written as often as it is gone to
            if name in written:
                return False
            written.add(name)
            ahead = targets(state)
            if len(ahead) < 2:
                name = ahead[0] if ahead else None
                continue
            meets = join[name] or stop
            if not all(write(each, meets) for each in ahead):
                return False
            name = join[name]
        return True

    return write(machine.start_at, None)


class _Sequences:
    """Writes a machine as sequences and switches."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._joins = joins(shape.machine)

    def steps(self) -> Steps:
        return self._from(self._shape.machine.start_at, None)[0]

    def _from(self, name: str | None, stop: str | None) -> tuple[Steps, bool]:
        """The steps from a state up to another, and whether they always leave before it."""
        steps: Steps = []
        while name != stop:
            if name is None:
                return steps, True
            lowered = self._shape.lower(name)
            steps += lowered.before
            ahead = max(len(lowered.exits), len(targets(self._shape.machine.states[name])))
            join = self._joins[name] if ahead > 1 else None
            if lowered.risky is not None:
                leaves, name = self._risky(name, lowered, join, stop, steps)
            else:
                leaves, name = self._exits(name, lowered.exits, join, stop, steps)
            if leaves:
                return steps, True
        return steps, False

    def _exits(
        self, name: str, exits: list[Exit], join: str | None, stop: str | None, steps: Steps
    ) -> tuple[bool, str | None]:
        """Write where a state leads; whether all ways leave, and where to go on otherwise."""
        exits = _merged(exits)
        span = self._shape.machine.states[name].span
        if len(exits) == 1 and exits[0].when is None:
            steps += exits[0].steps
            if exits[0].to is None:
                steps += self._end(exits[0], span)
            return exits[0].to is None, exits[0].to
        meet = join or stop
        cases: list[Case] = []
        otherwise: Block | None = None
        rest: tuple[Steps, bool] = ([], False)
        all_leave = True
        for each in exits:
            inner, leaves = self._way(each, meet, span)
            if each.when is None:
                rest = inner, leaves
                continue
            all_leave = all_leave and leaves
            cases.append(Case(expression(each.when, span), Block(tuple(inner))))
        # If every other way leaves, the last one needs no `else` to stand in.
        flat = all_leave and not rest[1]
        if rest[0] and not flat:
            otherwise = Block(tuple(rest[0]))
        switch = _without_empty(cases, otherwise, lambda: self._nothing(name, "chosen", span), span)
        if switch is not None:
            steps.append(self._step(f"{name} choice", switch, span))
        if flat:
            steps += rest[0]
        return (all_leave and rest[1]), meet

    def _way(self, each: Exit, meet: str | None, span: Span) -> tuple[Steps, bool]:
        if each.to is None:
            return [*each.steps, *self._end(each, span)], True
        inner, leaves = self._from(each.to, meet)
        return [*each.steps, *inner], leaves

    def _risky(
        self, name: str, lowered: Lowered, join: str | None, stop: str | None, steps: Steps
    ) -> tuple[bool, str | None]:
        assert lowered.risky is not None
        meet = join or stop if lowered.handlers else None
        span = self._shape.machine.states[name].span
        ways = [self._handled(handler, meet) for handler in lowered.handlers]
        if all(leaves for _, leaves in ways):
            catches = tuple(
                _catch(handler, inner)
                for handler, (inner, _) in zip(lowered.handlers, ways, strict=True)
            )
            steps.append(lowered.risky(catches))
            steps += lowered.after
            return self._exits(name, lowered.exits, join, stop, steps)
        success: Steps = list(lowered.after)
        (only,) = lowered.exits
        inner, leaves = self._way(only, meet, span)
        success += inner
        steps += self._parted(name, lowered, ways, (success, leaves))
        return (leaves and all(left for _, left in ways)), meet

    def _handled(self, handler: Handler, meet: str | None) -> tuple[Steps, bool]:
        if handler.to is None:
            return [], True
        inner, leaves = self._from(handler.to, meet)
        return inner, leaves

    def _parted(
        self,
        name: str,
        lowered: Lowered,
        ways: list[tuple[Steps, bool]],
        success: tuple[Steps, bool],
    ) -> Steps:
        """A risky step whose handlers go on: a variable tells afterwards which of them did."""
        assert lowered.risky is not None
        span = self._shape.machine.states[name].span
        if not success[0]:
            catches = tuple(
                _catch(
                    handler,
                    inner if inner or handler.steps else [self._nothing(name, "caught", span)],
                )
                for handler, (inner, _) in zip(lowered.handlers, ways, strict=True)
            )
            return [lowered.risky(catches)]
        caught = self._shape.namer.fresh(f"{name} caught")
        before = self._step(f"{name} begin", Set({caught: False}), span)
        catches = ()
        for handler, (inner, leaves) in zip(lowered.handlers, ways, strict=True):
            mark = self._step(f"{name} mark", Set({caught: True}), span)
            catches += (_catch(handler, [mark, *inner] if not leaves else inner),)
        test = expression(f"not {caught}", span)
        rest = self._step(f"{name} rest", Switch((Case(test, Block(tuple(success[0]))),)), span)
        return [before, lowered.risky(catches), rest]

    def _nothing(self, name: str, why: str, span: Span) -> Step:
        """What a way does that only goes on: a block has a step."""
        mark = Set({self._shape.namer.fresh(f"{name} {why}"): True})
        return self._step(f"{name} mark", mark, span)

    def _end(self, each: Exit, span: Span) -> Steps:
        if each.fails:
            return []
        return [self._step("result", Return(self._shape.result(span)), span)]

    def _step(self, name: str, action: Action, span: Span) -> Step:
        return Step(self._shape.namer.fresh(name), action, span)


def _merged(exits: list[Exit]) -> list[Exit]:
    """Ways out of which those that follow each other to one state are one."""
    found = exits[:1]
    for each in exits[1:]:
        last = found[-1]
        either = f"({last.when}) or ({each.when})"
        same = last.to == each.to and not (last.steps or each.steps or each.fails)
        if same and None not in (last.when, each.when) and len(either) <= _LONGEST:
            found[-1] = Exit(each.to, either)
        else:
            found.append(each)
    return found


def _without_empty(
    cases: list[Case], otherwise: Block | None, nothing: Callable[[], Step], span: Span
) -> Switch | None:
    """A switch whose cases all do something; the others keep those after them from applying.

    The last ones are looked at for what they may fail with, and then there is `nothing` to do.
    """
    kept: list[Case] = []
    passed: list[str] = []
    for case in cases:
        if not case.do.steps:
            passed.append(f"not ({case.when.source})")
        elif not passed:
            kept.append(case)
        else:
            guarded = " and ".join([*passed, f"({case.when.source})"])
            kept.append(Case(expression(guarded, span), case.do))
    if otherwise is not None and passed:
        kept.append(Case(expression(" and ".join(passed), span), otherwise))
        otherwise = None
    elif cases and not cases[-1].do.steps:
        kept.append(Case(expression(" and ".join(passed), span), Block((nothing(),))))
    return Switch(tuple(kept), otherwise) if kept else None


def _catch(handler: Handler, inner: Steps) -> Catch:
    return Catch(handler.on, Block((*handler.steps, *inner)), handler.span, handler.bind)


# --- as a state machine ------------------------------------------------------------------------


def _jumping(shape: Shape, span: Span) -> Steps:
    """The machine as a `states` step."""
    namer = Namer()  # names of states are no names in expressions
    names = {name: namer.fresh(name) for name in _reached(shape.machine)}
    states: dict[str, SpecState] = {}
    for name in names:
        unmatched = namer.fresh(f"{name} unmatched")
        _add_state(shape, name, names, states, unmatched)
    step = States(names[shape.machine.start_at], states, MOST_STATES)
    return [Step(shape.namer.fresh("machine"), step, span)]


def _reached(machine: Machine) -> list[str]:
    found = [machine.start_at]
    for name in found:
        found += [each for each in targets(machine.states[name]) if each not in found]
    return found


def _add_state(
    shape: Shape, name: str, names: dict[str, str], states: dict[str, SpecState], unmatched: str
) -> None:
    """Add a state, and one for what it does when none of its ways is taken."""
    lowered, span = shape.lower(name), shape.machine.states[name].span
    steps: Steps = list(lowered.before)
    caught, next_ = _attempted(shape, name, lowered, names, steps)
    success = [*lowered.after, *_ending(shape, lowered.exits, span)]
    if success and caught is not None:
        test = expression(f'{caught} == ""', span)
        rest = Switch((Case(test, Block(tuple(success))),))
        steps.append(Step(shape.namer.fresh(f"{name} rest"), rest, span))
    else:
        steps += success
    next_ += _transitions(shape, name, lowered.exits, names, steps)
    last = lowered.exits[-1]
    if len(lowered.exits) > 1 and last.fails:
        next_.append(Transition(unmatched, span))
        states[unmatched] = SpecState(Block(last.steps), (), span)
    elif next_ and next_[-1].when is not None:  # the rest of the state leaves the machine
        next_[-1] = Transition(next_[-1].to, span)
    states[names[name]] = SpecState(Block(tuple(steps)), tuple(next_), span)


def _attempted(
    shape: Shape, name: str, lowered: Lowered, names: dict[str, str], steps: Steps
) -> tuple[str | None, list[Transition]]:
    """Add the risky step of a state; the variable that tells where its handlers lead, if any do.

    It holds the name of a state, and an empty text if none took over.
    """
    span = shape.machine.states[name].span

    def step(wanted: str, action: Action) -> Step:
        return Step(shape.namer.fresh(wanted), action, span)

    leads = [names[each.to] for each in lowered.handlers if each.to is not None]
    caught = shape.namer.fresh(f"{name} caught") if leads else None
    if caught is not None:
        steps.append(step(f"{name} begin", Set({caught: ""})))
    if lowered.risky is not None:
        catches: tuple[Catch, ...] = ()
        for handler in lowered.handlers:
            marks: Steps = []
            if handler.to is not None:
                marks = [step(f"{name} mark", Set({str(caught): names[handler.to]}))]
            catches += (_catch(handler, marks),)
        steps.append(lowered.risky(catches))
    tests = {to: expression(f'{caught} == "{to}"', span) for to in leads}
    return caught, [Transition(to, span, test) for to, test in tests.items()]


def _ending(shape: Shape, exits: list[Exit], span: Span) -> Steps:
    """The steps of a state that ends the machine."""
    only = exits[-1]
    if len(exits) > 1 or only.to is not None:
        return []
    if only.fails:
        return [*only.steps]
    return [*only.steps, Step(shape.namer.fresh("result"), Return(shape.result(span)), span)]


def _transitions(
    shape: Shape, name: str, exits: list[Exit], names: dict[str, str], steps: Steps
) -> list[Transition]:
    """Where the exits go; those with steps of their own tell by a variable which one it was."""
    span = shape.machine.states[name].span
    leading = [each for each in exits if each.to is not None]
    if len(leading) > 1 and any(each.steps for each in leading):
        chosen = shape.namer.fresh(f"{name} next")
        cases, otherwise = [], None
        for each in leading:
            mark = Step(shape.namer.fresh(f"{name} go"), Set({chosen: names[str(each.to)]}), span)
            block = Block((*each.steps, mark))
            if each.when is None:
                otherwise = block
            else:
                cases.append(Case(expression(each.when, span), block))
        steps.append(Step(shape.namer.fresh(f"{name} begin"), Set({chosen: ""}), span))
        switch = Switch(tuple(cases), otherwise)
        steps.append(Step(shape.namer.fresh(f"{name} choice"), switch, span))
        found = list(dict.fromkeys(names[str(each.to)] for each in leading))
        return [
            Transition(
                to, span, None if to == found[-1] else expression(f'{chosen} == "{to}"', span)
            )
            for to in found
        ]
    if len(leading) == 1:
        steps += leading[0].steps
    return [
        Transition(
            names[str(each.to)], span, None if each.when is None else expression(each.when, span)
        )
        for each in leading
    ]
