"""Pipelines step by step: items move on alone, sources give values on demand, failures end them."""

from __future__ import annotations

from tests.machine.script import Scene, scenes

STREAM = """
  - id: p
    pipeline:
      from: {call: f.source}
      buffer: 2
      stages: [{id: a, call: f.a, with: {x: "${ item }"}}]
"""


def one_given(script: str) -> Scene:
    """A stream of which one value has come, which is in the first stage."""
    opening = """
start
-> stream p.from demand 2 skip 0
p.from < [1]
-> demand p.from 1
-> invoke p[0].a {"x": 1}
"""
    return Scene(STREAM, opening + script)


SCENES = {
    "items of a pipeline move on independently": Scene(
        """
  - id: p
    pipeline:
      from: ${ input }
      stages:
        - {id: a, call: f.a, with: {x: "${ item }"}}
        - {id: b, call: f.b, with: {x: "${ item }"}}
""",
        """
start
-> invoke p[0].a {"x": 1}
p[0].a = 10
-> invoke p[0].b {"x": 10}
-> invoke p[1].a {"x": 2}
p[1].a = 20
p[0].b = 100
-> invoke p[1].b {"x": 20}
p[1].b = 200
-> done [100, 200]
""",
        [1, 2],
    ),
    "a slow stage holds back the ones before it": Scene(
        """
  - id: p
    pipeline:
      from: ${ input }
      buffer: 1
      stages: [{id: a, call: f.a}, {id: b, call: f.b}]
""",
        """
start
-> invoke p[0].a {}
p[0].a = 0
-> invoke p[0].b {}
-> invoke p[1].a {}
p[1].a = 0
-> invoke p[2].a {}
p[2].a = 0
p[0].b = 0
-> invoke p[1].b {}
-> invoke p[3].a {}
""",
        [1, 2, 3, 4],
    ),
    "a stream gives values on demand": Scene(
        STREAM,
        """
start
-> stream p.from demand 2 skip 0
p.from < [1, 2]
-> demand p.from 2
-> invoke p[0].a {"x": 1}
p.from < [3]
-> demand p.from 1
p[0].a = 10
-> invoke p[1].a {"x": 2}
p.from = null
p[1].a = 20
-> invoke p[2].a {"x": 3}
p[2].a = 30
-> done [10, 20, 30]
""",
    ),
    "a stream whose worker was lost is opened behind what it gave": one_given(
        """
p.from ! WorkerLost
-> stream p.from demand 2 skip 1
""",
    ),
    "values of a stream that was given up are not taken": one_given(
        """
p.from ! WorkerLost
-> stream p.from demand 2 skip 1
p.from #1 < [2]
p.from < [2]
-> demand p.from 1
p.from = null
p[0].a = 10
-> invoke p[1].a {"x": 2}
p[1].a = 20
-> done [10, 20]
""",
    ),
    "an item that fails stops the pipeline": one_given(
        """
p[0].a ! Boom
-> withdraw p.from
-> failed Boom at p[0].a
""",
    ),
    "return in a stage ends its item": Scene(
        """
  - id: p
    pipeline:
      from: ${ input }
      stages:
        - {id: a, do: [{id: s, switch: [{when: "${ item < 0 }", do: [{id: r, return: skipped}]}]}, {id: v, return: "${ item }"}]}
        - {id: b, call: f.b}
""",
        'start\n-> done ["skipped", 5]',
        [-1, 5],
    ),
}


@scenes(SCENES)
def test_given_events_then_commands(scene: Scene) -> None:
    scene.play()
