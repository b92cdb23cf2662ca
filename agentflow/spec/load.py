"""From a file, a function, or a text, to a checked workflow with its children.

Everything that is wrong is found in one go, in all files, and raised as one `SpecError`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from agentflow.errors import Diagnostic, Json, Span, SpecError
from agentflow.spec import children, places
from agentflow.spec.check import check
from agentflow.spec.diagnostics import in_order
from agentflow.spec.model import Run, Workflow
from agentflow.spec.parse import Parsed, parse
from agentflow.spec.read import decode, read
from agentflow.spec.signatures import Folder, Functions, root_of
from agentflow.spec.source import Mapping as Object
from agentflow.spec.source import Node, plain
from agentflow.spec.tree import Unreadable
from agentflow.spec.write import to_data, to_yaml

if TYPE_CHECKING:
    from agentflow.spec.python import Definition, Modules, Reference

MAX_GENERATIONS = 16
"""How deep workflows may run workflows."""

Source: TypeAlias = str | Path | Callable[..., Any]
"""What `load` reads: a file, what names a function, or the function itself."""
_Key: TypeAlias = "Path | str | Definition"
"""What names a workflow: its file, its key among `children`, or its function."""
_Trail: TypeAlias = tuple[_Key, ...]
"""The workflow being read, last, after those that run it."""
_Find: TypeAlias = Callable[[str], "_Key | children.NotThere"]
"""From what a `run` step names to the workflow it means."""
_OF_PYTHON = re.compile(r".+\.py:\w+|[A-Za-z_][\w.]*:[A-Za-z_]\w*")
"""How a workflow is called whose text was written from a function."""
_MEANS_PYTHON = re.compile(r".+\.py:.*|[A-Za-z_][\w.]*:[\w.]*", re.DOTALL)
_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Loaded:
    """A workflow that is right, with what it was read from."""

    workflow: Workflow
    text: str
    path: str
    """The file, or whatever messages should call the text."""
    root: Path
    """The project its functions are found from."""
    children: dict[str, Loaded] = field(default_factory=dict)
    """The workflows its `run` steps name, as written there."""

    @property
    def is_python(self) -> bool:
        """Whether it was compiled from a function; `text` is then the spec that it means."""
        return _OF_PYTHON.fullmatch(self.path) is not None


def load(path: Source, *, root: Folder | None = None, functions: bool = True) -> Loaded:
    """Read and check a workflow, and those that it runs.

    `path` is the file of a spec; or `FILE.py:name`, `module:name`, or a Python file with one
    workflow in it; or a function that is decorated with `@workflow`.
    `functions` says whether calls are compared with the source of the functions, which are found
    from `root` (default: the project of the file). No user code is imported.

    Raises:
        SpecError: with every mistake of all files.
    """
    if callable(path) or _is_python(str(path)):
        return _load_python(path, root, functions=functions)
    file = Path(path)
    project = root_of(root, file)
    reading = _Reading(project, Functions(project) if functions else None, {})
    loaded = reading.file(file, str(path), (file,))
    return reading.finish(loaded)


def _is_python(word: str) -> bool:
    """Whether a word means to name a function; whether it does is found out where it is read."""
    if word.endswith(_SUFFIXES):
        return False
    return word.endswith(".py") or _MEANS_PYTHON.fullmatch(word) is not None


def _load_python(path: Source, root: Folder | None, *, functions: bool) -> Loaded:
    from agentflow.spec import python  # only those who write workflows in Python pay for it

    try:
        found = python.reference_of(path) if callable(path) else python.reference(str(path))
    except Unreadable as stop:
        raise SpecError([stop.diagnostic]) from None
    project = found.root if root is None else root_of(root, Path.cwd())
    reading = _Reading(project, Functions(project) if functions else None, {})
    return reading.finish(reading.function(found))


def loads(
    text: str,
    *,
    path: str = "<string>",
    root: Folder | None = None,
    functions: bool = False,
    children: Mapping[str, str | Loaded] | None = None,
) -> Loaded:
    """Read and check a spec that is at hand as text; one whose `path` ends in .json is JSON.

    `children` are the workflows it may run, by the names its `run` steps use: as text, or loaded.

    Raises:
        SpecError: with every mistake.
    """
    project = root_of(Path.cwd() if root is None else root, Path.cwd())
    reading = _Reading(project, Functions(project) if functions else None, children or {})
    return reading.finish(reading.text(text, path, (path,)))


class _Reading:
    """One load: the mistakes of all files, and the workflows read so far."""

    def __init__(
        self, root: Path, functions: Functions | None, given: Mapping[str, str | Loaded]
    ) -> None:
        self.root = root
        self.functions = functions
        self.given = given
        self.diagnostics: list[Diagnostic] = []
        self.sources: dict[str, str] = {}
        self.done: dict[_Key, Loaded | None] = {}
        self.modules: Modules | None = None

    def finish(self, loaded: Loaded | None) -> Loaded:
        """The result, if nothing was wrong."""
        if self.diagnostics or loaded is None:
            sources = self.sources | (self.functions.sources if self.functions else {})
            first = next(iter(self.sources.values()), "")
            raise SpecError(in_order(self.diagnostics), source=first, sources=sources)
        return loaded

    def file(self, file: Path, shown: str, trail: _Trail) -> Loaded | None:
        """The workflow in a file; mistakes are noted."""
        try:
            text = decode(file, shown)
        except Unreadable as stop:
            self.diagnostics.append(stop.diagnostic)
            return None
        return self.text(text, shown, trail)

    def text(self, text: str, path: str, trail: _Trail) -> Loaded | None:
        """The workflow in a text; the last entry of `trail` is its own."""
        self.sources[path] = text
        mistakes: list[Diagnostic] = []
        try:
            tree = read(text, path, mistakes)
            _check_language(tree)
        except Unreadable as stop:
            self.diagnostics.extend([*mistakes, stop.diagnostic])
            return None
        parsed = parse(tree, mistakes)
        parent = trail[-1]
        workflow, found = self.checked(
            parsed,
            mistakes,
            trail,
            lambda name: (
                children.find_file(name, parent)
                if isinstance(parent, Path)
                else children.find_text(name, self.given)
            ),
        )
        workflow = replace(workflow, digest=_digest(plain(tree), found))
        loaded = Loaded(workflow, text, path, self.root, found)
        if loaded.is_python:
            return replace(loaded, workflow=places.restored(workflow, text))
        return loaded

    def function(self, reference: Reference) -> Loaded | None:
        """The workflow that a reference to a function names; mistakes are noted."""
        from agentflow.spec import python

        self.modules = python.Modules(self.root)
        try:
            found = python.definition(reference, self.modules)
        except Unreadable as stop:
            self.diagnostics.append(stop.diagnostic)
            return None
        finally:
            self.sources |= self.modules.sources
        return self.definition(found, (found,))

    def definition(self, definition: Definition, trail: _Trail) -> Loaded | None:
        """The workflow that a function is, with the text of the spec that it means."""
        from agentflow.spec import python

        assert self.modules is not None
        mistakes: list[Diagnostic] = []
        place = definition.module.span(definition.module.name_of(definition.node))
        try:
            compiled = python.compile_definition(definition, self.modules, mistakes)
        except RecursionError:
            remedy = "make parts of it functions"
            self.note("AF104", "nested too deep to be compiled", place, remedy)
            return None
        self.sources |= self.modules.sources
        parsed = Parsed(compiled.workflow, compiled.places)
        workflow, found = self.checked(parsed, mistakes, trail, compiled.children.__getitem__)
        workflow = replace(workflow, digest=_digest(to_data(workflow), found))
        text = to_yaml(workflow, places=True)
        try:
            read(text, definition.path, [])
        except Unreadable as stop:  # it could be run, and never be read again
            message = f"the spec that it means is {stop.diagnostic.message}"
            self.note("AF104", message, place, stop.diagnostic.help)
        return Loaded(workflow, text, definition.path, self.root, found)

    def checked(
        self, parsed: Parsed, mistakes: list[Diagnostic], trail: _Trail, find: _Find
    ) -> tuple[Workflow, dict[str, Loaded]]:
        """A workflow with its children, checked; mistakes are noted."""
        also: list[Diagnostic] = []
        check(parsed.workflow, also, places=parsed.places, functions=self.functions)
        known = {diagnostic.span for diagnostic in mistakes}  # one mistake, said once
        self.diagnostics.extend([*mistakes, *(each for each in also if each.span not in known)])
        found: dict[str, Loaded] = {}
        for run in children.runs(parsed.workflow):
            child = self.child(run, trail, find)
            if child is not None:
                found[run.workflow] = child
                self.diagnostics.extend(children.check_input(run, child.workflow))
        return (
            replace(
                parsed.workflow,
                children={name: child.workflow for name, child in found.items()},
            ),
            found,
        )

    def child(self, run: Run, trail: _Trail, find: _Find) -> Loaded | None:
        """The workflow that a step runs; mistakes are noted, each workflow is read once."""
        found = find(run.workflow)
        if isinstance(found, children.NotThere):
            self.note(found.code, found.message, run.span, found.help)
            return None
        key = found.resolve() if isinstance(found, Path) else found
        if key in (each.resolve() if isinstance(each, Path) else each for each in trail):
            way = " runs ".join(f"`{_name(each)}`" for each in (*trail, found))
            remedy = "repeat with `loop` or `states`; a workflow cannot run itself"
            self.note("AF412", f"{way}: that would never end", run.span, remedy)
            return None
        if len(trail) > MAX_GENERATIONS:
            message = f"children of children, more than {MAX_GENERATIONS} levels deep"
            self.note("AF104", message, run.span, "put steps of several files into one")
            return None
        if key not in self.done:
            self.done[key] = self.read(found, (*trail, found))
        return self.done[key]

    def read(self, found: _Key, trail: _Trail) -> Loaded | None:
        """A child that was found."""
        if isinstance(found, Path):
            return self.file(found, str(found), trail)
        if not isinstance(found, str):
            return self.definition(found, trail)
        given = self.given[found]
        return given if isinstance(given, Loaded) else self.text(given, found, trail)

    def note(self, code: str, message: str, span: Span, remedy: str) -> None:
        """Add a diagnostic."""
        self.diagnostics.append(Diagnostic(code, message, span, help=remedy))


def _name(key: _Key) -> str:
    if isinstance(key, Path):
        return key.name
    return key if isinstance(key, str) else key.node.name


def _digest(data: Json, found: Mapping[str, Loaded]) -> str:
    """SHA-256 of the canonical JSON of a spec's data and of its children's digests."""
    digests = {name: child.workflow.digest for name, child in found.items()}
    canonical = json.dumps(
        [data, digests] if digests else data,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _check_language(tree: Node) -> None:
    """Refuse a state machine of AWS here: as a workflow nothing in it is right."""
    if not isinstance(tree, Object) or not {"StartAt", "States"} <= tree.entries.keys():
        return
    file = tree.span.file
    raise Unreadable(
        Diagnostic(
            "AF122",
            "this is a state machine of AWS Step Functions, not a workflow",
            tree.entries["StartAt"].key.span,
            help=f"`agentflow run {file} --from aws` runs it; `import` makes a workflow of it",
        )
    )
