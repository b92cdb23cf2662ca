"""Every case on every engine that runs here: the same outcome, and the same calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.conformance import expressions, faults, report
from tests.conformance.__main__ import main
from tests.conformance.cases import Case, Run, all_cases
from tests.conformance.engines import Engine
from tests.conformance.expressions import Row
from tests.conformance.matrix import ENGINES, declared, is_run, run_case, run_table
from tests.conformance.outcomes import Outcome

CASES = all_cases()
TABLES = list(expressions.tables())

SLOW = {"realistic", "attempts", "calls", "waiting"}
"""Groups that take more than a second in all."""

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of moto's parser
]


class Engines(dict[str, Engine]):
    """Engines by name, each started when it is first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        super().__init__()
        self._stack = stack

    def __missing__(self, name: str) -> Engine:
        self[name] = self._stack.enter_context(ENGINES[name]())
        return self[name]


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    """One engine of each kind for all cases."""
    with ExitStack() as stack:
        yield Engines(stack)


def on(name: str) -> Iterator[object]:
    """The cases that an engine runs here, as parameters."""
    for case in CASES:
        quick = name in {"inline", "aws"} and case.group not in SLOW and not case.slow
        if is_run(case, name) and not (name == "ray" and case.slow):
            marks = [] if quick else [pytest.mark.slow]
            yield pytest.param(name, case, id=f"{name}-{case.group}-{case.name}", marks=marks)


@pytest.mark.parametrize(("name", "case"), [each for name in ENGINES for each in on(name)])
def test_a_case_has_its_outcome_and_its_calls(engines: Engines, name: str, case: Case) -> None:
    wrong = [each for each in run_case(engines[name], case) if each.verdict == "differs"]
    assert not wrong, "\n".join(f"{each.check}: {each.detail}" for each in wrong)


def chosen(table: list[Row]) -> list[Row]:
    """The values of a table, and some of the many pairs of types that operators refuse."""
    return [row for n, row in enumerate(table) if "value" in row.expected or n % 8 == 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inline", "aws", "sfnx"])
def test_expressions_have_their_values_and_faults(engines: Engines, name: str) -> None:
    wrong = [
        f"{each.check}: {each.detail}"
        for table in TABLES
        for each in run_table(engines[name], table if name == "inline" else chosen(table))
        if each.verdict == "differs"
    ]
    assert not wrong, "\n".join(wrong)


# --- the suite itself -----------------------------------------------------------------------------


def test_the_page_is_what_the_cases_say() -> None:
    assert main(["--check"]) == 0


def test_the_figures_are_reached() -> None:
    results = list(report.everything_declared())
    totals = report.totals(results)
    assert min(totals[name].total() for name in ("inline", "ray", "aws")) >= 400
    assert not any(totals[name]["fault"] for name in ("inline", "ray", "aws"))
    right, all_ = report.confirmed(results)
    assert right / all_ >= 0.95
    assert sum(case.group == "realistic" for case in CASES) >= 40


def test_names_of_checks_are_unique() -> None:
    names = [check for case in CASES for check, _ in case.checks()]
    names += [row.check for row in expressions.rows()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_met_by_a_check(fault: faults.InterpreterFault) -> None:
    names = [check for case in CASES if is_run(case, fault.engine) for check, _ in case.checks()]
    assert any(faults.of(name, fault.engine) == fault for name in names)


EXPECTED = Outcome("succeeded", {"a": [1, True]})


@pytest.mark.parametrize(
    ("found", "differs"),
    [
        (Outcome("succeeded", {"a": [1.0, True]}), False),
        (Outcome("succeeded", {"a": [1, 1]}), True),
        (Outcome("succeeded", {"a": [1, True], "b": None}), True),
        (Outcome("failed", None, "Boom"), True),
        (replace(EXPECTED, calls=EXPECTED.calls + type(EXPECTED.calls)([("f.x", "{}")])), True),
    ],
    ids=["an integer as a float", "a number for a boolean", "one key more", "a failure", "a call"],
)
def test_outcomes_are_compared_as_the_language_sees_them(found: Outcome, *, differs: bool) -> None:
    assert bool(found.differences(EXPECTED)) is differs


def test_what_is_said_to_be_wrong_and_is_right_is_a_difference() -> None:
    class Repaired:
        name = "sfnx"

        def run(self, loaded: object, run: Run) -> Outcome:
            return run.expected

    (case,) = (case for case in CASES if case.name == "a workflow takes too long")
    assert declared("attempts: a workflow takes too long", None, "sfnx").verdict == "fault"
    (result,) = run_case(Repaired(), case)
    assert result.verdict == "differs"
    assert "it is equal, although" in result.detail


def test_an_engine_that_breaks_is_a_difference() -> None:
    class Broken:
        name = "inline"

        def run(self, loaded: object, run: Run) -> Outcome:
            raise RuntimeError("no power")

    (result,) = run_case(Broken(), CASES[0])
    assert (result.verdict, result.detail) == (
        "differs",
        "the engine broke: RuntimeError: no power",
    )
