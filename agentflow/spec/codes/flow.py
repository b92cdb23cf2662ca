"""AF3xx: names and flow: what can be read where, and which steps are reached."""

from __future__ import annotations

from agentflow.spec.codes.code import Code

CODES: dict[str, Code] = {
    "AF301": Code(
        "Name not defined",
        "No step, `set`, `as` or `index` binds this name anywhere before.",
        "Correct the spelling, or bind the name.",
    ),
    "AF302": Code(
        "Out of scope",
        "The name belongs to a block that this place is not in.",
        "Read the result of the step around that block, or `set` the name outside.",
    ),
    "AF303": Code(
        "Not bound yet",
        "The step that binds the name comes later, or is still under way.",
        "Move that step before this one.",
    ),
    "AF304": Code(
        "Hidden name",
        "A new id, `as` or `index` has the name of something that can be read here.",
        "Choose another name.",
    ),
    "AF305": Code(
        "Duplicate id",
        "Two steps inside one step (or one branch, or one state) have the same id.",
        "Rename one of the two.",
    ),
    "AF306": Code(
        "Set across a parallel boundary",
        "Branches, items and stages run side by side: they read outer names, never write them.",
        "Give the value back as a result: `return` it.",
    ),
    "AF307": Code(
        "Not a variable",
        "Results, items, errors, `input` and `execution` never change.",
        "`set` another name.",
    ),
    "AF308": Code(
        "Unreachable",
        "What stands before it always leaves: by `return`, `raise` or a transition without `when`.",
        "Remove it, or put a condition on what stands before it.",
    ),
    "AF309": Code(
        "No such state",
        "`start` or `to` names a state that is not among `states`.",
        "Correct the name, or add the state.",
    ),
    "AF310": Code(
        "State never entered",
        "No way from `start` leads to the state.",
        "Let a `next` name it, or remove it.",
    ),
    "AF311": Code(
        "Nowhere to go",
        "All transitions of the state have a `when`; none may hold.",
        "End `next` with an entry that has only `to`.",
    ),
}
