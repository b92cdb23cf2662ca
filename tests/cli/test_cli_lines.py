"""Progress as lines: what is worth one, and how often."""

from __future__ import annotations

import pytest

from agentflow.cli.lines import Lines
from agentflow.cli.progress import ItemsCounted, Progress, Retrying, Waiting
from agentflow.cli.watch import Watch
from agentflow.runtime.machine import protocol as p
from agentflow.runtime.notices import Changed, Phase, Printed
from agentflow.spec.load import loads

from .conftest import masked

TEXT = """
workflow: w
do:
  - {id: each, map: "${ input }", call: f.work, retry: {max_attempts: 3}}
  - {id: review, approve: Really?}
"""


@pytest.fixture
def progress():
    progress = Progress(loads(TEXT).workflow, "x1")
    progress.feed("x1", (p.Started(100.0, "x1", None),), (p.Opened("each", 1000),))
    return progress


def test_a_big_map_tells_its_progress_every_few_seconds_and_a_tenth_at_most(progress, capsys):
    view, step = Lines(verbose=False), progress.steps[0]
    told = []
    for at, done in [
        (101.0, 500),  # too soon
        (105.0, 510),  # five seconds and half of it: told
        (110.0, 560),  # five seconds, but only a twentieth
        (111.0, 610),  # more than five seconds and a tenth since: told
        (115.9, 900),  # too soon again
        (116.0, 900),  # told
    ]:
        step.items.done = done
        view.happened(progress, [ItemsCounted(at, step)])
        if capsys.readouterr().err:
            told.append(done)
    assert told == [510, 610, 900]


def test_each_kind_of_news_has_its_line(progress, capsys):
    view = Lines(verbose=False)
    error = {"name": "Oops", "message": "no\n  luck"}
    step = progress.steps[0]
    step.items.done, step.running = 300, 8
    view.happened(
        progress,
        [
            ItemsCounted(200.0, step),
            Retrying(201.0, "each[7]", 2, 3, 1.5, error),
            Retrying(202.0, "each[7]", 4, 3, 0.0, error),
            Waiting(203.0, "review", "review", approval=True),
            Waiting(204.0, "a[3].paid", "payment", approval=False),
        ],
    )
    assert masked(capsys.readouterr().err) == (
        "TIME each   300/1000 (8 running)\n"
        "TIME each[7] retry 2/3 in TOOK: Oops: no luck\n"
        "TIME each[7] retry 4: Oops: no luck\n"
        "TIME review waits for approval: agentflow approve x1 review\n"
        "TIME a[3].paid waits for a message: agentflow signal x1 payment\n"
    )


def test_a_watch_shows_everything_before_it_closes(progress, capsys):
    watch = Watch(Lines(verbose=True))
    watch.follow(progress)
    watch(Phase("starting Ray"))
    watch(Phase(None))
    watch(Printed("x1", "each[0]", ("one", "two")))
    ended = p.Ended(107.0, "succeeded", None)
    watch(Changed("x1", (ended,), ()))
    watch.close()
    watch.close()
    assert masked(capsys.readouterr().err) == (
        "TIME starting Ray…\n"
        "TIME starting Ray: done in TOOK\n"
        "each[0] │ one\n"
        "each[0] │ two\n"
        "TIME each   succeeded TOOK, 1000 items\n"
    )


def test_what_happens_in_an_execution_is_told_after_which_one_it_is(progress, capsys):
    watch = Watch(Lines(verbose=False))
    watch.follow(progress)
    watch(Printed("x1", "each[0]", ("one",)))
    watch(Changed("x1", (p.Ended(107.0, "succeeded", None),), ()))
    watch.introduce("x1", "flow 1.0.0  execution x1")
    watch(Printed("x1", "each[1]", ("two",)))
    watch.close()
    assert masked(capsys.readouterr().err) == (
        "flow 1.0.0  execution x1\n"
        "each[0] │ one\n"
        "TIME each   succeeded TOOK, 1000 items\n"
        "each[1] │ two\n"
    )


def test_what_fails_while_it_begins_is_not_called_done(capsys):
    watch = Watch(Lines(verbose=False))
    watch(Phase("starting Ray"))
    watch(Phase(None, failed=True))
    watch.close()
    assert masked(capsys.readouterr().err) == (
        "TIME starting Ray…\nTIME starting Ray: failed after TOOK\n"
    )


def test_a_terminal_that_is_gone_does_not_end_the_watch(progress):
    class Gone(Lines):
        def refresh(self, progress):
            raise OSError("input/output error")

    watch = Watch(Gone(verbose=False))
    watch.follow(progress)
    watch._show()
    watch.close()
