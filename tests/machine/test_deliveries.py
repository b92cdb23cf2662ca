"""Calls that are made at most once, answers that come late or twice, what is asked for again."""

from __future__ import annotations

from tests.machine.script import Scene, scenes

SCENES = {
    "an at-most-once call is recorded before it is made": Scene(
        "  - {id: a, call: f.a, execution: at_most_once}\n",
        """
start
-> record a #1
a = 1
a started
-> invoke a {}
a started
a = 2
-> done 2
""",
    ),
    "an at-most-once call that was under way is interrupted, not repeated": Scene(
        """
  - {id: a, call: f.a, execution: at_most_once, retry: {interval: 0s}}
""",
        """
start
-> record a #1
resume
-> record a #1
a started
-> invoke a {}
resume
-> failed Interrupted at a
""",
    ),
    "a lost worker interrupts an at-most-once call": Scene(
        "  - {id: a, call: f.a, execution: at_most_once}\n",
        """
start
-> record a #1
a started
-> invoke a {}
a ! WorkerLost
-> failed Interrupted at a
""",
    ),
    "an interrupted call is made again only where the retry says so": Scene(
        "  - {id: a, call: f.a, execution: at_most_once, retry: {on: [Interrupted], interval: 0s}}\n",
        """
start
-> record a #1
a started
-> invoke a {}
resume
-> record a #2
a started
-> invoke a {} #2
a = 1
-> done 1
""",
    ),
    "late, double and unknown events change nothing": Scene(
        """
  - {id: a, call: f.a, retry: {interval: 0s}}
  - {id: b, call: f.b}
""",
        """
start
-> invoke a {}
start
zzz = 1
a = 1
-> invoke b {}
a = 2
a ! Boom
fire a@retry
b = 3
-> done 3
b = 4
cancel
""",
    ),
    "resume asks again for what is outstanding": Scene(
        """
  - {id: w, wait: 5s}
  - id: f
    fork: {x: {do: [{id: a, call: f.a}]}, y: {do: [{id: l, listen: go}]}}
""",
        """
start
-> timer w@wait +5
resume
-> timer w@wait +4
fire w@wait
-> invoke f.x.a {}
-> await f.y.l go null
f.x.a = 1
resume
-> await f.y.l go null
""",
    ),
}


@scenes(SCENES)
def test_given_events_then_commands(scene: Scene) -> None:
    scene.play()
