"""What Python has and workflows have not: how to say it, and what to write instead."""

from __future__ import annotations

import ast

from agentflow.errors import Diagnostic, Span


class Refused(Exception):
    """What stands in the source has no meaning in a workflow; `diagnostic` says why."""

    def __init__(
        self, code: str, message: str, span: Span, *, label: str = "", help: str = ""
    ) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, message, span, label, help)


FUNCTION = "make it a function, and call that"

STATEMENTS: dict[type[ast.stmt], tuple[str, str]] = {
    ast.FunctionDef: ("a function inside of a workflow", "define it at the top of the module"),
    ast.AsyncFunctionDef: ("a function inside of a workflow", "define it at the top of the module"),
    ast.ClassDef: ("a class inside of a workflow", "define it at the top of the module"),
    ast.Import: ("`import` inside of a workflow", "import at the top of the module"),
    ast.ImportFrom: ("`import` inside of a workflow", "import at the top of the module"),
    ast.Delete: ("`del`", "leave it out; names end with their function"),
    ast.Global: ("`global`", "workflows share nothing: return the value, or pass it on"),
    ast.Nonlocal: ("`nonlocal`", "workflows share nothing: return the value, or pass it on"),
    ast.Assert: ("`assert`", 'write `if not …: raise Fault("Name", "message")`'),
    ast.Match: ("`match`", "write `if` and `elif`"),
    ast.Break: ("`break`", "put the condition in `while`, or `return` from a workflow of its own"),
    ast.Continue: ("`continue`", "put the rest of the round under an `if`"),
    ast.AsyncFor: ("`async for`", "write `for`: every call waits by itself"),
    ast.AsyncWith: ("`async with`", f"only `with saga():` is there; {FUNCTION}"),
    ast.With: ("this `with`", f"only `with saga():` is there; {FUNCTION}"),
}
"""Statements that are refused wherever they stand."""

if hasattr(ast, "TryStar"):
    STATEMENTS[ast.TryStar] = ("`except*`", "write `except`: one error is raised at a time")
