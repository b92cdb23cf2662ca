"""Sagas: what had completed is undone, last first."""

from __future__ import annotations

from tests.machine.script import Scene, scenes

SCENES = {
    "a saga undoes in reverse order": Scene(
        """
  - id: s
    saga:
      do:
        - {id: a, call: f.a, compensate: {call: f.undo, with: {id: "${ a.id }"}}}
        - {id: b, call: f.b, compensate: {call: f.undo, with: {id: "${ b.id }"}}}
        - {id: c, call: f.c}
""",
        """
start
-> invoke s.a {}
s.a = {"id": 1}
-> invoke s.b {}
s.b = {"id": 2}
-> invoke s.c {}
s.c ! Boom
-> invoke s.b.compensate {"id": 2}
s.b.compensate = null
-> invoke s.a.compensate {"id": 1}
s.a.compensate = null
-> failed Boom at s.c
""",
    ),
    "what a compensation is called with is decided when the call completes": Scene(
        """
  - id: first
    set: {n: 1}
  - id: s
    saga:
      do:
        - {id: a, call: f.a, compensate: {call: f.undo, with: {n: "${ n }"}}}
        - {id: b, call: f.b, compensate: {call: f.undo, with: {n: "${ b.n }"}}}
        - {id: later, set: {n: 2}}
        - {id: c, call: f.c}
""",
        """
start
-> invoke s.a {}
s.a = null
-> invoke s.b {}
s.b = {}
-> invoke s.c {}
s.c ! Boom
-> invoke s.a.compensate {"n": 1}
s.a.compensate = null
-> failed Boom at s.c
""",
    ),
    "a compensation that fails does not stop the others": Scene(
        """
  - id: s
    saga:
      do:
        - {id: a, call: f.a, compensate: {call: f.undo}}
        - {id: b, call: f.b, compensate: {call: f.undo, retry: {max_attempts: 2, interval: 0s}}}
        - {id: c, raise: {name: Boom, message: x}}
    catch: [{as: e, do: [{id: r, return: "${ e.data.compensation_failures[0].step }"}]}]
""",
        """
start
-> invoke s.a {}
s.a = 1
-> invoke s.b {}
s.b = 2
-> invoke s.b.compensate {}
s.b.compensate ! Stuck
-> invoke s.b.compensate {} #2
s.b.compensate ! Stuck
-> invoke s.a.compensate {}
s.a.compensate = null
-> done "s.b.compensate"
""",
    ),
    "a saga is undone when cancelled": Scene(
        """
  - id: s
    saga:
      do:
        - {id: a, call: f.a, compensate: {call: f.undo}}
        - {id: b, call: f.b}
""",
        """
start
-> invoke s.a {}
s.a = 1
-> invoke s.b {}
cancel
-> withdraw s.b
-> invoke s.a.compensate {}
s.a.compensate = null
-> cancelled
""",
    ),
    "branches of a saga count in the order of the spec": Scene(
        """
  - id: s
    saga:
      do:
        - id: f
          fork:
            x: {do: [{id: a, call: f.a, compensate: {call: f.undo, with: {k: a}}}]}
            y: {do: [{id: b, call: f.b, compensate: {call: f.undo, with: {k: b}}}]}
        - {id: c, raise: {name: Boom}}
""",
        """
start
-> invoke s.f.x.a {}
-> invoke s.f.y.b {}
s.f.y.b = 2
s.f.x.a = 1
-> invoke s.f.y.b.compensate {"k": "b"}
s.f.y.b.compensate = 0
-> invoke s.f.x.a.compensate {"k": "a"}
s.f.x.a.compensate = 0
-> failed Boom at s.c
""",
    ),
    "an inner saga is undone with the outer one": Scene(
        """
  - id: o
    saga:
      do:
        - {id: i, saga: {do: [{id: a, call: f.a, compensate: {call: f.undo}}]}}
        - {id: c, raise: {name: Boom}}
""",
        """
start
-> invoke o.i.a {}
o.i.a = 1
-> invoke o.i.a.compensate {}
o.i.a.compensate = 0
-> failed Boom at o.c
""",
    ),
}


@scenes(SCENES)
def test_given_events_then_commands(scene: Scene) -> None:
    scene.play()
