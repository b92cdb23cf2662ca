"""What must hold afterwards: ledger, journal and what clients were told agree with each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agentflow.errors import AgentFlowError, NotFound
from agentflow.runtime.executors.calls import item_key
from agentflow.runtime.journal.protocol import ENDED, Record, StoredExecution
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.live import REFUSED
from agentflow.runtime.machine.protocol import outcomes_of
from tests.chaos.clients import Order
from tests.chaos.ledger import Fact, Mark
from tests.chaos.orchestrator import value_of
from tests.chaos.shapes import Outcome

Place = tuple[str, str]
"""An execution and a step's key."""

EVERYTHING = 1_000_000


class Completion(NamedTuple):
    """A step's result in the journal."""

    record: Record
    attempt: int


@dataclass
class Verdict:
    """What was found."""

    executions: int = 0
    steps: int = 0
    """Completed steps."""
    invocations: int = 0
    repeated: int = 0
    """Invocations of an attempt that had been invoked before, by somebody who then died."""
    late: int = 0
    """Invocations that began after the step was done, by orchestrators that had lost the execution."""
    refused_results: int = 0
    """Results in the histories that came too late and were set aside."""
    refused_commits: int = 0
    """Commits that the store refused to orchestrators that had lost executions."""
    violations: list[str] = field(default_factory=list)


def check(
    journal: Journal,
    orders: Mapping[str, Order],
    marks: Sequence[Mark],
    facts: Sequence[Fact],
) -> Verdict:
    """Compare everything with everything."""
    verdict = Verdict(refused_commits=sum(fact.what == "fenced" for fact in facts))
    begun: dict[Place, list[Mark]] = defaultdict(list)
    ended: Counter[tuple[str, str, int]] = Counter()
    for mark in marks:
        if mark.what == "begin":
            begun[mark.execution, mark.step].append(mark)
        else:
            ended[mark.execution, mark.step, mark.attempt] += 1
    verdict.invocations = sum(map(len, begun.values()))
    verdict.repeated = verdict.invocations - len(
        {(*place, mark.attempt) for place, found in begun.items() for mark in found}
    )
    owners = Owners(facts)
    for order in orders.values():
        verdict.violations += _broken_promises(journal, order)
    for stored in journal.executions(limit=EVERYTHING):
        verdict.executions += 1
        try:
            records = journal.history(stored.id)
        except AgentFlowError as error:
            verdict.violations.append(str(error))
            continue
        verdict.refused_results += sum(record.type == REFUSED for record in records)
        completions = dict[str, Completion]()
        for step, completion in _completions(records):
            if step in completions:
                verdict.violations.append(f"{stored.id}: `{step}` was completed twice")
            completions[step] = completion
        verdict.steps += len(completions)
        verdict.violations += _from_nowhere(stored, completions, ended)
        for step, completion in completions.items():
            for mark in begun[stored.id, step]:
                if mark.at > completion.record.at:
                    verdict.late += 1
                    reason = owners.accuse(mark, completion.record, records)
                    if reason:
                        verdict.violations.append(
                            f"{stored.id}: `{step}` began when done: {reason}"
                        )
        verdict.violations += _endless(stored, records)
        if stored.id in orders:
            verdict.violations += _wrong(orders[stored.id], stored, completions, begun)
    return verdict


def _broken_promises(journal: Journal, order: Order) -> Iterator[str]:
    """What a client was told, and is not so."""
    try:
        stored = journal.execution(order.id)
    except NotFound:
        if order.started_at is not None or order.seen:
            yield f"{order.id}: was acknowledged and does not exist"
        return
    actual = Outcome(stored.status, value_of(stored))
    for who, outcome in order.seen:
        if outcome != actual:
            yield f"{order.id}: {who} said {outcome}, the journal says {actual}"


def _completions(records: Sequence[Record]) -> Iterator[tuple[str, Completion]]:
    """Each step, or item of a batch, that has a result, with the record that holds it."""
    for record in records:
        if record.superseded or record.step is None:
            continue
        if record.type == "call.completed":
            yield record.step, Completion(record, record.attempt or 0)
        elif record.type == "batch.completed":
            for index, outcome in enumerate(outcomes_of(record.data)):
                if "value" in outcome:
                    step = item_key(record.step, index)
                    yield step, Completion(record, record.attempt or 0)


def _from_nowhere(
    stored: StoredExecution,
    completions: Mapping[str, Completion],
    ended: Counter[tuple[str, str, int]],
) -> Iterator[str]:
    for step, completion in completions.items():
        if not ended[stored.id, step, completion.attempt]:
            yield f"{stored.id}: `{step}` is completed, but attempt {completion.attempt} never ended"


def _endless(stored: StoredExecution, records: Sequence[Record]) -> Iterator[str]:
    last = (
        [record.type for record in records].index("execution.ended")
        if stored.status in ENDED
        else -1
    )
    if stored.status not in ENDED:
        yield f"{stored.id}: is still {stored.status}"
    elif any(record.type != REFUSED for record in records[last + 1 :]):
        yield f"{stored.id}: has events after its end"


def _wrong(
    order: Order,
    stored: StoredExecution,
    completions: Mapping[str, Completion],
    begun: Mapping[Place, Sequence[Mark]],
) -> Iterator[str]:
    """An outcome or side effects that are not those of the workflow."""
    shape = order.shape
    for key in shape.once:
        attempts = Counter(mark.attempt for mark in begun[order.id, key])
        if any(count > 1 for count in attempts.values()):
            yield f"{order.id}: `{key}` was invoked more than at most once"
    outcome = Outcome(stored.status, value_of(stored))
    right = (shape.expected(order.n), *shape.also(order.n))
    if stored.status not in ENDED:
        return  # said already, and more cannot be said
    if outcome not in right:
        yield f"{order.id}: {shape.name} of {order.n} came to {outcome}, not {right[0]}"
    undone = [completions[key].record.seq for key in shape.undone if key in completions]
    if len(undone) < len(shape.undone) or undone != sorted(undone):
        yield f"{order.id}: was not undone in the order {shape.undone}"
    for key in shape.finals:
        if key not in completions:
            yield f"{order.id}: `{key}` was not done at the end"


class Owners:
    """Which orchestrator had which execution when, and which of them a worker belongs to."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self._served: dict[tuple[str, float], str] = {}
        self._hosts: dict[int, list[tuple[float, str]]] = defaultdict(list)
        for fact in facts:
            if fact.what == "served":
                execution, at = fact.about
                self._served[execution, at] = fact.who
            elif fact.what == "hosts":
                for pid in fact.about:
                    self._hosts[pid].append((fact.at, fact.who))

    def accuse(self, mark: Mark, completion: Record, records: Sequence[Record]) -> str:
        """Why an invocation may not have begun after its step was completed; empty if it may.

        An orchestrator that has lost an execution cannot know. The one that recorded the
        completion, and all that took over later, do know.
        """
        invoker = self._invoker(mark)
        knowing: list[str] = []
        for record in records:
            if record.type in {"execution.started", "execution.resumed"}:
                who = self._served.get((mark.execution, record.at), "")
                if record.seq < completion.seq:
                    knowing = []
                knowing.append(who)
        return f"{invoker} knew of seq {completion.seq}" if invoker in knowing else ""

    def _invoker(self, mark: Mark) -> str:
        """The orchestrator whose worker it is."""
        seen = self._hosts.get(mark.host) or self._hosts.get(mark.pid)
        return (
            min(seen, key=lambda each: abs(each[0] - mark.at))[1] if seen else f"host {mark.host}"
        )
