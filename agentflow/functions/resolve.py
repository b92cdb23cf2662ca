"""From `package.module.attribute` to the function, imported from the project's root."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from agentflow.errors import Fault
from agentflow.functions.failures import Stopped, error_value
from agentflow.functions.suggestions import did_you_mean

_IMPORTING = threading.RLock()
_KEPT = frozenset(sys.stdlib_module_names) | {"agentflow", "__main__"}


def resolve(ref: str, root: str) -> Callable[..., Any]:
    """Import the function that `ref` names, with the project's root first on `sys.path`.

    The root stays on the path, because functions import lazily too. A package of the same name
    that came from another project's root gives way.

    Raises:
        Fault: `FunctionNotFound`, saying what is missing; its `cause` is the error that the
            user's module raised while it was imported.
    """
    module_name, _, attribute = ref.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in ref.split(".")):
        raise _missing(ref, f"{ref!r} is not an import path; write package.module.function")
    with _IMPORTING:
        _put_first(root)
        _give_way(module_name.partition(".")[0], root)
        module = _import(ref, module_name, root)
    target = getattr(module, attribute, None)
    if target is None:
        near = did_you_mean(attribute, _public_names(module))
        raise _missing(ref, f"module {module_name} has no function {attribute!r}{near}")
    if not callable(target):
        raise _missing(ref, f"{ref} is a value of type {type(target).__name__}, not a function")
    return target  # type: ignore[no-any-return]  # callable(), as checked


def is_importing() -> bool:
    """Whether this thread is importing the module of a function at this moment."""
    return bool(_IMPORTING._is_owned())  # type: ignore[attr-defined]  # noqa: SLF001  # it has no other name


def _import(ref: str, name: str, root: str) -> ModuleType:
    try:
        if name not in sys.modules:
            importlib.invalidate_caches()  # the file may be newer than the last look at its folder
        return importlib.import_module(name)
    except Stopped:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise _missing(ref, _absent(error.name, root)) from None
        raise _broken(ref, name, error) from error
    except BaseException as error:  # a module may do anything while it is imported, sys.exit too
        raise _broken(ref, name, error) from error


def _absent(name: str, root: str) -> str:
    parent, _, last = name.rpartition(".")
    if parent:
        folders = getattr(sys.modules.get(parent), "__path__", ())
        near = did_you_mean(last, _modules_in(folders))
        return f"package {parent} has no module {last!r}{near}"
    return f"there is no module {name!r} in {root}{did_you_mean(name, _modules_in([root]))}"


def _missing(ref: str, problem: str) -> Fault:
    return Fault("FunctionNotFound", problem, data={"function": ref})


def _broken(ref: str, module: str, error: BaseException) -> Fault:
    cause = error_value(error)
    return Fault(
        "FunctionNotFound",
        f"module {module} cannot be imported: {cause['name']}: {cause['message']}",
        data={"function": ref},
        cause=cause,
    )


def _put_first(root: str) -> None:
    if not sys.path or sys.path[0] != root:
        if root in sys.path:
            sys.path.remove(root)
        sys.path.insert(0, root)


def _give_way(top: str, root: str) -> None:
    """Forget a loaded package that hides the project's own of the same name."""
    loaded = sys.modules.get(top)
    if loaded is None or top in _KEPT:
        return
    own = Path(root, top)
    if not own.is_dir() and not own.with_suffix(".py").is_file():
        return
    if any(Path(place).resolve().is_relative_to(Path(root).resolve()) for place in _places(loaded)):
        return
    for name in [name for name in sys.modules if name == top or name.startswith(top + ".")]:
        del sys.modules[name]


def _places(module: ModuleType) -> Iterator[str]:
    yield from getattr(module, "__path__", ())
    if module.__dict__.get("__file__"):
        yield str(module.__file__)


def _public_names(module: ModuleType) -> list[str]:
    return [
        name for name, value in vars(module).items() if callable(value) and not name.startswith("_")
    ]


def _modules_in(folders: Iterable[str]) -> Iterator[str]:
    for folder in folders:
        for entry in Path(folder).iterdir() if Path(folder).is_dir() else ():
            if entry.suffix == ".py" or entry.is_dir():
                yield entry.stem
