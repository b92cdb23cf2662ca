"""From `FILE.py:name`, `module:name` or a function to the definition of a workflow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentflow.errors import Diagnostic, Span
from agentflow.functions.flow import is_workflow
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.fields import listed
from agentflow.spec.python.modules import Function, Module, Modules
from agentflow.spec.signatures import find_root
from agentflow.spec.tree import Unreadable

_IN_FILE = re.compile(r"(?P<file>.+?\.py)(?::(?P<name>.*))?", re.DOTALL)
_BUILDER = "write it to a file, or make it with `agentflow.Builder`"


@dataclass(frozen=True, slots=True)
class Reference:
    """What names a workflow that is written in Python."""

    name: str | None
    """The function; `None`: the only workflow of the file."""
    file: Path | None = None
    module: str = ""
    shown: str = ""
    """How messages call the file."""
    is_main: bool = False
    """Whether the function is of the program that is running."""

    @property
    def root(self) -> Path:
        """The project its functions are found from, unless something else is said."""
        return find_root(Path.cwd() if self.file is None else self.file)


@dataclass(frozen=True, slots=True)
class Definition:
    """A function that is a workflow."""

    module: Module
    node: Function
    is_main: bool = False

    @property
    def path(self) -> str:
        """What names it: `flow.py:report`."""
        return f"{self.module.source.path}:{self.node.name}"


def reference(word: str) -> Reference:
    """What a word such as `flow.py:report`, `flow.py` or `flows.report:run` names."""
    match = _IN_FILE.fullmatch(word)
    if match:
        return Reference(match["name"], Path(match["file"]), shown=match["file"])
    module, _, name = word.rpartition(":")
    return Reference(name, module=module)


def reference_of(function: Callable[..., Any]) -> Reference:
    """What names the workflow that a decorated function is.

    Raises:
        Unreadable: it is not decorated, or its source cannot be compiled from where it is.
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    code = getattr(function, "__code__", None)
    file = Path(code.co_filename) if code is not None else Path("?")
    line = code.co_firstlineno if code is not None else 1
    shown = _shown(file)
    if not is_workflow(function):
        raise _stop(f"`{name}` is not a workflow", shown, line, "decorate it with `@workflow`")
    if name == "<lambda>":
        raise _stop("a lambda is not a workflow", shown, line, "define it with `def`")
    if "<locals>" in name:
        where = name.partition(".<locals>")[0]
        message = f"`{function.__name__}` is defined inside of `{where}`, whose names it could use"
        raise _stop(message, shown, line, f"define it at the top of a module, or {_BUILDER}")
    if "." in name:
        message = f"`{name}` is a method, and workflows have no `self`"
        raise _stop(message, shown, line, "define it at the top of a module")
    if not file.is_file():
        message = f"`{name}` has no source file: it was typed in or made by `exec`"
        raise _stop(message, shown, line, _BUILDER)
    return Reference(name, file, shown=shown, is_main=function.__module__ == "__main__")


def definition(found: Reference, modules: Modules) -> Definition:
    """The definition that a reference names.

    Raises:
        Unreadable: there is none.
    """
    module = _module(found, modules)
    shown = module.source.path
    workflows = module.workflows
    name = found.name
    if name is None:
        if len(workflows) != 1:
            which = f"say which: {shown}:{next(iter(workflows), 'NAME')}"
            has = f"has {listed(list(workflows))}" if workflows else "has no `@workflow`"
            raise _stop(f"this file {has}", shown, 1, which if workflows else _DECORATE)
        name = next(iter(workflows))
    if name in workflows:
        return Definition(module, workflows[name], found.is_main)
    outer, inner, _ = name.partition(".")
    bound = module.names.get(outer)
    if inner and bound is not None:
        message = f"`{name}` names a part of `{outer}`, and workflows stand at a module's top level"
        raise _stop(message, shown, getattr(bound, "lineno", 1), "move it there")
    if bound is None:
        remedy = did_you_mean(name, workflows)
        remedy = remedy or (f"it has {listed(list(workflows))}" if workflows else _DECORATE)
        what = f"there is no workflow `{name}` in this file" if name else "no name follows the `:`"
        raise _stop(what, shown, 1, remedy)
    line = getattr(bound, "lineno", 1)
    raise _stop(f"`{name}` is not a workflow", shown, line, _DECORATE)


_DECORATE = "decorate a function with `@workflow`"


def _module(found: Reference, modules: Modules) -> Module:
    if found.file is not None:
        return modules.at(found.file, found.shown)
    file = modules.locate(found.module)
    if file is None:
        message = f"there is no module `{found.module}`"
        remedy = f"it is looked for in {modules.root} and among the installed packages"
        raise _stop(message, f"{found.module}:{found.name}", 1, remedy)
    return modules.at(file, _shown(file))


def _shown(file: Path) -> str:
    """How messages call a file: from the working folder, if it is in there."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)


def _stop(message: str, shown: str, line: int, remedy: str) -> Unreadable:
    return Unreadable(Diagnostic("AF502", message, Span(shown, line, 1, line, 2), help=remedy))
