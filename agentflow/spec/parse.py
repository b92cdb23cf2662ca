"""Turn a positioned tree into a workflow: shapes are checked here, names in `check`.

Every mistake of the file is noted; what cannot be read is replaced by something harmless, so
that the rest is read too. The result only counts when no diagnostic was added.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agentflow.errors import Diagnostic, Span
from agentflow.functions.agents import PREFIX
from agentflow.functions.suggestions import closest
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.fields import Fields
from agentflow.spec.grammar import SHAPES, STEP, WORKFLOW
from agentflow.spec.grammar_verbs import SYNONYMS, VERBS, Verb
from agentflow.spec.model import Action, Block, Catch, Duration, Set, Step, Workflow
from agentflow.spec.reader import Reader
from agentflow.spec.source import Mapping, Node, Sequence
from agentflow.spec.verbs import READ

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
_AGENT = re.compile(r"agent:[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_]\w*)?", re.ASCII)
_COMMON = STEP.names()
_OWNERS = {
    name: [verb.name for verb in VERBS.values() if any(f.name == name for f in verb.fields)]
    for verb in VERBS.values()
    for name in (f.name for f in verb.fields)
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A workflow as read, and where its names stand."""

    workflow: Workflow
    places: dict[tuple[Span, str], Span] = field(default_factory=dict)
    """Where a field's name or value stands, by the span of its owner; see `check.Places`."""


def parse(root: Node, diagnostics: list[Diagnostic]) -> Parsed:
    """Read a workflow; mistakes are added to `diagnostics`."""
    reader = Reader(diagnostics)
    found = reader.object(root, WORKFLOW)
    parser = Parser(reader, _short_names(reader, found.get("functions")))
    return Parsed(parser.workflow(found), reader.places)


class Parser:
    """Reads steps and blocks; `verbs` reads what is particular to each verb."""

    def __init__(self, reader: Reader, functions: dict[str, str]) -> None:
        self.reader = reader
        self.functions = functions
        self.in_saga = False
        """Whether the steps being read can be undone: only then may a call have `compensate`."""

    def workflow(self, found: Fields) -> Workflow:
        """The whole file."""
        read = self.reader
        defaults = found.get("defaults")
        calls = read.object(defaults, SHAPES["defaults"]) if defaults else Fields({}, found.span)
        return Workflow(
            name=found.read("workflow", self._name) or "unnamed",
            version=found.read("version", read.text) or "1.0.0",
            description=found.read("description", read.text) or "",
            do=self.block(found.get("do")),
            span=found["workflow"].span if "workflow" in found else found.span,
            input=found.read("input", read.schema),
            output=read.template(found.get("output")),
            has_output="output" in found,
            timeout=self.timeout(found),
            retry=calls.read("retry", read.retry),
            call_timeout=self.timeout(calls),
            secrets=found.read("secrets", read.names) or (),
            concurrency=found.read("concurrency", read.count),
            labels=found.read("labels", read.labels) or {},
            targets=found.read("targets", read.targets),
        )

    def _name(self, node: Node, what: str) -> str | None:
        name = self.reader.text(node, what)
        if name is not None and not _NAME.fullmatch(name):
            fitting = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")
            self.reader.error(
                "AF127",
                "a workflow's name has letters, digits, `-`, `_` and `.`",
                node,
                remedy=f"for instance `{fitting}`" if fitting else "",
            )
        return name

    def block(self, node: Node | None) -> Block:
        """Steps in order; a missing block has been noted already."""
        if node is None:
            return Block(())
        if not isinstance(node, Sequence):
            single = isinstance(node, Mapping) and "id" in node.entries
            remedy = "put `- ` before the step" if single else ""
            self.reader.wrong(node, "a block", "a list of steps", remedy=remedy)
            return Block(())
        if not node.items:
            self.reader.error("AF130", "a block needs at least one step", node)
        steps = (self.step(item) for item in node.items)
        return Block(tuple(step for step in steps if step is not None))

    def step(self, node: Node) -> Step | None:
        """One step; `None` if nothing could be made of it."""
        read = self.reader
        if not isinstance(node, Mapping):
            read.wrong(node, "a step", "an object with `id` and a verb")
            return None
        verb = self._verb(node)
        found = self._fields(node, verb)
        if "id" in found:
            found.span = found["id"].span
        else:
            read.missing(node, "a step", "id")
        return Step(
            id=found.read("id", read.id) or "",
            action=self._action(verb, node, found),
            span=found.span,
            when=read.condition(found, "if"),
            timeout=self.timeout(found),
            retry=found.read("retry", read.retry),
            catch=found.read("catch", self.catch) or (),
            description=found.read("description", read.text) or "",
        )

    def function(self, node: Node, what: str) -> str:
        """The import path of a function, short names resolved; empty if it is none."""
        name = self.reader.text(node, what)
        if name is None:
            return ""
        whole = self.functions.get(name, name)
        if whole.startswith(PREFIX):
            return self._agent(node, whole)
        head, dot, rest = name.partition(".")
        path = self.functions.get(name) or self.functions.get(head, head) + dot + rest
        if _PATH.fullmatch(path):
            return path
        self.reader.error(
            "AF406",
            f"`{name}` is no function",
            node,
            label="not an import path",
            remedy=did_you_mean(name, self.functions)
            or "write it like `functions.text.count_words`",
        )
        return ""

    def _agent(self, node: Node, name: str) -> str:
        if _AGENT.fullmatch(name):
            return name
        message, remedy = f"`{name}` names no agent", "write it like `agent:researcher.ask`"
        self.reader.error("AF406", message, node, label="not an agent", remedy=remedy)
        return ""

    def timeout(self, found: Fields) -> Duration | None:
        """The field `timeout`, if it is there."""
        node = found.get("timeout")
        return None if node is None else self.reader.duration(node, "`timeout`")

    def catch(self, node: Node, what: str) -> tuple[Catch, ...]:
        """Handlers, in order."""
        if not isinstance(node, Sequence):
            self.reader.wrong(node, what, "a list of handlers", remedy="put `- ` before it")
            return ()
        return tuple(self._handler(item) for item in node.items)

    def _handler(self, node: Node) -> Catch:
        read = self.reader
        found = read.object(node, SHAPES["catch"])
        return Catch(
            on=found.read("on", read.errors) or ("*",),
            do=self.block(found.get("do")),
            span=node.span,
            bind=self.bind(found, "as", node.span),
        )

    def bind(self, found: Fields, field: str, owner: Span) -> str | None:
        """The name that `as` or `index` gives, with its place noted."""
        if field in found:
            self.reader.places[owner, field] = found[field].span
        return found.read(field, self.reader.identifier)

    def _action(self, verb: Verb | None, node: Mapping, found: Fields) -> Action:
        if verb is None:
            return Set({})
        for group in verb.one_of:
            self.reader.one_of(node, found, group, f"a `{verb.name}` step")
        for each in verb.fields:
            if each.required and each.name not in found:
                self.reader.missing(node, f"a `{verb.name}` step", each.name)
        return READ[verb.name](self, found)

    def _verb(self, node: Mapping) -> Verb | None:
        """The step's verb: the one that is there, or the one a misspelt key should have been."""
        present = _verbs(node)
        if len(present) > 1:
            first, second = present[0], present[1]
            self.reader.error(
                "AF124",
                f"a step has one verb, and this one has `{first}` and `{second}`",
                node.entries[second].key,
                label="second verb",
                remedy="make two steps of it",
            )
        unknown = [key for key in node.entries if key not in _COMMON and key not in _OWNERS]
        if present == ["call"] and any(closest(key, ("map",)) for key in unknown):
            return VERBS["map"]
        if present:
            return VERBS[present[0]]
        for key in unknown:
            meant = closest(key, VERBS) or SYNONYMS.get(key)
            if meant in VERBS:
                return VERBS[meant]
        self.reader.error(
            "AF123",
            "this step has no verb",
            node.entries["id"].value if "id" in node.entries else node,
            label="what does it do?",
            remedy=f"add one of {', '.join(VERBS)}",
        )
        return None

    def _fields(self, node: Mapping, verb: Verb | None) -> Fields:
        """The step's fields; those that belong elsewhere are noted with where they belong."""
        if verb is None:
            common = {name: node.get(name) for name in _COMMON}
            return Fields({name: each for name, each in common.items() if each}, node.span)
        verbs = (verb, *(VERBS[name] for name in _verbs(node)))
        names = [*_COMMON, *(field.name for each in verbs for field in each.fields)]
        if verb.no_catch:
            names.remove("catch")

        def elsewhere(key: str) -> str:
            inside = SHAPES.get(verb.name)
            if inside and key in inside.names():
                return f"put it inside `{verb.name}`"
            owners = _OWNERS.get(key)
            return f"it belongs to {' and '.join(f'`{o}`' for o in owners)}" if owners else ""

        what = f"a `{verb.name}` step"
        return Fields(self.reader.known(node, names, what, elsewhere), node.span)


def _verbs(node: Mapping) -> list[str]:
    """The verbs of a step as written; the `call` of a `map` is a field."""
    present = [key for key in node.entries if key in VERBS]
    return [key for key in present if key != "call" or "map" not in present]


def _short_names(reader: Reader, node: Node | None) -> dict[str, str]:
    if node is None:
        return {}
    names = {}
    for name, _, value in reader.keys(node, "`functions`", reader.id):
        path = reader.text(value, "an import path")
        if path is not None:
            names[name] = path
    return names
