"""The project's own code in a bundle: the packages that hold the functions, and what they import.

Nothing is imported. A package goes in whole, with its data files; modules that are reached from
the functions are read, so that one that does not parse, and an import of what will not be there,
is found before anything is deployed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agentflow.adapters.bundle.imports import Import, imports
from agentflow.adapters.bundle.mistakes import CODE_OF_FUNCTIONS
from agentflow.adapters.bundle.platforms import Platform
from agentflow.errors import Diagnostic, Span, SpecError
from agentflow.spec.syntax import tree_of

OURS = "agentflow"
_LEFT_OUT = frozenset({"__pycache__", "node_modules"})
_DYNAMIC = r"\bimport\s*\*|__getattr__|\bglobals\("
"""Ways by which a module has names that its text does not."""
_SHIPPED = ("agentflow.errors", "agentflow.functions")


@dataclass(slots=True)
class Sources:
    """The files of a project that a bundle needs, and what they need beside themselves."""

    files: dict[str, Path] = field(default_factory=dict)
    """By their names in the bundle."""
    foreign: list[tuple[Import, str]] = field(default_factory=list)
    """What modules surely import that is not the project's own, with the importing file."""
    elsewhere: list[str] = field(default_factory=list)
    """Functions that are not in the project: a dependency has to have them."""
    needs_dependencies: bool = False
    """Whether something that is not the project's own may be imported, at once or later."""
    texts: dict[str, str] = field(default_factory=dict)
    """The modules that were read, by file as messages show it."""


def collect(functions: Iterable[str], root: Path, platform: Platform) -> Sources:
    """The code behind functions, by their import paths.

    Raises:
        SpecError: modules that cannot be read, all of them.
    """
    reading = _Reading(root, platform)
    for function in functions:
        module = function.rpartition(".")[0]
        if reading.is_own(module):
            reading.visit(module)
        elif not _is_there(module):
            reading.sources.elsewhere.append(function)
            reading.sources.needs_dependencies = True
    if reading.mistakes:
        raise SpecError(reading.mistakes, sources=reading.sources.texts)
    return reading.sources


def absent(sources: Sources, available: Collection[str], remedy: str) -> list[Diagnostic]:
    """The imports that will fail where only `available` top-level packages are installed."""
    found = []
    for each, file in sources.foreign:
        if each.top in available:
            continue
        span = Span(file, each.line, each.column, each.line, each.column)
        advice = remedy
        if each.top == "ray":
            advice = "Ray is in no bundle: keep what needs it in a module of its own"
        if each.top == OURS:
            advice = "import from `agentflow` or `agentflow.functions` what functions need"
        found.append(
            Diagnostic(
                CODE_OF_FUNCTIONS,
                f"`{each.module}` is not in the bundle",
                span,
                "imported when the function is loaded",
                advice,
            )
        )
    return found


class _Reading:
    """One collection."""

    def __init__(self, root: Path, platform: Platform) -> None:
        self.root = root
        self.sources = Sources()
        self.mistakes: list[Diagnostic] = []
        major, minor = platform.python.split(".")
        self._version = int(major), int(minor)
        self._seen: set[str] = set()
        self._packages: set[str] = set()

    def is_own(self, module: str) -> bool:
        """Whether the project has the package that a module is in."""
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or top == OURS:
            return False
        return (self.root / f"{top}.py").is_file() or _has_code(self.root / top)

    def visit(self, module: str) -> None:
        """Take a module of the project, and what it imports."""
        ahead = [module]
        while ahead:
            name = ahead.pop()
            if name in self._seen:
                continue
            self._seen.add(name)
            self._take(name.partition(".")[0])
            parent = name.rpartition(".")[0]
            if parent:
                ahead.append(parent)
            file, is_package = self._locate(name)
            if file is not None:
                ahead.extend(self._read(name, file, is_package=is_package))

    def _locate(self, module: str) -> tuple[Path | None, bool]:
        place = self.root.joinpath(*module.split("."))
        if (place / "__init__.py").is_file():
            return place / "__init__.py", True
        file = place.with_suffix(".py")
        return (file if file.is_file() else None), False

    def _read(self, module: str, file: Path, *, is_package: bool) -> Iterator[str]:
        shown = str(file.relative_to(self.root))
        try:
            data = file.read_bytes()
            self.sources.texts[shown] = data.decode(errors="replace")
            tree = tree_of(data, self._version)
        except (SyntaxError, ValueError) as error:
            self.mistakes.append(_unreadable(shown, module, error))
            return
        for each in imports(tree, module, is_package=is_package):
            if self.is_own(each.module):
                if each.is_certain:
                    self._check_own(each, shown)
                yield each.module
                yield from (f"{each.module}.{name}" for name in each.names)
                continue
            if each.top == "importlib" or not _is_there(each.module):
                self.sources.needs_dependencies = True
            if each.is_certain and not _is_there(each.module):
                self.sources.foreign.append((each, shown))

    def _check_own(self, each: Import, file: str) -> None:
        """Note what a module imports from the project that the project has not."""
        place, _ = self._locate(each.module)
        if place is None and not _is_module(self.root.joinpath(*each.module.split("."))):
            self.mistakes.append(_missing(each, file, f"the project has no module `{each.module}`"))
            return
        for name in each.names:
            if not self._has(each.module, place, name):
                words = f"module `{each.module}` has no `{name}`"
                self.mistakes.append(_missing(each, file, words))

    def _has(self, module: str, place: Path | None, name: str) -> bool:
        """Whether a name may be imported from a module; what can be told from its text alone."""
        if name == "*" or _is_module(self.root.joinpath(*module.split("."), name)):
            return True
        text = "" if place is None else place.read_text(encoding="utf-8", errors="replace")
        return re.search(rf"\b{name}\b|{_DYNAMIC}", text) is not None

    def _take(self, top: str) -> None:
        """Put a whole package, or a module beside the packages, into the bundle."""
        if top in self._packages:
            return
        self._packages.add(top)
        if (self.root / f"{top}.py").is_file():
            self.sources.files[f"{top}.py"] = self.root / f"{top}.py"
        for file in _files(self.root / top):
            self.sources.files[file.relative_to(self.root).as_posix()] = file


def _is_module(place: Path) -> bool:
    """Whether there is a package or a module of this name, which may be one in C."""
    return place.is_dir() or any(place.parent.glob(f"{place.name}.*"))


def _missing(each: Import, file: str, message: str) -> Diagnostic:
    span = Span(file, each.line, each.column, each.line, each.column)
    why = "imported when the function is loaded"
    return Diagnostic(
        CODE_OF_FUNCTIONS, message, span, why, "correct the import, or add what it names"
    )


def _is_there(module: str) -> bool:
    """Whether a module is part of Python, or of what every bundle carries."""
    top = module.partition(".")[0]
    if top == OURS:
        return module == OURS or any(
            module == each or module.startswith(f"{each}.") for each in _SHIPPED
        )
    return top in sys.stdlib_module_names


def _has_code(folder: Path) -> bool:
    return folder.is_dir() and any(file.suffix == ".py" for file in _files(folder))


def _files(folder: Path, around: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """The files of a package and its packages, in order; `around` is where links lead back to."""
    place = folder.resolve()
    if not folder.is_dir() or place in around:
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in _LEFT_OUT or entry.suffix == ".pyc":
            continue
        if entry.is_dir():
            yield from _files(entry, around | {place})
        elif entry.is_file():
            yield entry


def _unreadable(file: str, module: str, error: SyntaxError | ValueError) -> Diagnostic:
    line, column, why = 1, 1, str(error)
    if isinstance(error, SyntaxError):
        line, column, why = error.lineno or 1, error.offset or 1, error.msg
    span = Span(file, line, max(column, 1), line, max(column, 1))
    return Diagnostic(
        CODE_OF_FUNCTIONS,
        f"module {module} cannot be read: {why}",
        span,
        help="a function of the workflow needs it",
    )
