"""Branches side by side: how many must succeed, and what becomes of the others."""

from __future__ import annotations

from tests.machine.script import Scene, scenes

SCENES = {
    "fork all gives an object by branch": Scene(
        """
  - id: f
    fork: {left: {do: [{id: a, call: f.a}]}, right: {do: [{id: b, call: f.b}]}}
""",
        """
start
-> invoke f.left.a {}
-> invoke f.right.b {}
f.right.b = 2
f.left.a = 1
-> done {"left": 1, "right": 2}
""",
    ),
    "fork all fails with the first failure and stops the others": Scene(
        """
  - id: f
    fork: {left: {do: [{id: a, call: f.a}]}, right: {do: [{id: b, call: f.b}]}}
""",
        """
start
-> invoke f.left.a {}
-> invoke f.right.b {}
f.right.b ! Boom
-> withdraw f.left.a
-> failed Boom at f.right.b
""",
    ),
    "fork any takes the first success": Scene(
        """
  - id: f
    fork: {x: {do: [{id: a, call: f.a}]}, y: {do: [{id: b, call: f.b}]}}
    join: any
""",
        """
start
-> invoke f.x.a {}
-> invoke f.y.b {}
f.x.a ! Boom
f.y.b = 2
-> done {"y": 2}
""",
    ),
    "fork any fails with the last failure": Scene(
        """
  - id: f
    fork: {x: {do: [{id: a, call: f.a}]}, y: {do: [{id: b, call: f.b}]}}
    join: any
""",
        """
start
-> invoke f.x.a {}
-> invoke f.y.b {}
f.x.a ! Boom
f.y.b ! Bang
-> failed Bang at f.y.b
""",
    ),
    "fork 2 of 3": Scene(
        """
  - id: f
    fork: {x: {do: [{id: a, call: f.a}]}, y: {do: [{id: b, call: f.b}]}, z: {do: [{id: c, call: f.c}]}}
    join: 2
""",
        """
start
-> invoke f.x.a {}
-> invoke f.y.b {}
-> invoke f.z.c {}
f.z.c = 3
f.x.a = 1
-> withdraw f.y.b
-> done {"x": 1, "z": 3}
""",
    ),
    "fork waits for the clean-up of the branch it stops": Scene(
        """
  - id: f
    fork:
      x: {do: [{id: t, try: {do: [{id: a, call: f.a}], finally: [{id: z, call: f.z}]}}]}
      y: {do: [{id: b, call: f.b}]}
""",
        """
start
-> invoke f.x.t.a {}
-> invoke f.y.b {}
f.y.b ! Boom
-> withdraw f.x.t.a
-> invoke f.x.t.z {}
f.x.t.z = 0
-> failed Boom at f.y.b
""",
    ),
    "return ends a branch only": Scene(
        """
  - id: f
    fork: {x: {do: [{id: r, return: 1}]}, y: {do: [{id: b, call: f.b}]}}
  - {id: o, return: "${ f.x + f.y }"}
""",
        "start\n-> invoke f.y.b {}\nf.y.b = 2\n-> done 3",
    ),
}


@scenes(SCENES)
def test_given_events_then_commands(scene: Scene) -> None:
    scene.play()
