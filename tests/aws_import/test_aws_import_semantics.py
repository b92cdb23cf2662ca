"""Imported workflows end as their state machines do: recorded cases, and machines made up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.errors import Json
from tests.asl.cases import CORPUS, Case, load
from tests.aws_import.cases import judge
from tests.aws_import.machines import ECHO, MACHINES, catch, task
from tests.aws_import.worlds import essence, ours, theirs

# What the service refuses because it is larger than 256 KiB is not too large here.
LARGER_THAN_THE_SERVICE_TAKES = {"error-handling-002"}

CASES = load(CORPUS)
SOME = [case for case in CASES if case.area not in {"choice-operators", "intrinsic-functions"}]


@pytest.mark.parametrize("case", SOME[::3], ids=lambda case: case.id)
def test_a_case_ends_as_recorded_or_is_refused_with_a_reason(case: Case) -> None:
    verdict = judge(case)
    assert verdict.refused or verdict.equal or case.id in LARGER_THAN_THE_SERVICE_TAKES, (
        verdict.note
    )


@pytest.mark.slow
def test_most_recorded_cases_can_be_imported_and_nearly_all_of_those_end_as_recorded() -> None:
    verdicts = [judge(case) for case in CASES]
    imported = [verdict for verdict in verdicts if not verdict.refused]
    assert len(imported) >= 0.85 * len(verdicts)
    different = {verdict.case.id for verdict in imported if not verdict.equal}
    assert different <= LARGER_THAN_THE_SERVICE_TAKES


# --- machines made up ------------------------------------------------------------------------------


@pytest.mark.parametrize(("definition", "data"), MACHINES.values(), ids=MACHINES.keys())
def test_a_machine_and_its_workflow_do_the_same(definition: Json, data: Json) -> None:
    (wanted, there), (found, here) = theirs(definition, data), ours(definition, data)
    assert essence(found) == essence(wanted)
    assert here.calls == there.calls


@st.composite
def jumping(draw: st.DrawFn) -> Json:
    """A machine without cycles whose states lead anywhere ahead."""
    count = draw(st.integers(2, 8))
    names = [f"S{number}" for number in range(count)]

    def ahead(place: int) -> str:
        return names[draw(st.integers(place + 1, count - 1))]

    states: dict[str, Json] = {}
    for place, name in enumerate(names[:-1]):
        kind = draw(st.sampled_from(["pass", "choice", "task", "fail", "end"]))
        note = {"Type": "Pass", "Result": place, "ResultPath": f"$.{name}"}
        if kind == "choice":
            tests = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
            rules = [
                {"Variable": "$.n", "NumericEquals": test, "Next": ahead(place)} for test in tests
            ]
            states[name] = {"Type": "Choice", "Choices": rules, "Default": ahead(place)}
        elif kind == "task":
            to = [
                catch(each, to=ahead(place), ResultPath=f"$.{name}")
                for each in draw(st.lists(st.sampled_from(["OutOfStock", "Busy"]), max_size=2))
            ]
            way = draw(st.sampled_from(["next", "end"]))
            where = {"Next": ahead(place)} if way == "next" else {"End": True}
            states[name] = task("check", ResultPath=f"$.{name}", Catch=to, **where)
        elif kind == "fail" and place:
            states[name] = {"Type": "Fail", "Error": f"E{place}"}
        elif kind == "end" and place:
            states[name] = {**note, "End": True}
        else:
            states[name] = {**note, "Next": ahead(place)}
    states[names[-1]] = ECHO
    return {"StartAt": names[0], "States": _reached(names[0], states)}


def _reached(start: str, states: dict[str, Json]) -> dict[str, Json]:
    found = [start]
    for name in found:
        state = states[name]
        nexts = [*state.get("Choices", ()), *state.get("Catch", ()), state]
        leads = [each.get("Next") for each in nexts] + [state.get("Default")]
        found += [each for each in dict.fromkeys(leads) if each and each not in found]
    return {name: states[name] for name in states if name in found}


@settings(deadline=None, max_examples=40)
@given(jumping(), st.integers(0, 3), st.booleans())
def test_however_states_jump_the_workflow_goes_the_same_way(
    definition: Json, number: int, fail: bool
) -> None:
    data = {"n": number, "fail": fail}
    (wanted, there), (found, here) = theirs(definition, data), ours(definition, data)
    assert essence(found) == essence(wanted)
    assert here.calls == there.calls
