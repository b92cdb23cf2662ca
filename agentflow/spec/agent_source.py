"""Agents as the source of a project's modules says them; see `agents` for finding one by name.

Modules are looked for below the project's root, except in folders that no import path can name,
environments, tests and other projects. Options are read as they are written: whatever is not a
literal cannot be known here and is a mistake. No user code is imported.
"""

from __future__ import annotations

import ast
import copy
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from agentflow.errors import Json, Span, UsageError
from agentflow.functions.agents import HOOKS, AgentOptions, agent_options, is_call, lonely_hook
from agentflow.spec.annotations import type_of
from agentflow.spec.expressions.types import Type
from agentflow.spec.signatures import Signature, signature_of
from agentflow.spec.syntax import LARGEST_SOURCE, statements, tree_of

_SKIPPED = frozenset({"tests", "test", "node_modules", "specs", "docs", "infra", "build", "dist"})
_MARKS = ("agentflow.toml", "pyproject.toml", ".git", "pyvenv.cfg")
_MOST_FILES = 20_000
_OPTIONS = ("name", "capabilities", "max_concurrency", "idle_timeout", "description")
_WORD = re.compile(rb"\bagent\b")
"""What a module that has an agent says somewhere; looking for it is cheaper than parsing."""
_FROM = ("agentflow", "agentflow.functions", "agentflow.functions.agents")
"""Modules the decorator is imported from."""


@dataclass(frozen=True, slots=True)
class Method:
    """One call of an agent."""

    name: str
    signature: Signature
    types: dict[str, Type]
    """Of each parameter."""
    line: int


@dataclass(frozen=True, slots=True)
class AgentClass:
    """An agent as its source says it."""

    options: AgentOptions
    reference: str
    """Import path of the class."""
    span: Span
    """Where the class is named."""
    methods: dict[str, Method] = field(default_factory=dict)
    is_open: bool = False
    """Whether it may have other methods too: it has bases that were not read."""
    keeps_state: bool = False
    """Whether it has, or may have, `snapshot` and `restore`."""
    mistake: str = ""
    """Why it cannot be used, if so."""

    @property
    def name(self) -> str:
        """How workflows call it."""
        return self.options.name

    def default(self) -> str | None:
        """The method of a call that names none: `__call__`, `run`, or the only one."""
        for name in ("__call__", "run"):
            if name in self.methods:
                return name
        return next(iter(self.methods)) if len(self.methods) == 1 else None


def agents_of(root: Path) -> Iterator[AgentClass]:
    """The agents of all modules of a project, in a stable order."""
    for file in _sources(root):
        yield from _agents_in(file, root)


def _sources(root: Path) -> Iterator[Path]:
    """The project's own modules, in a stable order."""
    seen = 0
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if _is_searched(Path(folder, name)))
        for name in sorted(files):
            if name.endswith(".py") and name.removesuffix(".py").isidentifier():
                seen += 1
                if seen > _MOST_FILES:
                    return
                yield Path(folder, name)


def _is_searched(folder: Path) -> bool:
    if not folder.name.isidentifier() or folder.name.startswith("__"):
        return False
    return folder.name not in _SKIPPED and not any((folder / mark).exists() for mark in _MARKS)


def _agents_in(file: Path, root: Path) -> Iterator[AgentClass]:
    """The agents of one module; one that cannot be read has none."""
    try:
        data = file.read_bytes()
        if not _WORD.search(data) or b"agentflow" not in data or len(data) > LARGEST_SOURCE:
            return
        tree = tree_of(data)
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError):
        return
    shown = file.relative_to(root)
    parts = shown.with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
    body = list(statements(tree.body))
    names = _decorator_names(body)
    for node in body:
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                if ast.unparse(call.func if call else decorator) in names:
                    yield _agent(node, call, f"{module}.{node.name}", str(shown))


def _decorator_names(body: list[ast.stmt]) -> set[str]:
    """What the decorator is called in a module."""
    names: set[str] = set()
    for statement in body:
        match statement:
            case ast.ImportFrom(module=module, names=imported, level=0) if module in _FROM:
                names.update(each.asname or each.name for each in imported if each.name == "agent")
                names.update(
                    f"{each.asname or each.name}.agent"
                    for each in imported
                    if f"{module}.{each.name}" in _FROM
                )
            case ast.Import(names=imported):
                names.update(
                    f"{each.asname or each.name}.agent" for each in imported if each.name in _FROM
                )
    return names


def _agent(node: ast.ClassDef, call: ast.Call | None, reference: str, file: str) -> AgentClass:
    span = Span(file, node.lineno, node.col_offset + 1, node.lineno, node.col_offset + 6)
    given, mistake = _given(call)
    try:
        options = agent_options(node.name, **given)
    except UsageError as error:
        mistake = mistake or error.message
        name = given.get("name")
        options = AgentOptions(name if isinstance(name, str) else node.name)
    functions = [
        each
        for each in statements(node.body)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    defined = {each.name for each in functions}
    is_open = any(ast.unparse(base) not in {"object", "Protocol"} for base in node.bases)
    hooks = [hook for hook in HOOKS if hook in defined]
    if len(hooks) == 1 and not is_open:
        mistake = mistake or lonely_hook(node.name, hooks[0])
    methods = {each.name: _method(each) for each in functions if _is_method(each)}
    if not options.description:
        said = (ast.get_docstring(node) or "").partition("\n")[0]
        options = replace(options, description=said)
    keeps_state = is_open or bool(hooks)
    return AgentClass(options, reference, span, methods, is_open, keeps_state, mistake)


def _given(call: ast.Call | None) -> tuple[dict[str, Json], str]:
    """The options as written, and what is wrong with them."""
    given: dict[str, Json] = {}
    if call is None:
        return given, ""
    if call.args:
        return given, "@agent takes named options only"
    for keyword in call.keywords:
        if keyword.arg not in _OPTIONS:
            return given, f"@agent has no option `{keyword.arg or '**'}`"
        try:
            given[keyword.arg] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            return given, f"@agent: `{keyword.arg}` is not written out, so it cannot be read here"
    return given, ""


def _is_method(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether workflows may call it: public, no hook, no property."""
    decorators = {ast.unparse(each) for each in node.decorator_list}
    is_property = any(each == "property" or each.endswith(".setter") for each in decorators)
    return is_call(node.name) and not is_property and "overload" not in decorators


def _method(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Method:
    """A method as the function it is for its callers, without `self`."""
    own = copy.copy(node)
    decorators = [ast.unparse(each) for each in node.decorator_list]
    own.decorator_list = [
        each
        for each, name in zip(node.decorator_list, decorators, strict=True)
        if name not in {"staticmethod", "classmethod"}
    ]
    if "staticmethod" not in decorators:
        own.args = copy.copy(node.args)
        first = "posonlyargs" if own.args.posonlyargs else "args"
        setattr(own.args, first, getattr(own.args, first)[1:])
    signature = signature_of(own)
    annotated = {each.arg: each.annotation for each in (*own.args.args, *own.args.kwonlyargs)}
    types = {name: type_of(annotated[name]) for name in signature.parameters}
    return Method(node.name, signature, types, node.lineno)
