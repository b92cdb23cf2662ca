"""Branches side by side: how many must succeed, and what becomes of the others."""

from __future__ import annotations

from tests.machine.script import Scene, scenes

TWO = """
  - id: f
    fork: {x: {do: [{id: a, call: f.a}]}, y: {do: [{id: b, call: f.b}]}}
    join: JOIN
"""


def both_called(join: str, script: str) -> Scene:
    """Two branches with a call each, from when both calls are under way."""
    opening = "start\n-> invoke f.x.a {}\n-> invoke f.y.b {}\n"
    return Scene(TWO.replace("JOIN", join), opening + script)


SCENES = {
    "join is all unless it is said": Scene(
        TWO.replace("    join: JOIN\n", ""),
        "start\n-> invoke f.x.a {}\n-> invoke f.y.b {}\nf.x.a = 1\nf.y.b = 2\n"
        '-> done {"x": 1, "y": 2}',
    ),
    "fork all gives an object by branch": both_called(
        "all",
        """
f.y.b = 2
f.x.a = 1
-> done {"x": 1, "y": 2}
""",
    ),
    "fork all fails with the first failure and stops the others": both_called(
        "all",
        """
f.y.b ! Boom
-> withdraw f.x.a
-> failed Boom at f.y.b
""",
    ),
    "fork any takes the first success": both_called(
        "any",
        """
f.x.a ! Boom
f.y.b = 2
-> done {"y": 2}
""",
    ),
    "fork any fails with the last failure": both_called(
        "any",
        """
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
