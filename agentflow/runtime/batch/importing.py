"""From functions to the names under which workers import them."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from agentflow.errors import UsageError

_REMEDY = (
    "make it a function at the top level of a module, and pass what it needs in the items: workers "
    "import functions by name, they are never pickled"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A function as workers find it."""

    path: str
    """`package.module.function`."""
    home: str
    """The folder that the module is found from."""

    def sent(self) -> list[str]:
        """What `functions.chunks` takes."""
        return [self.path, self.home]


def reference(function: Callable[..., Any] | str, role: str, root: Path) -> Reference:
    """How workers find a function; `role` names it in errors.

    Raises:
        UsageError: they cannot.
    """
    if isinstance(function, str):
        return _named(function, role, root)
    if not callable(function):
        raise UsageError(
            f"{role} is {type(function).__name__}, not a function", help="give a function"
        )
    module, name = _place(function, role)
    if module == "__main__":
        module, home = _main(name, role)
    else:
        home = _home(sys.modules.get(module), module, root)
    return Reference(f"{module}.{name}", home)


def _named(path: str, role: str, root: Path) -> Reference:
    if "." not in path or not all(part.isidentifier() for part in path.split(".")):
        raise UsageError(
            f"{role} is {path!r}, which is not an import path",
            help="write package.module.function, or give the function itself",
        )
    return Reference(path, str(root))


def _place(function: Any, role: str) -> tuple[str, str]:
    """The module and the name of a function, if that is where it is."""
    if isinstance(function, functools.partial):
        raise UsageError(f"{role} is a functools.partial, which has no name", help=_REMEDY)
    name = getattr(function, "__qualname__", "")
    owner = getattr(function, "__self__", None)
    module = getattr(function, "__module__", None) or getattr(owner, "__name__", None)
    if name.rpartition(".")[2] == "<lambda>":
        raise UsageError(f"{role} is a lambda, which workers cannot import", help=_REMEDY)
    if "<locals>" in name:
        where = name.partition(".<locals>")[0]
        raise UsageError(
            f"{role} is `{function.__name__}`, which is defined inside `{where}`", help=_REMEDY
        )
    if "." in name or (owner is not None and not isinstance(owner, ModuleType)):
        raise UsageError(f"{role} is the method `{name}`", help=_REMEDY)
    if not name or not isinstance(module, str):
        raise UsageError(
            f"{role} is an object of type {type(function).__name__}, which has no name of its own",
            help=_REMEDY,
        )
    if getattr(sys.modules.get(module), name, None) is not function:
        raise UsageError(
            f"{role} says it is `{module}.{name}`, but something else has that name", help=_REMEDY
        )
    return module, name


def _main(name: str, role: str) -> tuple[str, str]:
    """Where workers find a function of the script that runs: its file, as a module."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m package.module
        return spec.name, str(Path.cwd())
    file = getattr(main, "__file__", None)
    if file is None or not Path(file).is_file():
        raise UsageError(
            f"{role} is `{name}`, which was typed into an interpreter or a notebook; workers "
            "cannot import it",
            help="write it into a .py file and import it from there",
        )
    script = Path(os.path.abspath(file))  # noqa: PTH100  # a link stays where it is
    if not script.stem.isidentifier() or script.suffix != ".py":
        raise UsageError(
            f"{role} is `{name}` of the script {script.name}, whose name cannot be imported",
            help="rename the script to letters, digits and `_`, or move the function to a module",
        )
    return script.stem, str(script.parent)


def _home(module: ModuleType | None, name: str, root: Path) -> str:
    """The folder on the path that holds a module or its package; the root for those of Python."""
    file = getattr(module, "__file__", None)
    if file is None:
        return str(root)
    place = Path(os.path.abspath(file))  # noqa: PTH100
    if place.name == "__init__.py":
        place = place.parent
    home = place.parents[name.count(".")]
    # What is installed is on every worker's path already; put first it would hide the project.
    installed = {"site-packages", "dist-packages"} & set(home.parts)
    return (
        str(root) if installed or name.partition(".")[0] in sys.stdlib_module_names else str(home)
    )
