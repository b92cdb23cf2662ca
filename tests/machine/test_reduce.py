"""Partial results of a map, combined as they come."""

from __future__ import annotations

from tests.machine.script import Scene, scenes

SCENES = {
    "reduce combines neighbours as soon as they are complete": Scene(
        '  - {id: m, map: "${ input }", call: f.a, reduce: {call: f.r, arity: 2}}\n',
        """
start
-> invoke m[0] {}
-> invoke m[1] {}
-> invoke m[2] {}
m[1] = 1
m[0] = 0
-> invoke m.reduce[0][0] {"items": [0, 1]}
m.reduce[0][0] = "a"
m[2] = 2
-> invoke m.reduce[0][1] {"items": [2]}
m.reduce[0][1] = "b"
-> invoke m.reduce[1][0] {"items": ["a", "b"]}
m.reduce[1][0] = "ab"
-> done "ab"
""",
        [0, 0, 0],
    ),
    "reduce of nothing is called once": Scene(
        '  - {id: m, map: "${ input }", call: f.a, reduce: {call: f.r}}\n',
        'start\n-> invoke m.reduce[0][0] {"items": []}\nm.reduce[0][0] = 0\n-> done 0',
        [],
    ),
    "reduce leaves tolerated failures out": Scene(
        '  - {id: m, map: "${ input }", tolerate: 1, call: f.a, reduce: {call: f.r}}\n',
        """
start
-> invoke m[0] {}
-> invoke m[1] {}
m[0] ! Boom
m[1] = 1
-> invoke m.reduce[0][0] {"items": [1]}
m.reduce[0][0] = 1
-> done 1
""",
        [0, 0],
    ),
    "a reduce that fails is not tolerated": Scene(
        '  - {id: m, map: "${ input }", tolerate: 1, call: f.a, reduce: {call: f.r}}\n',
        """
start
-> invoke m[0] {}
m[0] = 1
-> invoke m.reduce[0][0] {"items": [1]}
m.reduce[0][0] ! Boom
-> failed Boom at m.reduce[0][0]
""",
        [0],
    ),
}


@scenes(SCENES)
def test_given_events_then_commands(scene: Scene) -> None:
    scene.play()
