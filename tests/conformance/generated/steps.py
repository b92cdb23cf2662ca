"""Steps by chance that run one after another."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agentflow.errors import Json
from tests.conformance.generated.maker import ERRORS, Data, Maker, Place, Table
from tests.conformance.generated.scope import Kind, Name, Scope

# --- steps without others inside ------------------------------------------------------------------


def a_call(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """A call that succeeds, fails, or fails at first."""
    kind = m.kind()
    x = m.template(kind, at)
    match m.rng.choices(("give", "twice", "refuse", "fail", "busy", "count"), (8, 2, 2, 1, 3, 1))[
        0
    ]:
        case "give":
            step = m.call("give", x=x)
        case "refuse":
            step = m.call("refuse", x=x, bad=m.template(kind, at))
        case "busy":
            step = m.call("busy", x=x, failures=m.rng.randint(1, 2))
            if m.chance(0.8):
                step["retry"] = {"max_attempts": m.rng.randint(2, 3), "interval": "0s"}
        case "fail":
            step, kind = m.call("fail", name=m.rng.choice(ERRORS), data=x), "any"
        case "count":
            step, kind = m.call("count", n=m.template("number", at)), "any"
        case function:
            step, kind = m.call(function, x=x), "any"
    if at.in_saga and m.chance(0.7):
        step["compensate"] = _undo(m, at, id, kind)
    if m.chance(0.1):
        step["execution"] = "at_most_once"
    return step, kind


def _undo(m: Maker, at: Place, id: str, kind: Kind) -> Data:
    inside = at.scope.inner()
    inside.bind(Name(id, kind, is_opaque=True))
    given = m.values.template(kind, inside, safe=at.is_safe)
    undo = m.call("fail", data=given) if m.chance(0.15) else m.call("give", x=given)
    if m.chance(0.1):
        undo["retry"] = {"max_attempts": 2, "interval": "0s"}
    return undo


def a_set(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """New names, or new values of old ones."""
    names: dict[str, Json] = {}
    bound = []
    old = list(at.scope.variables())
    for _ in range(m.rng.randint(1, 2)):
        if old and m.chance(0.6):
            variable = m.rng.choice(old)
            names[variable.name] = m.template(variable.kind, at)
        else:
            kind = m.kind()
            name = at.scope.fresh(m.rng, {id, *names})
            names[name] = m.template(kind, at)
            bound.append(Name(name, kind, is_variable=True))
    for each in bound:
        at.scope.bind(each)
    return {"set": names}, "any"


def a_wait(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """A short time."""
    return {"wait": m.rng.choice(("0s", "1s", 1, "PT1S", "${ len([1]) }", "${ '1' + 's' }"))}, "any"


def an_emit(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """An event."""
    event: Data = {"type": "made.event", "data": m.template(m.kind(), at)}
    if m.chance(0.4):
        event |= {"subject": m.template("text", at), "source": "made"}
    return {"emit": event}, "any"


def silence(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """Waiting for a message that does not come."""
    m.made.is_timed = True
    return {"listen": "silence", "timeout": "5s"}, "any"


def a_message(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """A message that comes."""
    message = m.rng.choice((1, None, [[1]], {"k": "v"}, "é😀{% x %}"))
    if m.chance(0.4):
        m.made.messages[id] = message
        asked = f"sure of ${{ {m.values.of('text', at.scope, 0, at.is_safe)} }}?"
        return {"approve": {"message": asked}}, "any"
    name = f"message{len(m.made.messages)}"
    m.made.messages[name] = message
    step: Data = {"listen": name}
    if m.chance(0.4):
        step["correlation"] = m.template("text", at)
    return step, "any"


def a_child(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """Another workflow."""
    name = f"child{len(m.made.children)}"
    child = m.made.children[name] = {"workflow": name}
    scope = Scope()
    scope.bind(Name("input", "any"))
    child["do"] = m.block(Place(scope, depth=max(at.depth, 2)))
    if m.chance(0.5):
        child["output"] = m.values.template("any", scope)
    return {"run": name, "with": {"x": m.template(m.kind(), at)}}, "any"


# --- blocks ---------------------------------------------------------------------------------------


def a_switch(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """Cases."""
    cases = [
        {"when": m.template("flag", at), "do": m.block(at.inner(ids))}
        for _ in range(m.rng.randint(1, 2))
    ]
    step: Data = {"switch": cases}
    if m.chance(0.5):
        step["else"] = m.block(at.inner(ids))
    return step, "any"


def a_try(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """A block with handlers, or with clean-up, or with both."""
    step: Data = {"do": m.block(at.inner(ids))}
    if m.chance(0.8):
        step["catch"] = m.handlers(at, ids)
    if m.chance(0.5) or "catch" not in step:
        step["finally"] = m.block(at.inner(ids))
    return {"try": step}, "any"


def a_saga(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """Calls with what undoes them."""
    return {"saga": {"do": m.block(replace(at.inner(ids), in_saga=True))}}, "any"


def a_loop(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """Rounds that a variable counts, inside a block that binds it."""
    outer = at.inner(ids)
    counter = outer.scope.fresh(m.rng, ids)
    outer.scope.bind(Name(counter, "number"))
    begin = {"id": m.bound(outer, "any"), "set": {counter: 0}}
    inner = outer.inner(set())
    loop: Data = {}
    if m.chance(0.3):
        loop["index"] = _named(m, inner)
    on = {"id": m.bound(inner, "any"), "set": {counter: f"${{ {counter} + 1 }}"}}
    loop["do"] = [on, *m.block(inner)]
    rounds = m.rng.randint(0, 3)
    if m.chance(0.5):
        loop["while"] = f"${{ {counter} < {rounds} }}"
    else:
        loop["until"] = f"${{ {counter} >= {rounds} }}"
    if m.chance(0.3):
        loop["max"] = m.rng.randint(1, 3)
    again = {"id": outer.scope.fresh(m.rng, ids), "loop": loop}
    return {"switch": [{"when": "${ true }", "do": [begin, again]}]}, "any"


def _named(m: Maker, at: Place) -> str:
    """A new name for an item or a count."""
    name = at.scope.fresh(m.rng, at.ids)
    at.scope.bind(Name(name, "number"))
    return name


def a_for(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """A round for each item."""
    inner = at.inner(ids)
    loop: Data = {"for": m.template("numbers", at), "as": _named(m, inner)}
    if m.chance(0.3):
        loop["index"] = _named(m, inner)
    if m.chance(0.15):
        loop["max"] = 2
    return {"loop": {**loop, "do": m.block(inner)}}, "any"


def some_states(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """A state machine whose bound ends it if its transitions do not."""
    names = ["one", "two", "three"][: m.rng.randint(1, 3)]
    states: Data = {}
    for name, following in zip(names, [*names[1:], None], strict=True):
        inner = at.inner(set())
        do = m.block(inner)
        then = {"end": True} if following is None else {"next": _next(m, inner, names, following)}
        states[name] = {"do": do, **then}
    return {"states": states, "start": "one", "max": m.rng.randint(1, 5)}, "any"


def _next(m: Maker, at: Place, names: list[str], following: str) -> Json:
    ways = [
        {"when": m.template("flag", at), "to": m.rng.choice(names)}
        for _ in range(m.rng.randint(0, 2))
    ]
    return [*ways, {"to": following}] if ways else following


def too_late(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """A block that takes longer than it may."""
    m.made.is_timed = True
    inner = at.inner(ids)
    before = [m.step(inner.leaf())] if m.chance(0.5) else []
    wait = {"id": inner.scope.fresh(m.rng, ids), "wait": "1h"}
    do = {"do": [*before, wait]}
    if m.chance(0.3):
        return {"try": {**do, "catch": m.handlers(at, ids)}, "timeout": "5s"}, "any"
    return {"saga": do, "timeout": "5s"}, "any"


LEAVES: Final[Table] = {a_call: 10, a_set: 6, a_wait: 1, an_emit: 1}
BLOCKS: Final[Table] = {
    a_switch: 3,
    a_try: 4,
    a_saga: 3,
    a_loop: 2,
    a_for: 2,
    some_states: 2,
    a_child: 2,
    too_late: 1,
}
TOP: Final[Table] = {a_message: 1, silence: 1}
"""What is drawn only in the outermost block, where it comes once."""
