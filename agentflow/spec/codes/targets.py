"""AF6xx: other engines: what they cannot express, and what cannot be read from them."""

from __future__ import annotations

from agentflow.spec.codes.code import Code

CODES: dict[str, Code] = {
    "AF600": Code(
        "Not for this target",
        "The workflow cannot be compiled for the engine; each reason has a code of its own.",
        "Correct what the other diagnostics name.",
    ),
    "AF601": Code(
        "Step that the target does not have",
        "The engine that is compiled for has no such step, and nothing that could replace it.",
        "Do what the help says, or run this workflow on Ray.",
    ),
    "AF602": Code(
        "Setting that the target does not have",
        "The step can be expressed, but not with this field or this value of it.",
        "Leave the field out, or change it as the help says.",
    ),
    "AF603": Code(
        "More than the target allows",
        "The definition, a wait, or a number in it is above a limit of the service.",
        "Divide the workflow with `run`, or make the number smaller.",
    ),
    "AF604": Code(
        "Not offered by this kind of workflow service",
        "Express workflows of AWS have no callbacks, children or distributed maps.",
        "Compile for the standard kind.",
    ),
    "AF605": Code(
        "Function that cannot be bundled",
        "Its module does not parse, or imports something that would not be in the bundle.",
        "Correct the module, or name the package in the project's requirements.",
    ),
    "AF606": Code(
        "Bundle that cannot be made",
        "A dependency has no wheel for the platform, or the bundle is above the service's limits.",
        "Choose another version or platform, or leave what is large out.",
    ),
    "AF611": Code(
        "State that cannot be imported",
        "A state machine of AWS uses something that has no equal here.",
        "Do what the help says; `agentflow run FILE --from aws` runs it as it is.",
    ),
}
