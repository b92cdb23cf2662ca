"""Read single values out of the positioned tree; every mistake becomes a diagnostic.

A method that cannot make sense of a value notes why and returns `None` (or a default), so that
reading goes on and all mistakes of a file are found at once.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from agentflow.errors import Json
from agentflow.functions.durations import parse_duration
from agentflow.spec import schemas
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.expressions.template import Expression, Template, parse_string
from agentflow.spec.expressions.tree import Literal
from agentflow.spec.fields import Fields, ObjectReader, listed
from agentflow.spec.grammar import SHAPES
from agentflow.spec.model import Duration, Resources, Retry
from agentflow.spec.sizes import parse_size
from agentflow.spec.source import Mapping, Node, Scalar, plain
from agentflow.spec.source import Sequence as SequenceNode

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONSTANTS = ("true", "false", "null", "True", "False", "None")
_WORDS = frozenset({*_CONSTANTS, "and", "or", "not", "in", "is", "if", "else", "for"})
"""What means something else in expressions."""
_UNREADABLE = _WORDS | frozenset(keyword.kwlist)
"""What an expression cannot read as a name."""
_DURATION_HELP = "write it like `30s`, `1h30m` or `PT5M`"


class Reader(ObjectReader):
    """Reads values of every kind; `what` is how messages call the value."""

    # --- texts and names -------------------------------------------------------------------

    def text(self, node: Node, what: str) -> str | None:
        """A text that holds no expression."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            self.wrong(node, what, "text")
            return None
        if "${" in node.value:
            self.error("AF122", f"{what} cannot hold an expression", node, remedy="write it out")
            return None
        return node.value

    def id(self, node: Node, what: str) -> str | None:
        """The id of a step; one that no expression reads may be a word of Python."""
        return self._identifier(node, what, _WORDS)

    def identifier(self, node: Node, what: str) -> str | None:
        """A name that is there to be read by expressions."""
        return self._identifier(node, what, _UNREADABLE)

    def _identifier(self, node: Node, what: str, refused: frozenset[str]) -> str | None:
        name = self.text(node, what)
        if name is None:
            return None
        if not _IDENTIFIER.fullmatch(name):
            self._not_a_name(node, name, what)
            return None
        if name in refused:
            self.error(
                "AF127",
                f"{what} cannot be `{name}`: the word means something else in expressions",
                node,
                remedy=f"for instance `{name}_`",
            )
            return None
        return name

    def keys(
        self, node: Node, what: str, how: Callable[[Node, str], str | None]
    ) -> Iterable[tuple[str, Scalar, Node]]:
        """The entries of an object whose keys are names as `how` reads them."""
        if not isinstance(node, Mapping):
            self.wrong(node, what, "an object")
            return
        if not node.entries:
            self.error("AF130", f"{what} is empty", node)
        for name, entry in node.entries.items():
            if how(entry.key, f"a name in {what}") is not None:
                yield name, entry.key, entry.value

    def _not_a_name(self, node: Node, name: str, what: str) -> None:
        plain_letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        meant = re.sub(r"\W", "_", plain_letters)
        meant = f"_{meant}" if meant[:1].isdigit() else meant
        self.error(
            "AF127",
            f"{what} has letters, digits and `_` and does not begin with a digit",
            node,
            label="not a name",
            remedy=f"for instance `{meant}`" if meant.strip("_") else "",
        )

    def names(self, node: Node, what: str) -> tuple[str, ...]:
        """A list of texts."""
        if not isinstance(node, SequenceNode):
            self.wrong(node, what, "a list of names")
            return ()
        found = (self.text(item, f"an entry of {what}") for item in node.items)
        return tuple(name for name in found if name is not None)

    def errors(self, node: Node, what: str) -> tuple[str, ...]:
        """Names of errors: a list, or one of them alone."""
        if isinstance(node, SequenceNode):
            if not node.items:
                self.error("AF130", f"{what} is empty", node, remedy='`"*"` means every error')
            return self.names(node, what) or ("*",)
        name = self.text(node, what)
        return ("*",) if name is None else (name,)

    def choice(self, node: Node, what: str, choices: Sequence[str]) -> str | None:
        """One of a few words."""
        word = self.text(node, what)
        if word is not None and word not in choices:
            self.error(
                "AF126",
                f"{what} is {listed(choices, 'or')}, not `{word}`",
                node,
                remedy=did_you_mean(word, choices),
            )
            return None
        return word

    # --- numbers and times -----------------------------------------------------------------

    def count(self, node: Node, what: str, minimum: int = 1) -> int | None:
        """A whole number."""
        value = node.value if isinstance(node, Scalar) else None
        if type(value) is not int:
            self.wrong(node, what, "a whole number")
            return None
        if value < minimum:
            self.error("AF126", f"{what} is at least {minimum}", node, label=f"got {value}")
            return None
        return value

    def number(self, node: Node, what: str, minimum: float = 0) -> float | None:
        """A number."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(node, what, "a number")
            return None
        if value < minimum:
            self.error("AF126", f"{what} is at least {minimum:g}", node, label=f"got {value}")
            return None
        return float(value)

    def seconds(self, node: Node, what: str) -> float | None:
        """A duration that is written out."""
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, str):
            return self.number(node, what)
        seconds = parse_duration(value)
        if seconds is None:
            self.error(
                "AF125",
                f"{what} is not a duration",
                node,
                label="not a duration",
                remedy=_DURATION_HELP,
            )
        return seconds

    def duration(self, node: Node, what: str) -> Duration | None:
        """A duration, or an expression that gives one."""
        if isinstance(node, Scalar) and isinstance(node.value, str) and "${" in node.value:
            return self.expression(node, what)
        seconds = self.seconds(node, what)
        if seconds == 0:
            self.error("AF126", f"{what} is more than nothing", node)
        return seconds

    def moment(self, node: Node, what: str) -> Template:
        """Seconds, a duration, a time, or an expression that gives one of them."""
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, str):
            return self.number(node, what)
        if "${" in value:
            return self.template(node)
        if parse_duration(value) is None and not _is_time(value):
            self.error(
                "AF125",
                f"{what} is neither a duration nor a time",
                node,
                remedy=f"{_DURATION_HELP}, or `2030-01-31T09:00:00Z`",
            )
        return value

    def memory(self, node: Node, what: str) -> int | None:
        """Bytes, as a number or as `512MiB`."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            size = parse_size(node.value)
            if size is None:
                message = "`memory` is a number of bytes or like `512MiB`"
                self.error("AF126", message, node, label="not a size")
            return size
        return self.count(node, what)

    # --- expressions -----------------------------------------------------------------------

    def template(self, node: Node | None) -> Template:
        """A value that may hold expressions anywhere; `null` if it is not there."""
        if node is None:
            return None
        if isinstance(node, Scalar):
            if isinstance(node.value, str) and "${" in node.value:
                return parse_string(node.value, node.place, self.diagnostics)
            return node.value
        if isinstance(node, SequenceNode):
            return [self.template(item) for item in node.items]
        for key, entry in node.entries.items():
            if "${" in key:
                self.error(
                    "AF122",
                    "a key cannot hold an expression",
                    entry.key,
                    remedy='build the object in an expression: "${ {name: value} }"',
                )
        return {key: self.template(entry.value) for key, entry in node.entries.items()}

    def text_template(self, node: Node, what: str) -> Template:
        """A text that may hold expressions."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
            self.wrong(node, what, "text")
            return None
        return self.template(node)

    def expression(self, node: Node, what: str) -> Expression | None:
        """Exactly one expression, between `${` and `}`."""
        text = node.value if isinstance(node, Scalar) else None
        if not isinstance(node, Scalar) or not isinstance(text, str) or "${" not in text:
            shown = node.text.strip() if isinstance(node, Scalar) else "…"
            self.error(
                "AF206",
                f"{what} is an expression",
                node,
                label="no `${ }` here",
                remedy=f'write "${{ {shown} }}"',
            )
            return None
        known = len(self.diagnostics)
        blanks = len(text) - len(text.lstrip())
        template = parse_string(
            text.strip(), lambda a, b: node.place(blanks + a, blanks + b), self.diagnostics
        )
        if isinstance(template, Expression):
            return template
        if len(self.diagnostics) == known:
            self.error(
                "AF206",
                f"{what} is one expression and nothing else",
                node,
                remedy="put all of it between one pair of braces: ${ a + b }",
            )
        return None

    def condition(self, found: Fields, name: str) -> Expression | None:
        """The condition in a field, if it is there; one that cannot be read holds."""
        node = found.get(name)
        if node is None:
            return None
        expression = self.expression(node, f"`{name}`")
        return expression or Expression("true", Literal(value=True), node.span)

    def arguments(self, node: Node, what: str) -> dict[str, Template]:
        """An object of values by name."""
        if not isinstance(node, Mapping):
            self.wrong(node, what, "an object of values by name")
            return {}
        for name, entry in node.entries.items():
            if not _IDENTIFIER.fullmatch(name):
                self._not_a_name(entry.key, name, f"a name in {what}")
        return {name: self.template(entry.value) for name, entry in node.entries.items()}

    # --- objects with a meaning of their own -----------------------------------------------

    def schema(self, node: Node, what: str) -> Json:
        """A JSON Schema."""
        data = plain(node)
        for path, reason in schemas.mistakes(data):
            self.error("AF131", f"{what} is not a JSON Schema: {reason}", _at(node, path))
            return True
        return data

    def labels(self, node: Node, what: str) -> dict[str, str]:
        """Texts by text."""
        if not isinstance(node, Mapping):
            self.wrong(node, what, "an object of texts")
            return {}
        texts = {k: self.text(e.value, f"the label `{k}`") for k, e in node.entries.items()}
        return {name: text for name, text in texts.items() if text is not None}

    def targets(self, node: Node, what: str) -> Json:
        """Settings by target."""
        found = self.object(node, SHAPES["targets"])
        return {name: self.data(node, f"`{name}` of {what}") for name, node in found.items()}

    def retry(self, node: Node, what: str) -> Retry:
        """A retry policy."""
        found = self.object(node, SHAPES["retry"])
        given = {name: self._retry_field(name, value, what) for name, value in found.items()}
        return Retry(**{name: value for name, value in given.items() if value is not None})

    def _retry_field(self, name: str, node: Node, owner: str) -> Json:
        what = f"`{name}` of {owner}"
        if name == "on":
            return self.errors(node, what)
        if name == "max_attempts":
            return self.count(node, what)
        if name == "backoff":
            return self.number(node, what, 1)
        if name == "jitter":
            return self.choice(node, what, ("full", "none"))
        return self.seconds(node, what)

    def resources(self, node: Node, what: str) -> Resources:
        """What a call asks of the cluster."""
        found = self.object(node, SHAPES["resources"])
        return Resources(
            num_cpus=found.read("num_cpus", self.number),
            num_gpus=found.read("num_gpus", self.number),
            memory=found.read("memory", self.memory),
            runtime_env=found.read("runtime_env", self.data),
        )

    def data(self, node: Node, what: str) -> Json:
        """An object that is passed on as it is."""
        if not isinstance(node, Mapping):
            self.wrong(node, what, "an object")
        return plain(node)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _at(node: Node, path: Sequence[str | int]) -> Node:
    """The node at a path of keys and indexes, or the nearest one above it."""
    for part in path:
        if isinstance(node, Mapping) and isinstance(part, str) and node.get(part):
            node = node.entries[part].value
        elif isinstance(node, SequenceNode) and isinstance(part, int):
            node = node.items[part]
        else:
            break
    return node
