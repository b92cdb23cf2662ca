"""Damage a store in every way a disk or a person can, and see whether a wrong history gets out.

    python -m tests.journal.damage --cases 5000 [--seed S] [--only N] [--json]

Each case damages a copy of a sound store, opens it and reads every execution. What may come out is
an error of AgentFlow for that execution, or its true history, or a beginning of that: a log of
writes that lost its end is a state the store once had. Where the log of heads is beside the store,
a beginning is not good enough either. Executions that can be read must go on. Anything else is
wrong: another history, an error that is not AgentFlow's, or damage to one row or blob that keeps
the neighbours from being read. A case follows from its number and the seed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import logging
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentflow.errors import AgentFlowError, NotFound
from agentflow.runtime.journal.protocol import ENDED, Record, StoredExecution
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.settings import Settings
from tests.journal.damages import DAMAGES, EXECUTIONS, TEXTS, Case, Sound, Truth, make, put_back
from tests.journal.journal_examples import completed


class Wrong(Exception):
    """What must never come out has."""


def outcomes(sound: Sound, case: Case) -> Counter[str]:
    """How each execution of a damaged store comes out.

    Raises:
        Wrong: a wrong history, or an error that is not AgentFlow's.
    """
    try:
        journal = Journal.open(None, case.root, settings=Settings())
    except AgentFlowError:
        if case.touched is not None:
            raise Wrong("damage to one execution keeps the store from being opened") from None
        return Counter(refused=len(EXECUTIONS))
    found: Counter[str] = Counter()
    try:
        for name in EXECUTIONS:
            outcome = _outcome(journal, sound.truth, name)
            found[outcome] += 1
            if outcome == "beginning" and case.log == "kept" and not journal.behind:
                raise Wrong(f"{name} lost acknowledged events and nobody noticed")
            if outcome != "whole" and case.touched is not None and name not in case.touched:
                raise Wrong(f"{name} is {outcome}, though others were damaged")
        _check_messages(journal, sound.truth)
    finally:
        with contextlib.suppress(AgentFlowError):
            journal.close()
    return found


def _outcome(journal: Journal, truth: Truth, name: str) -> str:
    try:
        history = journal.history(name)
        stored = journal.execution(name)
    except NotFound:
        return "beginning"
    except AgentFlowError:
        return "refused"
    try:
        spec = journal.spec(stored.digest)
    except AgentFlowError:
        return "refused"  # without its workflow it does not go on
    true = truth.histories[name]
    # What a retry set aside later is not set aside yet in a beginning.
    if [replace(r, superseded=False) for r in history] != [
        replace(r, superseded=False) for r in true[: len(history)]
    ]:
        raise Wrong(f"{name} has another history")
    _check_row(stored, truth.rows[name], whole=len(history) == len(true))
    if spec.text not in TEXTS:
        raise Wrong(f"{name} would run another text")
    _go_on(journal, stored, history)
    return "whole" if len(history) == len(true) else "beginning"


def _check_row(stored: StoredExecution, true: StoredExecution, *, whole: bool) -> None:
    fixed = ["workflow", "version", "digest", "root", "input", "started_at", "parent", "parent_key"]
    if whole:
        fixed += ["output", "error", "origin"]
    for name in fixed:
        if getattr(stored, name) != getattr(true, name):
            raise Wrong(f"{stored.id} has another {name}")
    if whole and (stored.status in ENDED) != (true.status in ENDED):
        raise Wrong(f"{stored.id} has another status")


def _go_on(journal: Journal, stored: StoredExecution, history: list[Record]) -> None:
    """What was read goes on, and is read again with what was added."""
    if stored.status in ENDED:
        return
    added = completed(stored.id, len(history) + 1, "added", 7)
    try:
        epoch = journal.claim(stored.id, f"{stored.id}:1:1")
        journal.append([added], [], {stored.id: epoch})
        again = journal.history(stored.id)
    except AgentFlowError:
        return  # the damage is where nothing was read from so far
    if again != [*history, added]:
        raise Wrong(f"{stored.id} goes on with another history")


def _check_messages(journal: Journal, truth: Truth) -> None:
    try:
        found = [message for _, message in journal.inbox(0)]
    except AgentFlowError:
        return
    for message in found:
        if truth.messages.get(message.id) != message:
            raise Wrong(f"message {message.id} says something else")


@dataclass(frozen=True)
class Finding:
    """What a case showed."""

    number: int
    damage: str
    outcomes: Counter[str]
    wrong: str = ""


def try_case(sound: Sound, number: int, seed: int) -> Finding:
    """Run one case in a folder of its own."""
    chance = random.Random(f"{seed}/{number}")
    weights = [weight for _, weight in DAMAGES.values()]
    damage = chance.choices(list(DAMAGES), weights)[0]
    root = Path(tempfile.mkdtemp(dir=sound.folder.parent))
    case = Case(root, chance)
    try:
        shutil.copytree(sound.folder / DAMAGES[damage][0], root, dirs_exist_ok=True)
        damage(case)
        if chance.random() < 0.5 and damage is not put_back:
            case.log = "lost"
            for log in case.database.parent.glob("journal-heads-*.log"):
                log.unlink()
        found = outcomes(sound, case)
    except Wrong as wrong:
        return Finding(
            number, damage.__name__, Counter(), f"{wrong} (the log of heads is {case.log})"
        )
    except Exception as error:
        return Finding(number, damage.__name__, Counter(), f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return Finding(number, damage.__name__, found)


def try_cases(folder: str, truth: Truth, numbers: list[int], seed: int) -> list[Finding]:
    """Run some cases, in a process of their own."""
    logging.disable()  # each damaged store would warn
    sound = Sound(Path(folder), truth)
    return [try_case(sound, number, seed) for number in numbers]


def run(numbers: list[int], seed: int, processes: int) -> Iterator[Finding]:
    """Run cases in several processes."""
    memory = Path("/dev/shm")  # what counts is the bytes, not the disk they are on
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        sound = make(Path(folder) / "sound")
        if processes == 1:
            yield from try_cases(str(sound.folder), sound.truth, numbers, seed)
            return
        with ProcessPoolExecutor(processes) as pool:
            parts = [numbers[start : start + 50] for start in range(0, len(numbers), 50)]
            jobs = [pool.submit(try_cases, str(sound.folder), sound.truth, p, seed) for p in parts]
            for job in jobs:
                yield from job.result()


def summary(findings: list[Finding], seed: int, seconds: float) -> dict[str, Any]:
    """What all cases showed."""
    by_damage: dict[str, Counter[str]] = {}
    for finding in findings:
        by_damage.setdefault(finding.damage, Counter())["cases"] += 1
        by_damage[finding.damage].update(finding.outcomes)
    return {
        "cases": len(findings),
        "seed": seed,
        "seconds": round(seconds, 1),
        "wrong": [
            {"case": f.number, "damage": f.damage, "what": f.wrong} for f in findings if f.wrong
        ],
        "damages": {name: dict(counts) for name, counts in sorted(by_damage.items())},
    }


def main() -> int:
    """Run from a command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.journal.damage")
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="run the case of this number alone")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    numbers = list(range(arguments.cases)) if arguments.only is None else [arguments.only]
    begun = time.monotonic()
    processes = 1 if len(numbers) == 1 else os.cpu_count() or 1
    findings = list(run(numbers, arguments.seed, processes))
    result = summary(findings, arguments.seed, time.monotonic() - begun)
    print(json.dumps(result) if arguments.json else _table(result))
    return 1 if result["wrong"] else 0


def _table(result: dict[str, Any]) -> str:
    columns = ("cases", "whole", "beginning", "refused")
    lines = [f"{'damage':<16}" + "".join(f"{name:>11}" for name in columns)]
    for name, counts in result["damages"].items():
        lines.append(f"{name:<16}" + "".join(f"{counts.get(column, 0):>11,}" for column in columns))
    lines += [
        f"WRONG: case {wrong['case']}, {wrong['damage']}: {wrong['what']}"
        for wrong in itertools.islice(result["wrong"], 20)
    ]
    lines.append(
        f"{result['cases']:,} cases in {result['seconds']} s, {len(result['wrong'])} wrong "
        f"(seed {result['seed']}); executions are counted, six a case"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
