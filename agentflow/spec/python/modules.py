"""Python files as the source of workflows: their text, and what their top level binds.

Nothing here imports a user's module; everything is read from the syntax.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, TypeAlias

from agentflow.errors import Diagnostic, Span
from agentflow.spec.read import decode
from agentflow.spec.source import Source
from agentflow.spec.syntax import statements, tree_of
from agentflow.spec.tree import Unreadable

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_DEF = re.compile(r"(async[ \t]+)?def[ \t]+")
_BREAK = re.compile(r"\r\n|\r|\n")
_HELPERS_LIVE = frozenset({"agentflow", "agentflow.functions", "agentflow.functions.flow"})
_MOST_EXPORTS = 8
"""How often a name may be imported on from module to module."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import binds: the path of a module, or of something in one."""

    path: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an assignment at the top of a module binds; `None` where it is bound twice."""

    value: ast.expr | None


Bound: TypeAlias = Function | ast.ClassDef | Imported | Assigned


class Module:
    """A Python file that was read; `name` is what workers import it by, empty if they cannot."""

    def __init__(self, file: Path, shown: str, name: str, text: str) -> None:
        self.file = file
        self.name = name
        self.source = Source(text, shown)
        self.tree = _parsed(self.source)

    def span(self, node: Any) -> Span:
        """The place of a node."""
        return self.source.span(*self.offsets(node))

    def offsets(self, node: Any) -> tuple[int, int]:
        """Where a node stands in the text; Python counts columns in bytes of UTF-8."""
        return (
            self._offset(node.lineno, node.col_offset),
            self._offset(node.end_lineno, node.end_col_offset),
        )

    def head(self, node: Any) -> Span:
        """The place of a node's first line."""
        start, end = self.offsets(node)
        line = _BREAK.search(self.source.text, start, end)
        return self.source.span(start, end if line is None else line.start())

    def name_of(self, node: Function) -> ast.Name:
        """A function's name in its definition, as a node with its place."""
        start, end = self.offsets(node)
        keyword = _DEF.match(self.source.text, start, end)
        column = node.col_offset + (keyword.end() - start if keyword else 0)
        end_column = column + len(node.name.encode())
        return ast.Name(
            node.name,
            lineno=node.lineno,
            col_offset=column,
            end_lineno=node.lineno,
            end_col_offset=end_column,
        )

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in _BREAK.finditer(self.source.text))]

    def _offset(self, line: int, column: int) -> int:
        start = self._starts[line - 1]
        text = self.source.text[start : start + column]
        if text.isascii():
            return start + column
        return start + len(text.encode()[:column].decode(errors="ignore"))

    @cached_property
    def names(self) -> dict[str, Bound]:
        """What the top level binds, the last binding of each name."""
        found: dict[str, Bound] = {}
        for statement in statements(self.tree.body):
            for name, bound in self._bindings(statement):
                twice = name in found and isinstance(bound, Assigned)
                found[name] = Assigned(None) if twice else bound
        return found

    @cached_property
    def imports_all(self) -> bool:
        """Whether a `from … import *` may bind any other name."""
        return any(
            isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*"
            for statement in statements(self.tree.body)
        )

    def _bindings(self, statement: ast.stmt) -> Iterator[tuple[str, Bound]]:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, statement
            case ast.ClassDef(name=name):
                yield name, statement
            case ast.Import(names=names):
                for each in names:
                    if each.asname:
                        yield each.asname, Imported(each.name)
                    else:
                        top = each.name.partition(".")[0]
                        yield top, Imported(top)
            case ast.ImportFrom(module=module, names=names, level=level):
                package = self._package(level) if level else ""
                base = ".".join(part for part in (package, module) if part)
                for each in names:
                    yield each.asname or each.name, Imported(f"{base}.{each.name}")
            case ast.Assign(targets=[ast.Name(name)], value=value):
                yield name, Assigned(value)
            case ast.AnnAssign(target=ast.Name(name), value=value):
                yield name, Assigned(value)
            case _:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        yield node.id, Assigned(None)

    def _package(self, level: int) -> str:
        """The package that a relative import begins at."""
        parts = self.name.split(".")
        up = level - 1 if self.file.name == "__init__.py" else level
        return ".".join(parts[: len(parts) - up])

    def path_of(self, node: ast.expr) -> str | None:
        """The import path of what `name` or `module.name` stands for at the top level."""
        match node:
            case ast.Name(name):
                match self.names.get(name):
                    case Imported(path):
                        return path
                    case None | Assigned():
                        return None
                    case _:
                        return f"{self.name}.{name}"
            case ast.Attribute(value, attribute):
                home = self.path_of(value)
                return None if home is None else f"{home}.{attribute}"
            case _:
                return None

    def decorator(self, function: Function) -> ast.expr | None:
        """The `@workflow` of a function, if it has one."""
        for decorator in function.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            if helper(self.path_of(target)) == "workflow":
                return decorator
        return None

    @cached_property
    def workflows(self) -> dict[str, Function]:
        """The functions of its top level that are decorated with `@workflow`, by name."""
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        return {
            name: bound
            for name, bound in self.names.items()
            if isinstance(bound, functions) and self.decorator(bound) is not None
        }


class Modules:
    """The modules of one project; each is read once."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.sources: dict[str, str] = {}
        """The texts that were read, as messages call them."""
        self._read: dict[Path, Module] = {}
        importlib.invalidate_caches()  # files may be newer than the last look at their folders

    def at(self, file: Path, shown: str) -> Module:
        """The module in a file; `shown` is how messages call it.

        Raises:
            Unreadable: there is no such file, or it is not Python.
        """
        key = file.resolve()
        if key not in self._read:
            text = decode(file, shown).removeprefix("\ufeff")
            self.sources[shown] = text
            self._read[key] = Module(file, shown, self._name(file), text)
        return self._read[key]

    def find(self, name: str) -> Module | None:
        """The module of this name, in the project or installed; `None` without a source."""
        file = self.locate(name)
        if file is None:
            return None
        inside = file.is_relative_to(self.root)
        shown = str(file.relative_to(self.root)) if inside else str(file)
        try:
            return self.at(file, shown)
        except Unreadable:
            return None

    def locate(self, name: str) -> Path | None:
        """The file of the module of this name; finding it runs none of its code."""
        places: Any = [str(self.root), *sys.path]
        origin: str | None = None
        for part in name.split("."):
            spec = PathFinder.find_spec(part, places) if places else None
            if spec is None:
                return None
            origin, places = spec.origin, spec.submodule_search_locations
        return Path(origin) if origin and origin.endswith(".py") else None

    def definition(self, path: str) -> tuple[Module, Function | ast.ClassDef] | None:
        """Where the function or class at an import path is defined, through re-exports."""
        for _ in range(_MOST_EXPORTS):
            home, _, name = path.rpartition(".")
            module = self.find(home) if home else None
            bound = module.names.get(name) if module is not None else None
            if isinstance(bound, Imported):
                path = bound.path
            elif module is None or bound is None or isinstance(bound, Assigned):
                return None
            else:
                return module, bound
        return None

    def _name(self, file: Path) -> str:
        """What the project's workers import a file by."""
        absolute = file.absolute()
        if not absolute.is_relative_to(self.root):
            return ""
        parts = absolute.relative_to(self.root).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        return ".".join(parts) if all(part.isidentifier() for part in parts) else ""


def helper(path: str | None) -> str | None:
    """The helper of `agentflow` at an import path."""
    home, _, name = (path or "").rpartition(".")
    return name if home in _HELPERS_LIVE else None


def _parsed(source: Source) -> ast.Module:
    try:
        return tree_of(source.text)
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        message = f"this module does not parse: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        line, column, message = 1, 1, f"this module does not parse: {error}"
    span = Span(source.path, line, max(column, 1), line, max(column, 1) + 1)
    raise Unreadable(Diagnostic("AF405", message, span, help="correct the Python source"))
