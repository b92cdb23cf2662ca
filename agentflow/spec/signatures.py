"""What functions take and give, read from their source: user code is never imported here.

A module is looked for under the project's root first, then among the installed packages. Where
the source cannot tell (a name that is imported or computed, a C extension), the function is
accepted as it is and `Signature.checked` is False.
"""

from __future__ import annotations

import ast
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from agentflow.errors import Span
from agentflow.functions.agents import PREFIX
from agentflow.spec.annotations import is_class, is_context, type_of
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.expressions.types import ANY, Type
from agentflow.spec.syntax import LARGEST_SOURCE, statements, tree_of

if TYPE_CHECKING:
    from agentflow.spec.agents import Agents

Folder: TypeAlias = str | os.PathLike[str]
"""A folder as callers give it."""
_MARKS = ("agentflow.toml", "pyproject.toml", ".git")
_TRANSPARENT = ("function", "cache", "lru_cache")
"""Decorators known to keep a function's parameters."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function that a spec may name, and the type of its result."""

    name: str
    parameters: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    returns: Type = ANY
    open: bool = False
    """Whether it takes any other argument too (`**kwargs`)."""
    checked: bool = True
    """False: the source does not tell, so nothing about its arguments is a sure mistake."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no such function."""

    code: str
    message: str
    help: str = ""
    place: Span | None = None
    """Where in a Python file; `None`: where the spec names the function."""
    label: str = "not found"
    """What the caret says there."""


def root_of(given: Folder | None, near: Path) -> Path:
    """The project root: the folder that was given, else the project of the file `near`."""
    return find_root(near) if given is None else Path(os.path.abspath(given))  # noqa: PTH100


def find_root(path: Path) -> Path:
    """The project of a file: the nearest folder up with a mark of one, else the working folder."""
    # os.path answers False where pathlib raises, as for names that are too long.
    start = Path(os.path.abspath(path))  # noqa: PTH100
    for folder in (start, *start.parents):
        if any(os.path.exists(folder / mark) for mark in _MARKS):  # noqa: PTH110
            return folder
    return Path.cwd()


class Functions:
    """The functions of one project; each module is read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources: dict[str, str] = {}
        """The text of modules that mistakes were found in, by path."""
        self._agents: Agents | None = None
        self._modules: dict[str, _Module | Missing | None] = {}
        self._found: dict[str, Signature | Missing] = {}

    def find(self, function: str) -> Signature | Missing:
        """The signature of the function at an import path, or why there is none."""
        if function not in self._found:
            self._found[function] = self._find(function)
        return self._found[function]

    def _find(self, function: str) -> Signature | Missing:
        if function.startswith(PREFIX):
            return self._find_agent(function)
        module_name, _, name = function.rpartition(".")
        if module_name not in self._modules:
            self._modules[module_name] = self._read(module_name)
        module = self._modules[module_name]
        if isinstance(module, Missing):
            return module
        return Signature(name, checked=False) if module is None else module.signature(name)

    def _find_agent(self, reference: str) -> Signature | Missing:
        if self._agents is None:
            from agentflow.spec.agents import Agents  # which reads signatures with this module

            self._agents = Agents(self.root)
        found = self._agents.find(reference)
        if isinstance(found, Missing) and found.place is not None:
            text = (self.root / found.place.file).read_bytes().decode(errors="replace")
            self.sources[found.place.file] = text
        return found

    def _read(self, name: str) -> _Module | Missing | None:
        """A module's source; `None` if it exists but has none that can be read."""
        located = self._locate(name)
        if isinstance(located, Missing) or located is None:
            return located
        try:
            data = located.read_bytes()
            if len(data) > LARGEST_SOURCE:
                return None
            return _Module(name, tree_of(data))
        except SyntaxError as error:
            return self._broken(located, str(error.msg), error.lineno, error.offset)
        except ValueError as error:
            return self._broken(located, str(error), 1, 1)
        except (OSError, RecursionError, MemoryError):
            return None

    def _broken(self, path: Path, reason: str, line: int | None, column: int | None) -> Missing:
        shown = str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)
        self.sources[shown] = path.read_bytes().decode(errors="replace")
        line, column = line or 1, column or 1
        return Missing(
            "AF405",
            f"this module does not parse: {reason}",
            "correct the Python source",
            Span(shown, line, column, line, column + 1),
        )

    def _locate(self, name: str) -> Path | Missing | None:
        """A module's file; `None` for one without source, such as a C extension."""
        top, *rest = name.split(".")
        folders = [self.root]
        found = _in_folders(folders, top)
        if found is None:
            installed = _installed(top)
            if not installed:
                return _no_module(top, folders, f"in {self.root} or among the installed packages")
            found = installed
        for depth, part in enumerate(rest, 2):
            folders = [path for path in found if path.is_dir()]
            below = _in_folders(folders, part)
            if below is None:
                if not all(path.is_dir() or path.suffix == ".py" for path in found):
                    return None
                return _no_module(".".join(name.split(".")[:depth]), folders, "")
            found = below
        return _source_file(found)


def _in_folders(folders: Sequence[Path], name: str) -> list[Path] | None:
    """The file or folders of a module in the first folder that has it."""
    for folder in folders:
        if _is_file(folder / name / "__init__.py"):
            return [folder / name]
        for file in (folder / f"{name}.py", *folder.glob(f"{name}.*.so")):
            if _is_file(file):
                return [file]
    namespace = [folder / name for folder in folders if os.path.isdir(folder / name)]  # noqa: PTH112
    return namespace or None


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113  # False, not an error, for names that are too long


def _installed(top: str) -> list[Path]:
    """Where an installed top-level module is; finding it runs none of its code."""
    try:
        spec = importlib.util.find_spec(top)
    except (ValueError, ImportError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin or top)]


def _source_file(found: Sequence[Path]) -> Path | None:
    for path in found:
        if path.is_dir() and (path / "__init__.py").is_file():
            return path / "__init__.py"
        if path.suffix == ".py":
            return path
    return None


def _no_module(name: str, folders: Sequence[Path], where: str) -> Missing:
    parent, _, last = name.rpartition(".")
    siblings = sorted({_module_name(entry) for folder in folders for entry in folder.iterdir()})
    what = (
        f"package `{parent}` has no module `{last}`" if parent else f"there is no module `{last}`"
    )
    remedy = did_you_mean(last, [sibling for sibling in siblings if sibling.isidentifier()])
    if not remedy and where:
        remedy = f"it is looked for {where}"
    return Missing("AF401", what, remedy)


def _module_name(entry: Path) -> str:
    return entry.name if entry.is_dir() else entry.stem if entry.suffix == ".py" else ""


class _Module:
    """A module's source and what its top level binds."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.name = name
        self._functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
        self._others: set[str] = set()
        self._dynamic = False
        for statement in statements(tree.body):
            self._bind(statement)

    def signature(self, name: str) -> Signature | Missing:
        """The signature of one of its functions, or why there is none."""
        if name in self._functions:
            return signature_of(self._functions[name])
        if name in self._others or self._dynamic:
            return Signature(name, checked=False)
        known = [*self._functions, *self._others]
        public = sorted(each for each in self._functions if not each.startswith("_"))
        remedy = did_you_mean(name, known)
        if not remedy and public:
            remedy = f"it has {', '.join(f'`{each}`' for each in public[:10])}"
        return Missing("AF402", f"module `{self.name}` has no function `{name}`", remedy)

    def _bind(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._functions[name] = statement
                self._dynamic = self._dynamic or name == "__getattr__"
            case ast.ClassDef(name=name):
                self._others.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                self._others.update((each.asname or each.name).split(".")[0] for each in names)
                self._dynamic = self._dynamic or any(each.name == "*" for each in names)
            case _:
                self._others.update(
                    node.id
                    for node in ast.walk(statement)
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                )


def signature_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Signature:
    """The parameters of a function definition, and the type of its result."""
    arguments = node.args
    named = [*arguments.args, *arguments.kwonlyargs]
    given = [each for each in named if not is_context(each.arg, each.annotation)]
    first_default = len(arguments.args) - len(arguments.defaults)
    optional = {each.arg for each in arguments.args[first_default:]}
    optional |= {
        each.arg
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    }
    takes_fields = len(given) == 1 and is_class(given[0].annotation)
    return Signature(
        name=node.name,
        parameters=tuple(each.arg for each in given),
        required=tuple(each.arg for each in given if each.arg not in optional),
        returns=ANY if _is_generator(node) else type_of(node.returns),
        open=arguments.kwarg is not None,
        checked=not (
            takes_fields or arguments.posonlyargs or not all(map(_keeps, node.decorator_list))
        ),
    )


def _keeps(decorator: ast.expr) -> bool:
    """Whether a decorator is known to keep the parameters of what it decorates."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
    return name in _TRANSPARENT


def _is_generator(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the function's own body yields; bodies of inner functions do not count."""
    ahead: list[ast.AST] = list(node.body)
    while ahead:
        current = ahead.pop()
        if isinstance(current, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            ahead.extend(ast.iter_child_nodes(current))
    return False
