"""The checks find what they are there to find: evidence of a quiet run, tampered with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from agentflow import Engine
from agentflow.errors import AgentFlowError
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.machine.protocol import Started
from agentflow.runtime.notices import Changed, Notice
from tests.chaos import ledger
from tests.chaos.campaign import prepare
from tests.chaos.checks import Verdict, check
from tests.chaos.clients import Order
from tests.chaos.ledger import Book, Fact, Mark
from tests.chaos.orchestrator import value_of
from tests.chaos.result import Plan
from tests.chaos.shapes import BY_NAME, SHAPES, Outcome

pytestmark = pytest.mark.slow  # the quiet run takes some seconds

INPUT = 7


@dataclass
class Evidence:
    """What is compared."""

    journal: Journal
    orders: dict[str, Order]
    marks: list[Mark]
    facts: list[Fact]

    def verdict(self) -> Verdict:
        return check(self.journal, self.orders, self.marks, self.facts)

    def place(self, execution: str, step: str) -> int:
        """Where the first mark of a step is."""
        return next(
            number
            for number, mark in enumerate(self.marks)
            if (mark.execution, mark.step) == (execution, step)
        )

    def repeat(self, execution: str, step: str) -> None:
        """Have a step begun once more, a long time afterwards."""
        first = self.marks[self.place(execution, step)]
        self.marks.append(first._replace(at=first.at + 1000))

    def repeat_elsewhere(self, execution: str, step: str) -> None:
        """The same, by a worker that is nobody's."""
        self.repeat(execution, step)
        self.marks[-1] = self.marks[-1]._replace(pid=0, host=0)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    """A run of each shape that asks for nobody outside, without faults."""
    with pytest.MonkeyPatch.context() as patch:
        site = prepare(tmp_path_factory.mktemp("quiet"), Plan())
        for name, value in site.variables().items():
            patch.setenv(name, value)
        book = Book(site.facts, "a1")

        def watch(notice: Notice) -> None:
            if isinstance(notice, Changed):
                for event in notice.events:
                    if isinstance(event, Started):
                        book.note("served", [notice.execution, event.at])

        orders: dict[str, Order] = {}
        with Engine(executor="inline", root=site.root, store=site.store, watch=watch) as engine:
            for shape in SHAPES:
                if shape.needs_signal or shape.needs_cancel:
                    continue
                order = orders[shape.name] = Order(shape.name, shape, INPUT, started_at=0.0)
                execution = engine.start(shape.load(site.root), {"n": INPUT}, id=shape.name)
                try:
                    execution.result(30)
                except AgentFlowError:
                    assert shape.name == "failing"
                stored = execution.record()
                order.seen.append(("a1", Outcome(stored.status, value_of(stored))))
        marks = ledger.marks(site.ledger)
        book.note("hosts", [marks[0].pid])
        journal = Journal.open(site.store, site.root)
        yield Evidence(journal, orders, marks, ledger.facts(site.facts))
        journal.close()
        sys.modules.pop("steps", None)


@pytest.fixture
def evidence(quiet: Evidence) -> Evidence:
    """A copy to tamper with."""
    orders = {id: replace(order, seen=list(order.seen)) for id, order in quiet.orders.items()}
    return Evidence(quiet.journal, orders, list(quiet.marks), list(quiet.facts))


def test_a_quiet_run_gives_no_violations(evidence: Evidence) -> None:
    verdict = evidence.verdict()
    assert verdict.violations == []
    assert verdict.executions == len(evidence.orders) + 1  # one has a child
    assert verdict.invocations > verdict.steps > 0
    assert (verdict.repeated, verdict.late) == (0, 0)


def _lose_acknowledged(evidence: Evidence) -> None:
    evidence.orders["gone"] = Order("gone", BY_NAME["chain"], INPUT, started_at=0.0)


def _tell_something_else(evidence: Evidence) -> None:
    evidence.orders["chain"].seen.append(("b1", Outcome("succeeded", 0)))


def _expect_something_else(evidence: Evidence) -> None:
    evidence.orders["chain"].n = INPUT + 1


def _complete_without_an_invocation(evidence: Evidence) -> None:
    end = Mark("end", "chain", "c", 1, 0, 0, 0.0)
    evidence.marks = [m for m in evidence.marks if m[:4] != end[:4]]


def _begin_when_done(evidence: Evidence) -> None:
    evidence.repeat("chain", "c")


def _begin_an_item_of_a_batch_when_done(evidence: Evidence) -> None:
    evidence.repeat("map", "m[5]")


def _repeat_what_may_run_once(evidence: Evidence) -> None:
    evidence.repeat_elsewhere("once", "a")


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (_lose_acknowledged, "was acknowledged and does not exist"),
        (_tell_something_else, "b1 said"),
        (_expect_something_else, "chain of 8 came to"),
        (_complete_without_an_invocation, "attempt 1 never ended"),
        (_begin_when_done, "`c` began when done: a1 knew"),
        (_begin_an_item_of_a_batch_when_done, "`m[5]` began when done: a1 knew"),
        (_repeat_what_may_run_once, "`a` was invoked more than at most once"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_tampering_is_found(
    evidence: Evidence, tamper: Callable[[Evidence], None], found: str
) -> None:
    tamper(evidence)
    (violation,) = evidence.verdict().violations
    assert found in violation


def test_an_invocation_by_who_lost_the_execution_is_counted_and_allowed(evidence: Evidence) -> None:
    evidence.repeat_elsewhere("chain", "c")
    verdict = evidence.verdict()
    assert verdict.violations == []
    assert (verdict.late, verdict.repeated) == (1, 1)
