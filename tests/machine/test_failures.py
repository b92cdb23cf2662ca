"""What follows a failure: another attempt, a handler, the clean-up, a timeout."""

from __future__ import annotations

from tests.machine.script import Scene, scenes

SCENES = {
    "a call is retried with growing pauses": Scene(
        "  - {id: a, call: f.a, retry: {max_attempts: 3, interval: 2s, backoff: 3}}\n",
        """
start
-> invoke a {}
a ! Boom
-> timer a@retry +2
fire a@retry
-> invoke a {} #2
a ! Boom
-> timer a@retry +6
fire a@retry
-> invoke a {} #3
a ! Boom
-> failed Boom at a
""",
    ),
    "retry only on the named errors": Scene(
        "  - {id: a, call: f.a, retry: {on: [Busy], interval: 0s}}\n",
        """
start
-> invoke a {}
a ! Busy
-> invoke a {} #2
a ! Boom
-> failed Boom at a
""",
    ),
    "defaults.retry applies to calls": Scene(
        """workflow: t
defaults: {retry: {max_attempts: 2, interval: 0s}}
do: [{id: a, call: f.a}]
""",
        """
start
-> invoke a {}
a ! Boom
-> invoke a {} #2
a = 1
-> done 1
""",
    ),
    "a lost worker is no failure of the call, three times": Scene(
        "  - {id: a, call: f.a}\n",
        """
start
-> invoke a {}
a ! WorkerLost
-> invoke a {} #2
a ! WorkerLost
-> invoke a {} #3
a ! WorkerLost
-> failed WorkerLost at a
""",
    ),
    "catch handles the error and gives its value": Scene(
        """
  - id: a
    call: f.a
    catch: [{on: [Boom], as: e, do: [{id: h, call: f.h, with: {why: "${ e.name }"}}]}]
  - {id: b, return: "${ a }"}
""",
        """
start
-> invoke a {}
a ! Boom
-> invoke a.h {"why": "Boom"}
a.h = 9
-> done 9
""",
    ),
    "catch passes other errors on": Scene(
        "  - {id: a, call: f.a, catch: [{on: [Boom], do: [{id: h, call: f.h}]}]}\n",
        "start\n-> invoke a {}\na ! Bang\n-> failed Bang at a",
    ),
    "catch comes after the retries": Scene(
        """
  - id: a
    call: f.a
    retry: {max_attempts: 2, interval: 0s}
    catch: [{do: [{id: h, return: 3}]}]
""",
        """
start
-> invoke a {}
a ! Boom
-> invoke a {} #2
a ! Boom
-> done 3
""",
    ),
    "finally runs after success and after failure": Scene(
        """
  - id: t
    try:
      do: [{id: a, call: f.a}]
      catch: [{on: Boom, do: [{id: h, call: f.h}]}]
      finally: [{id: z, call: f.z}]
""",
        """
start
-> invoke t.a {}
t.a ! Boom
-> invoke t.h {}
t.h ! Bang
-> invoke t.z {}
t.z = 0
-> failed Bang at t.h
""",
    ),
    "an error in finally replaces the outcome": Scene(
        """
  - id: t
    try:
      do: [{id: a, call: f.a}]
      finally: [{id: z, call: f.z}]
""",
        """
start
-> invoke t.a {}
t.a = 1
-> invoke t.z {}
t.z ! Bang
-> failed Bang at t.z
""",
    ),
    "finally runs when cancelled, and is not interrupted": Scene(
        """
  - id: t
    try:
      do: [{id: a, call: f.a}]
      catch: [{do: [{id: h, call: f.h}]}]
      finally: [{id: z, call: f.z}]
""",
        """
start
-> invoke t.a {}
cancel
-> withdraw t.a
-> invoke t.z {}
cancel
t.z = 0
-> cancelled
""",
    ),
    "a step's timeout stops what is in it": Scene(
        """
  - id: s
    timeout: 10s
    saga: {do: [{id: a, call: f.a}]}
  - {id: b, call: f.b}
""",
        """
start
-> invoke s.a {}
-> timer s@timeout +10
fire s@timeout
-> withdraw s.a
-> failed Timeout at s
""",
    ),
    "the timer of a step that ended in time is withdrawn": Scene(
        "  - {id: s, timeout: 10s, fork: {x: {do: [{id: a, call: f.a}]}}}\n",
        """
start
-> invoke s.x.a {}
-> timer s@timeout +10
s.x.a = 1
-> withdraw s@timeout
-> done {"x": 1}
""",
    ),
    "a composite step is retried as a whole, under new keys": Scene(
        "  - {id: s, retry: {interval: 0s}, saga: {do: [{id: a, call: f.a}, {id: b, call: f.b}]}}\n",
        """
start
-> invoke s.a {}
s.a = 1
-> invoke s.b {}
s.b ! Boom
-> invoke s~2.a {}
s~2.a = 1
-> invoke s~2.b {}
s~2.b = 2
-> done 2
""",
    ),
    "the workflow's timeout": Scene(
        "workflow: t\ntimeout: 1m\ndo: [{id: a, call: f.a}]\n",
        """
start
-> timer @timeout +60
-> invoke a {}
fire @timeout
-> withdraw a
-> failed Timeout at top
""",
    ),
}


@scenes(SCENES)
def test_given_events_then_commands(scene: Scene) -> None:
    scene.play()
