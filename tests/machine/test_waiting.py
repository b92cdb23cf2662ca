"""Steps that turn to the world: waiting, listening, approving, emitting."""

from __future__ import annotations

from tests.machine.script import Scene, scenes

SCENES = {
    "wait for a duration": Scene(
        "  - {id: w, wait: 90s}\n", "start\n-> timer w@wait +90\nfire w@wait\n-> done null"
    ),
    "wait for a time in the past": Scene(
        '  - {id: w, wait: "2001-01-01T00:00:00Z"}\n', "start\n-> done null"
    ),
    "listen with correlation": Scene(
        '  - {id: l, listen: paid, correlation: "${ input.order }"}\n',
        'start\n-> await l paid "o-1"\nl > {"sum": 5}\n-> done {"sum": 5}',
        {"order": "o-1"},
    ),
    "approve is addressed by its path": Scene(
        "  - {id: a, approve: {message: ok?, form: {type: object}}}\n",
        'start\n-> await a a null\na > {"yes": true}\n-> done {"yes": true}',
    ),
    "listen gives up after its timeout": Scene(
        "  - {id: l, listen: paid, timeout: 5s}\n",
        """
start
-> await l paid null
-> timer l@timeout +5
fire l@timeout
-> withdraw l
-> failed Timeout at l
""",
    ),
    "emit waits until the event is out": Scene(
        '  - {id: e, emit: {type: order.paid, data: "${ input }"}}\n',
        "start\n-> emit e order.paid 5\ne emitted\n-> done null",
        5,
    ),
}


@scenes(SCENES)
def test_given_events_then_commands(scene: Scene) -> None:
    scene.play()
