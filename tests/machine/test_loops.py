"""What goes round: loops and state machines."""

from __future__ import annotations

from tests.machine.script import Scene, scenes

SCENES = {
    "while": Scene(
        """
  - {id: s, set: {n: 0}}
  - id: l
    loop: {while: "${ n < 2 }", do: [{id: a, call: f.a}, {id: i, set: {n: "${ n + a }"}}]}
  - {id: r, return: "${ n }"}
""",
        "start\n-> invoke l[0].a {}\nl[0].a = 1\n-> invoke l[1].a {}\nl[1].a = 1\n-> done 2",
    ),
    "until reads the names of the round": Scene(
        """
  - id: l
    loop: {until: "${ a.ready }", do: [{id: a, call: f.a}]}
  - {id: r, return: "${ l.n }"}
""",
        """
start
-> invoke l[0].a {}
l[0].a = {"ready": false, "n": 1}
-> invoke l[1].a {}
l[1].a = {"ready": true, "n": 2}
-> done 2
""",
    ),
    "for goes through items in turn": Scene(
        """
  - id: l
    loop: {for: "${ input }", as: x, index: i, do: [{id: a, call: f.a, with: {x: "${ x }", i: "${ i }"}}]}
""",
        """
start
-> invoke l[0].a {"x": "p", "i": 0}
l[0].a = 1
-> invoke l[1].a {"x": "q", "i": 1}
l[1].a = 2
-> done 2
""",
        ["p", "q"],
    ),
    "a loop over its max fails": Scene(
        '  - {id: l, loop: {while: "${ true }", max: 1, do: [{id: a, call: f.a}]}}\n',
        "start\n-> invoke l[0].a {}\nl[0].a = 1\n-> failed LoopLimit at l",
    ),
    "a state machine goes where its conditions say": Scene(
        """
  - {id: v, set: {n: 0}}
  - id: s
    start: draft
    states:
      draft:
        do: [{id: a, call: f.a}]
        next: [{when: "${ a.ok }", to: done}, {to: fix}]
      fix: {do: [{id: i, set: {n: "${ n + 1 }"}}], next: draft}
      done: {do: [{id: z, return: "${ n }"}], end: true}
""",
        """
start
-> invoke s[0].draft.a {}
s[0].draft.a = {"ok": false}
-> invoke s[2].draft.a {}
s[2].draft.a = {"ok": true}
-> done 1
""",
    ),
    "a state machine that does not end": Scene(
        """
  - id: s
    start: x
    max: 3
    states: {x: {do: [{id: n, set: {a: 1}}], next: y}, y: {do: [{id: m, set: {b: 1}}], next: [{when: "${ false }", to: z}, {to: x}]}, z: {do: [{id: q, set: {c: 1}}], end: true}}
""",
        "start\n-> failed LoopLimit at s",
    ),
}


@scenes(SCENES)
def test_given_events_then_commands(scene: Scene) -> None:
    scene.play()
