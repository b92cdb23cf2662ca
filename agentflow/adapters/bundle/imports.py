"""What a module imports, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a module imports."""

    module: str
    """Absolute."""
    names: tuple[str, ...]
    """What is taken from it: submodules or attributes; empty for `import module`."""
    line: int
    column: int
    is_certain: bool
    """Whether importing the module surely imports this: not in a function, nor where a failure is
    expected."""

    @property
    def top(self) -> str:
        """The package that has to be there."""
        return self.module.partition(".")[0]


def imports(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[Import]:
    """The imports of a module, in the order of its text; those for type checkers are left out."""
    package = module if is_package else module.rpartition(".")[0]
    return _walk(tree.body, package, is_certain=True)


def _walk(nodes: Iterable[ast.AST], package: str, *, is_certain: bool) -> Iterator[Import]:
    for node in nodes:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    place = (node.lineno, node.col_offset + 1)
                    yield Import(alias.name, (), *place, is_certain)
            case ast.ImportFrom(module=name, names=names, level=level):
                from_ = _absolute(name or "", level, package)
                taken = tuple(alias.name for alias in names)
                yield Import(from_, taken, node.lineno, node.col_offset + 1, is_certain)
            case ast.If(test=test, orelse=orelse) if "TYPE_CHECKING" in ast.unparse(test):
                yield from _walk(orelse, package, is_certain=is_certain)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                sure = is_certain and not handlers
                yield from _walk(body, package, is_certain=sure)
                yield from _walk(handlers, package, is_certain=False)
                yield from _walk([*orelse, *final], package, is_certain=sure)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _walk(ast.iter_child_nodes(node), package, is_certain=False)
            case ast.If():
                yield from _walk(ast.iter_child_nodes(node), package, is_certain=False)
            case _:
                yield from _walk(ast.iter_child_nodes(node), package, is_certain=is_certain)


def _absolute(name: str, level: int, package: str) -> str:
    if level == 0:
        return name
    around = package.split(".")
    base = ".".join(around[: len(around) - level + 1])
    return f"{base}.{name}" if name and base else name or base
