"""AF5xx: workflows that are written as Python functions."""

from __future__ import annotations

from agentflow.spec.codes.code import Code

CODES: dict[str, Code] = {
    "AF501": Code(
        "Not in the Python subset",
        "A function with `@workflow` is compiled from its source; this part of Python has no "
        "meaning in a workflow.",
        "Write it as the message says, or make it a function and call that.",
    ),
    "AF502": Code(
        "No such workflow in Python",
        "The file or module has no function of this name with `@workflow`, or the function has no "
        "source to compile: it was typed in, is nested, or is a method.",
        "Define it at the top of a module, with `@workflow`; programs use `agentflow.Builder`.",
    ),
    "AF503": Code(
        "Call in the wrong place",
        "A call in a condition, in `and`, `or`, `if … else …` or in a comprehension's `if` would "
        "be made only sometimes, or many times.",
        "Bind its result to a name first.",
    ),
    "AF504": Code(
        "Not a function that a step can call",
        "What is called is a class, a value, or in a module that workers cannot import.",
        "Call a function at the top of a module of the project, or of an installed package.",
    ),
    "AF505": Code(
        "Helper or decorator used wrongly",
        "`@workflow` and the helpers of `agentflow` take what their reference says; what the "
        "compiler reads must be written out.",
        "Correct the argument at the caret.",
    ),
    "AF506": Code(
        "May not be bound",
        "On some way through the function the name has no value yet where it is read.",
        "Bind it before, or on every way.",
    ),
}
