"""Maps: items alone and in batches, failures that are tolerated, limits on what is in flight."""

from __future__ import annotations

from tests.machine.script import Scene, scenes


def called_twice(siblings: str, script: str) -> Scene:
    """A map of two items with `siblings` beside its call, from when both calls are under way."""
    spec = f'  - {{id: m, map: "${{ input }}", {siblings} call: f.a}}\n'
    return Scene(spec, "start\n-> invoke m[0] {}\n-> invoke m[1] {}\n" + script, [1, 2])


SCENES = {
    "map gives results in item order": Scene(
        '  - {id: m, map: "${ input }", as: x, call: f.a, with: {x: "${ x }"}}\n',
        """
start
-> opened m 2
-> invoke m[0] {"x": 5}
-> invoke m[1] {"x": 6}
m[1] = 60
m[0] = 50
-> done [50, 60]
""",
        [5, 6],
    ),
    "map of nothing": Scene('  - {id: m, map: "${ input }", call: f.a}\n', "start\n-> done []", []),
    "map of no list": Scene(
        '  - {id: m, map: "${ input }", call: f.a}\n',
        "start\n-> failed TypeMismatch at m",
        "abc",
    ),
    "map with concurrency": Scene(
        '  - {id: m, map: "${ input }", concurrency: 1, call: f.a, with: {x: "${ item }"}}\n',
        """
start
-> invoke m[0] {"x": 1}
m[0] = 1
-> invoke m[1] {"x": 2}
m[1] = 2
-> done [1, 2]
""",
        [1, 2],
    ),
    "map with steps": Scene(
        """
  - id: m
    map: ${ input }
    as: x
    index: i
    do:
      - {id: a, call: f.a, with: {x: "${ x }"}}
      - {id: b, return: ["${ i }", "${ a }"]}
""",
        """
start
-> invoke m[0].a {"x": 1}
-> invoke m[1].a {"x": 2}
m[1].a = 8
m[0].a = 7
-> done [[0, 7], [1, 8]]
""",
        [1, 2],
    ),
    "a failing item stops the others": called_twice(
        "",
        """
m[1] ! Boom
-> withdraw m[0]
-> failed Boom at m[1]
""",
    ),
    "tolerated failures are null": called_twice(
        "tolerate: 1,",
        """
m[0] ! Boom
m[1] = 2
-> done [null, 2]
""",
    ),
    "more failures than tolerated": called_twice(
        'tolerate: "50%",',
        """
m[0] ! Boom
m[1] ! Boom
-> failed TooManyFailures at m[0]
""",
    ),
    "retry on a map with a call is per item": called_twice(
        "retry: {interval: 0s},",
        """
m[1] ! Boom
-> invoke m[1] {} #2
m[0] = 1
m[1] = 2
-> done [1, 2]
""",
    ),
    "batches of a given size": Scene(
        '  - {id: m, map: "${ input }", batch: 2, call: f.a, with: {x: "${ item }"}}\n',
        """
start
-> batch m[0:2] [{"x": 1}, {"x": 2}]
-> batch m[2:3] [{"x": 3}]
m[2:3] : [30]
m[0:2] : [10, 20]
-> done [10, 20, 30]
""",
        [1, 2, 3],
    ),
    "an item that fails in a batch is retried alone": Scene(
        '  - {id: m, map: "${ input }", batch: 2, retry: {interval: 0s}, call: f.a, with: {x: "${ item }"}}\n',
        """
start
-> batch m[0:2] [{"x": 1}, {"x": 2}]
m[0:2] : [10, "!Boom"]
-> invoke m[1] {"x": 2} #2
m[1] = 20
-> done [10, 20]
""",
        [1, 2],
    ),
    "a lost batch is tried item by item": Scene(
        '  - {id: m, map: "${ input }", batch: 2, call: f.a, with: {x: "${ item }"}}\n',
        """
start
-> batch m[0:2] [{"x": 1}, {"x": 2}]
m[0:2] ! WorkerLost
-> invoke m[0] {"x": 1}
-> invoke m[1] {"x": 2}
m[0] = 1
m[1] = 2
-> done [1, 2]
""",
        [1, 2],
    ),
    "the workflow's concurrency bounds calls in flight": Scene(
        """workflow: t
concurrency: 1
do: [{id: m, map: "${ input }", call: f.a}]
""",
        """
start
-> invoke m[0] {}
m[0] = 0
-> invoke m[1] {}
m[1] = 1
-> done [0, 1]
""",
        [0, 0],
    ),
}


@scenes(SCENES)
def test_given_events_then_commands(scene: Scene) -> None:
    scene.play()
