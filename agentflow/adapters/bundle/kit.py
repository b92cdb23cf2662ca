"""What of this package a bundle carries: the function kit, and what an entry needs beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from agentflow.adapters.bundle.imports import Import, imports
from agentflow.spec.syntax import tree_of

PACKAGE = "agentflow"
_HOME = Path(__file__).resolve().parents[2]
_PLACEHOLDER = b'"""A part of AgentFlow; the rest of it is not in this bundle."""\n'


def files(modules: Iterable[str]) -> dict[str, bytes]:
    """The kit and further modules with all that they import, by their names in the bundle.

    A package that is there only because something is inside has an `__init__.py` of its own, as
    the real one would import what the bundle has not.
    """
    wanted = {PACKAGE, *_members("errors.py"), *_members("functions")}
    ahead = [*modules]
    while ahead:
        name = ahead.pop()
        if name not in wanted and _file(name) is not None:
            wanted.add(name)
            ahead.extend(_imported(name))
    found: dict[str, bytes] = {}
    for name in sorted(wanted):
        file = _file(name)
        assert file is not None
        found[_shown(file)] = file.read_bytes()
        for package in _around(name):
            found.setdefault(f"{package.replace('.', '/')}/__init__.py", _PLACEHOLDER)
    return found


def _members(part: str) -> Iterator[str]:
    place = _HOME / part
    for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
        dotted = ".".join(file.relative_to(_HOME.parent).with_suffix("").parts)
        yield dotted.removesuffix(".__init__")


def _file(module: str) -> Path | None:
    place = _HOME.parent.joinpath(*module.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return file
    return None


def _shown(file: Path) -> str:
    return file.relative_to(_HOME.parent).as_posix()


def _imported(module: str) -> Iterator[str]:
    file = _file(module)
    assert file is not None
    tree = tree_of(file.read_bytes())
    for each in imports(tree, module, is_package=file.name == "__init__.py"):
        if each.top == PACKAGE:
            yield from _reached(each)


def _reached(each: Import) -> Iterator[str]:
    """The modules behind an import; a package only if a name in it is taken, no module."""
    names = [f"{each.module}.{name}" for name in each.names]
    modules = [name for name in names if _file(name) is not None]
    yield from modules
    if not names or len(modules) < len(names):
        yield each.module


def _around(module: str) -> Iterator[str]:
    """The packages around a module."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module
