"""Blocks: results pass on, conditions choose, names are bound, a value or an error ends them."""

from __future__ import annotations

from tests.machine.script import Scene, scenes

SCENES = {
    "a chain passes results on": Scene(
        """
  - {id: a, call: f.a, with: {x: "${ input.n }"}}
  - {id: b, call: f.b, with: {x: "${ a + 1 }"}}
""",
        """
start
-> invoke a {"x": 7}
a = 10
-> invoke b {"x": 11}
b = 20
-> done 20
""",
        {"n": 7},
    ),
    "output is computed from all results": Scene(
        """workflow: t
do:
  - {id: a, call: f.a}
  - {id: b, call: f.b}
output: {sum: "${ a + b }"}
""",
        """
start
-> invoke a {}
a = 1
-> invoke b {}
b = 2
-> done {"sum": 3}
""",
    ),
    "a workflow without calls ends at once": Scene(
        '  - {id: a, return: "${ 1 + 1 }"}\n', "start\n-> done 2"
    ),
    "an error in an expression fails the step": Scene(
        '  - {id: a, return: "${ input.missing }"}\n',
        "start\n-> failed MissingKey at a",
        {},
    ),
    "a failed call fails the workflow": Scene(
        "  - {id: a, call: f.a}\n", "start\n-> invoke a {}\na ! Boom\n-> failed Boom at a"
    ),
    "if false skips and gives null": Scene(
        """
  - {id: a, if: "${ input }", call: f.a}
  - {id: b, return: "${ a == null }"}
""",
        "start\n-> done true",
        False,
    ),
    "if must be a boolean": Scene(
        '  - {id: a, if: "${ input }", call: f.a}\n',
        "start\n-> failed TypeMismatch at a",
        1,
    ),
    "set binds after all values are computed": Scene(
        """
  - {id: a, set: {x: 1, y: 2}}
  - {id: b, set: {x: "${ y }", y: "${ x }"}}
  - {id: c, return: ["${ x }", "${ y }"]}
""",
        "start\n-> done [2, 1]",
    ),
    "set in an inner block assigns the outer name": Scene(
        """
  - {id: a, set: {x: 1}}
  - {id: b, switch: [{when: "${ true }", do: [{id: s, set: {x: 2}}]}]}
  - {id: c, return: "${ x }"}
""",
        "start\n-> done 2",
    ),
    "switch takes the first case that holds": Scene(
        """
  - id: s
    switch:
      - {when: "${ input > 10 }", do: [{id: big, call: f.big}]}
      - {when: "${ input > 5 }", do: [{id: mid, call: f.mid}]}
    else: [{id: small, call: f.small}]
""",
        'start\n-> invoke s.mid {}\ns.mid = "m"\n-> done "m"',
        7,
    ),
    "switch falls through without a case": Scene(
        '  - {id: s, switch: [{when: "${ false }", do: [{id: x, call: f.x}]}]}\n',
        "start\n-> done null",
    ),
    "raise fails with its name": Scene(
        '  - {id: a, raise: {name: Nope, message: "no", data: {x: 1}}}\n',
        "start\n-> failed Nope at a",
    ),
    "return ends the workflow from inside": Scene(
        """
  - {id: s, switch: [{when: "${ true }", do: [{id: r, return: 5}]}]}
  - {id: a, call: f.a}
""",
        "start\n-> done 5",
    ),
}


@scenes(SCENES)
def test_given_events_then_commands(scene: Scene) -> None:
    scene.play()
