"""Steps by chance that run side by side.

What becomes of siblings of a failure is a race by design. So at most one of them may fail, and the
calls of the others are not compared; or they run one at a time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agentflow.errors import Json
from tests.conformance.generated.maker import DEEP, Data, Maker, Place, Table
from tests.conformance.generated.scope import Kind, Name


def a_fork(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """Branches, of which all are waited for."""
    m.made.is_ordered = False
    names = ["left", "right", "middle"][: m.rng.randint(1, 3)]
    risky = None if at.is_safe or m.chance(0.5) else m.rng.choice(names)
    fork: Data = {}
    for name in names:
        inner = at.inner(set(), parallel=True, safe=name != risky)
        with m.shadowed(really=risky is not None and name != risky):
            fork[name] = {"do": m.block(inner)}
    return {"fork": fork}, "any"


def a_race(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """Branches, of which as many win as can."""
    m.made.is_ordered = False
    m.made.is_timed = True
    names = ["left", "right", "middle"]
    m.rng.shuffle(names)
    winners = m.rng.randint(1, 2)
    fork: Data = {}
    for place, name in enumerate(sorted(names)):
        inner = at.inner(set(), parallel=True, safe=True)
        if names.index(name) < winners:
            fork[name] = {"do": m.block(inner)}
            continue
        with m.shadowed():
            fork[name] = {"do": [_losing(m, inner, place)]}
    return {"fork": fork, "join": "any" if winners == 1 else winners}, "any"


def _losing(m: Maker, at: Place, place: int) -> Data:
    id = at.scope.fresh(m.rng, at.ids)
    if m.chance(0.5):
        # Longer than anything deeper: for some joins AWS waits for the losers too.
        return {"id": id, "wait": f"{(place + 1) * 30 ** (DEEP + 1 - at.depth)}s"}
    return {"id": id, **m.call("fail")}


def a_lost_race(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """Branches that all fail, in a known order; the last one decides."""
    if at.is_safe:
        return a_race(m, at, ids, id)
    m.made.is_ordered = False
    m.made.is_timed = True
    fork: Data = {}
    for place, name in enumerate(("left", "right")):
        inner = at.inner(set(), parallel=True)
        wait = {"id": inner.scope.fresh(m.rng, inner.ids), "wait": f"{place + 1}s"}
        failed = {"id": inner.scope.fresh(m.rng, inner.ids), **m.call("fail", data=place)}
        fork[name] = {"do": [wait, failed]}
    return {"fork": fork, "join": "any"}, "any"


def a_map(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """Items: all safe, or one at a time, or with one that fails, or with failures that are taken."""
    m.made.is_ordered = False
    mode = m.rng.choice(("safe", "all") if at.is_safe else ("safe", "all", "serial", "one"))
    inner = at.inner(ids, parallel=True, safe=mode in {"safe", "one"})
    items: Json = [1, 2, 3][: m.rng.randint(1, 3)] if mode == "one" else m.template("numbers", at)
    step: Data = {"map": items, "as": inner.scope.fresh(m.rng, ids)}
    inner.scope.bind(Name(step["as"], "number"))
    if m.chance(0.4):
        step["index"] = inner.scope.fresh(m.rng, ids)
        inner.scope.bind(Name(step["index"], "number"))
    if mode == "serial":
        step["concurrency"] = 1
    if mode == "all":
        step["tolerate"] = "100%"
    with m.shadowed(really=mode == "one"):
        step |= _body(m, inner, ids, step["as"], fails=mode == "one", risky=not inner.is_safe)
    if mode != "serial" and "concurrency" not in step and m.chance(0.3):
        step["concurrency"] = m.rng.randint(1, 3)
    if "call" in step and mode != "serial" and m.chance(0.3):
        step["batch"] = m.rng.choice(("auto", 2))
    if m.chance(0.25):
        with m.shadowed(really=mode in {"serial", "one"}):  # it combines what comes before
            step["reduce"] = _reduce(m)
    return step, "any"


def _body(m: Maker, at: Place, ids: set[str], item: str, *, fails: bool, risky: bool) -> Data:
    """What is done with an item; with `fails`, the item 2 fails."""
    refuse = m.call("refuse", x=f"${{ {item} }}", bad=2)
    if m.chance(0.4):
        if fails or risky:
            return refuse
        return m.call("give", x=m.template("any", at))
    steps = m.block(at)
    if fails:
        steps.insert(0, {"id": at.scope.fresh(m.rng, ids), **refuse})
    return {"do": steps}


def _reduce(m: Maker) -> Data:
    reduce: Data = {**m.call("gather", items="${ items }"), "arity": m.rng.randint(2, 3)}
    if m.chance(0.3):
        reduce["retry"] = {"max_attempts": 2, "interval": "0s"}
    return reduce


def a_pipeline(m: Maker, at: Place, ids: set[str], id: str) -> tuple[Data, Kind]:
    """Items through stages, of which none fails, or one item does."""
    m.made.is_ordered = False
    fails = not at.is_safe and m.chance(0.3)
    inner = at.inner(ids, parallel=True, safe=True)
    item = inner.scope.fresh(m.rng, ids)
    source: Json = m.template("numbers", at)
    if m.chance(0.3) or fails:
        source = m.call("count", n=4)
    pipeline: Data = {"from": source, "as": item, "stages": []}
    with m.shadowed(really=fails):
        for place in range(m.rng.randint(1, 3)):
            inside = replace(inner, scope=inner.scope.inner(), ids=set())
            inside.scope.bind(Name(item, "number" if place == 0 else "any"))
            name = inner.scope.fresh(m.rng, {*ids, item})
            ids.add(name)
            body = _body(m, inside, inside.ids, item, fails=fails and place == 0, risky=False)
            stage = {"id": name, **body}
            if m.chance(0.3):
                stage["concurrency"] = 2
            pipeline["stages"].append(stage)
    step: Data = {"pipeline": pipeline}
    if m.chance(0.2):
        with m.shadowed(really=fails):
            pipeline["reduce"] = _reduce(m)
    return step, "any"


LANES: Final[Table] = {a_fork: 3, a_race: 1, a_lost_race: 1, a_map: 4, a_pipeline: 1}
