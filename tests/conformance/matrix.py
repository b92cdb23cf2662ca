"""Run checks on engines, and say of each pair what it is: the matrix."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tests.conformance import aws, expressions, faults
from tests.conformance.cases import Case, all_cases
from tests.conformance.engines import Engine, RecordingInline, RecordingRay, local
from tests.conformance.expressions import Row
from tests.conformance.outcomes import Refused

Verdict: TypeAlias = Literal["equal", "refused", "fault", "differs"]


def _moto() -> AbstractContextManager[Engine]:
    from tests.conformance.moto import moto  # takes seconds

    return moto()


ENGINES: Final[dict[str, Callable[[], AbstractContextManager[Engine]]]] = {
    "inline": lambda: local("inline", RecordingInline),
    "ray": lambda: local("ray", RecordingRay),
    "aws": lambda: nullcontext(aws.Simulator()),
    "sfnx": lambda: nullcontext(aws.Sfnx()),
    "moto": _moto,
}
"""How each engine is started."""

ABOUT: Final = {
    "inline": "our engine; functions run in its process",
    "ray": "our engine on Ray; functions run in worker processes of a cluster",
    "aws": "AWS Step Functions: the compiled definition on our own interpreter",
    "sfnx": "the same definition on `sfnx.testing`, an independent interpreter",
    "moto": "the same definition on moto's Step Functions, with its JSONata wired",
}
TARGETS: Final = {"aws": "aws", "sfnx": "aws", "moto": "aws"}
"""What is compiled for an engine; the others run the workflow itself."""


@dataclass(frozen=True)
class Result:
    """What a check came to on an engine."""

    check: str
    engine: str
    verdict: Verdict
    detail: str = ""
    """The reason of a refusal, the name of a fault, or every difference."""


def declared(check: str, refused: str | None, engine: str) -> Result:
    """What a check must come to on an engine."""
    if refused is not None:
        return Result(check, engine, "refused", refused)
    fault = faults.of(check, engine)
    if fault is not None:
        return Result(check, engine, "fault", fault.name)
    return Result(check, engine, "equal")


def run_case(engine: Engine, case: Case) -> Iterator[Result]:
    """All runs of a case on an engine."""
    for check, run in case.checks():
        must = declared(check, case.refused.get(TARGETS.get(engine.name, "")), engine.name)
        try:
            outcome = engine.run(case.loaded, run)
        except Exception as error:
            found = [f"the engine broke: {type(error).__name__}: {error}"]
        else:
            if isinstance(outcome, Refused):
                yield _refused(must, outcome)
                continue
            found = outcome.differences(run.expected, run.loose)
        yield _judged(must, found)


def run_table(engine: Engine, table: Sequence[Row]) -> Iterator[Result]:
    """A table of expressions on an engine."""
    for row, found in expressions.verdicts(engine, table):
        yield _judged(declared(row.check, None, engine.name), found)


def _refused(must: Result, refusal: Refused) -> Result:
    if must.verdict == "refused" and must.detail in refusal.codes:
        return Result(must.check, must.engine, "refused", must.detail)
    return Result(must.check, must.engine, "differs", f"refused: {refusal.reason}")


def _judged(must: Result, found: list[str]) -> Result:
    match must.verdict, found:
        case "equal", []:
            return must
        case "fault", [_, *_]:
            return must
        case "fault", []:
            text = f"it is equal, although `{must.detail}` is said to be wrong with {must.engine}"
        case "refused", _:
            text = f"it is not refused, although {must.detail} is expected"
        case _:
            text = "; ".join(found)
    return Result(must.check, must.engine, "differs", text)


def is_run(case: Case, engine: str) -> bool:
    """Whether an engine runs a case; the slowest runs a selection."""
    return engine != "moto" or case.moto


def run(engines: Collection[str], containing: str = "") -> Iterator[Result]:
    """Everything, engine by engine; or the cases whose name contains a text."""
    for name in engines:
        with ENGINES[name]() as engine:
            for case in all_cases():
                if is_run(case, name) and containing in f"{case.group}: {case.name}":
                    yield from run_case(engine, case)
            if name != "moto" and containing in "expressions":
                for table in expressions.tables():
                    yield from run_table(engine, table)
