"""AF4xx: functions, agents and child workflows: whether they are there and take what is given."""

from __future__ import annotations

from agentflow.spec.codes.code import Code

CODES: dict[str, Code] = {
    "AF401": Code(
        "Module not found",
        "Neither the project nor the installed packages have the module.",
        "Correct the path; it begins at the project's root.",
    ),
    "AF402": Code(
        "Function not found",
        "The module has no function of this name.",
        "Correct the name.",
    ),
    "AF403": Code(
        "Unknown argument",
        "The function has no parameter of this name.",
        "Correct the name under `with`.",
    ),
    "AF404": Code(
        "Missing argument",
        "The function has a parameter without default that `with` does not give.",
        "Add it under `with`.",
    ),
    "AF405": Code(
        "Python module does not parse",
        "The source of the function's module has a syntax error.",
        "Correct the Python source.",
    ),
    "AF406": Code(
        "Not an import path",
        "A function is named by its import path, or by a short name from `functions`.",
        "Write it like `functions.text.count_words`.",
    ),
    "AF407": Code(
        "Agent not found",
        "No class of the project is marked `@agent` with this name.",
        "Correct the name; `agentflow agents` lists them.",
    ),
    "AF408": Code(
        "Ambiguous agent",
        "Several classes of the project are agents of the same name.",
        "Rename all but one of them: `@agent(name=…)`.",
    ),
    "AF409": Code(
        "Agent with a mistake",
        "An option of `@agent` is unknown, has no such value or is not written out, or the class "
        "has only one of `snapshot` and `restore`.",
        "Correct the class at the place shown.",
    ),
    "AF410": Code(
        "Method not found",
        "The agent has no method of this name, or several and the call does not say which.",
        "Name one: `agent:NAME.METHOD`.",
    ),
    "AF411": Code(
        "Workflow not found",
        "`run` names no file and no workflow in the same folder.",
        "Correct the name or path; paths are relative to the file.",
    ),
    "AF412": Code(
        "Recursion",
        "A workflow runs itself, perhaps through others.",
        "Repeat with `loop` or `states`.",
    ),
    "AF413": Code(
        "Ambiguous workflow",
        "Two files in the folder have the name.",
        "Name the file.",
    ),
    "AF414": Code(
        "Child's input",
        "The child's schema requires an input that is not given, or refuses one that is.",
        "Correct `with`.",
    ),
}
