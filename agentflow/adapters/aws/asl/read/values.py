"""Read the values of fields; each method is one kind of `fields`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from agentflow.adapters.aws.asl import intrinsics, jsonata, jsonpath, timestamps
from agentflow.adapters.aws.asl.errors import MalformedError
from agentflow.adapters.aws.asl.model import Reference
from agentflow.adapters.aws.asl.values import is_number
from agentflow.errors import Diagnostic, Json
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.source import Mapping, Node, Scalar, Sequence, plain

MAX_SECONDS: Final = 99_999_999
MAX_NAME: Final = 80
LANGUAGES: Final = ("JSONPath", "JSONata")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_VARIABLE = re.compile(r"[^\W\d]\w*")
_LABEL = re.compile(r"[^\s?*<>{}\[\]:;,\\|^~$#%&`\"\x00-\x1f]{1,40}")
_SYMBOL = re.compile(r"\$\{[^{}]+\}.*", re.DOTALL)
"""`${Symbol}`: deployment puts something in its place; until then it can be anything."""
_AT_TOP = re.compile(r"\$\$?(?![\w$])")


class Values:
    """Collects mistakes while it reads; what cannot be read becomes a harmless value."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics
        self.language = "JSONPath"
        """The query language of the state being read."""

    def error(
        self, code: str, message: str, node: Node, *, remedy: str = "", label: str = ""
    ) -> None:
        """Note a mistake and go on."""
        self.diagnostics.append(Diagnostic(code, message, node.span, label, remedy))

    def wrong(self, node: Node, name: str, expected: str) -> None:
        """The value is of another kind."""
        found = {Sequence: "a list", Mapping: "an object"}.get(type(node), "")
        if isinstance(node, Scalar):
            found = "null" if node.value is None else f"`{node.text[:40]}`"
        self.error("AF122", f"`{name}` is {expected}, not {found}", node)

    # --- plain values ----------------------------------------------------------------------

    def data(self, node: Node, name: str) -> Json:
        """Any value, as it is."""
        return plain(node)

    def text(self, node: Node, name: str) -> str:
        """A text."""
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, str):
            self.wrong(node, name, "text")
            return ""
        return value

    def boolean(self, node: Node, name: str) -> bool:
        """True or false."""
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, bool):
            self.wrong(node, name, "true or false")
            return False
        return value

    def condition(self, node: Node, name: str) -> Json:
        """What decides a rule in JSONata: true, false or an expression."""
        if self._is_expression(node):
            return self.template(node, name)
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, bool):
            self.wrong(node, name, "true, false or an expression in {% %}")
        return value

    def collection(self, node: Node, name: str) -> Json:
        """The items of a map: a list, an object, or an expression."""
        if isinstance(node, Scalar) and not self._is_expression(node):
            self.wrong(node, name, "a list, an object or an expression in {% %}")
        return self.template(node, name)

    def _is_expression(self, node: Node) -> bool:
        return isinstance(node, Scalar) and jsonata.expression_in(node.value) is not None

    def query_language(self, node: Node, name: str) -> str:
        """The name of a query language."""
        return self.word(node, name, LANGUAGES)

    def word(self, node: Node, name: str, choices: tuple[str, ...]) -> str:
        """One of a few words."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and value in choices:
            return value
        if not isinstance(value, str):
            self.wrong(node, name, "text")
        else:
            remedy = did_you_mean(value, choices)
            listed = " or ".join(choices)
            self.error("AF126", f"`{name}` is {listed}, not `{value}`", node, remedy=remedy)
        return choices[0]

    def state_name(self, node: Node, name: str) -> str:
        """The name of a state; whether it exists is known later."""
        return self.text(node, name)

    def new_state_name(self, node: Node, name: str) -> None:
        """The name of a state where the state is defined."""
        if len(name) > MAX_NAME:
            self.error("AF127", f"a state's name has at most {MAX_NAME} characters", node)
        elif not name or _FORBIDDEN.search(name):
            self.error("AF127", "a state's name is not empty and has no control characters", node)

    def label(self, node: Node, name: str) -> str:
        """The label of a distributed map."""
        value = self.text(node, name)
        if not _LABEL.fullmatch(value):
            self.error("AF126", "`Label` has 1 to 40 characters and no special ones", node)
        return value

    # --- numbers and times, which may be expressions ---------------------------------------

    def seconds(self, node: Node, name: str) -> Json:
        """Whole seconds from 0."""
        return self._number(node, name, 0, MAX_SECONDS)

    def positive(self, node: Node, name: str) -> Json:
        """Whole seconds from 1."""
        return self._number(node, name, 1, MAX_SECONDS)

    def whole(self, node: Node, name: str) -> Json:
        """A whole number, which may be negative."""
        return self._number(node, name, None, None)

    def count(self, node: Node, name: str) -> Json:
        """A whole number from 0."""
        return self._number(node, name, 0, None)

    def percentage(self, node: Node, name: str) -> Json:
        """A number from 0 to 100."""
        return self._number(node, name, 0, 100, whole=False)

    def _number(
        self, node: Node, name: str, least: int | None, most: int | None, *, whole: bool = True
    ) -> Json:
        value: Json = node.value if isinstance(node, Scalar) else None
        if self.language == "JSONata" and jsonata.expression_in(value) is not None:
            return self.template(node, name)
        if isinstance(value, str) and _SYMBOL.fullmatch(value):
            return value
        if not is_number(value) or (whole and value != int(value)):
            expression = ", or an expression in {% %}" if self.language == "JSONata" else ""
            self.wrong(node, name, ("a whole number" if whole else "a number") + expression)
            return least or 0
        if (least is not None and value < least) or (most is not None and value > most):
            upper = "" if most is None else f" and at most {most:,}"
            self.error("AF126", f"`{name}` is at least {least}{upper}", node, label=f"got {value}")
            return least or 0
        return int(value) if whole else value

    def timestamp(self, node: Node, name: str) -> str:
        """An RFC 3339 time."""
        value = self.text(node, name)
        if self.language == "JSONata" and jsonata.expression_in(value) is not None:
            self.template(node, name)
        elif (
            (value or _is_empty(node))
            and timestamps.parse(value) is None
            and not _SYMBOL.fullmatch(value)
        ):
            self.error(
                "AF125",
                f"`{name}` is not a time",
                node,
                remedy="write it like `2030-01-31T09:00:00Z`: RFC 3339 with `T` and an offset",
            )
        return value

    def text_or_expression(self, node: Node, name: str) -> str:
        """A text; with JSONata it may be an expression."""
        value = self.text(node, name)
        if self.language == "JSONata":
            self.template(node, name)
        return value

    # --- paths -----------------------------------------------------------------------------

    def path(self, node: Node, name: str) -> str:
        """A JSONPath: of the input, the context object or a variable."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and value.startswith("States."):
            remedy = "call the function in `Parameters` of a Pass state before"
            self.error("AF200", f"`{name}`: a path begins with `$`", node, remedy=remedy)
            return "$"
        return self.path_or_call(node, name)

    def path_or_call(self, node: Node, name: str) -> str:
        """A JSONPath or a call of an intrinsic function."""
        value = self.text(node, name)
        if _SYMBOL.fullmatch(value):
            return value
        if value.startswith("States."):
            self._parse(node, name, value, intrinsics.parse)
        elif value:
            self._parse(node, name, value, jsonpath.parse)
        elif _is_empty(node):
            self.error("AF200", f"`{name}` is empty; a path begins with `$`", node)
        return value or "$"

    def path_or_null(self, node: Node, name: str) -> str | None:
        """A path, or null for nothing."""
        if isinstance(node, Scalar) and node.value is None:
            return None
        return self.path(node, name)

    def result_path(self, node: Node, name: str) -> str | None:
        """A reference path, or null to drop the result."""
        value = self.path_or_null(node, name)
        if value is None or _SYMBOL.fullmatch(value):
            return value
        try:
            reference = jsonpath.is_reference(jsonpath.parse(value))
        except MalformedError:
            return "$"  # there is a diagnostic that says why
        if not reference:
            self.error(
                "AF200",
                f"`{name}` has to name one place in the input",
                node,
                remedy="use names and indexes only, like `$.result` or `$.items[0]`",
            )
            return "$"
        return value

    def reference(self, node: Node, name: str) -> Reference:
        """A path under which the value of a field is found."""
        return Reference(self.path(node, name))

    def text_reference(self, node: Node, name: str) -> Reference:
        """A path or call that gives the text of a field."""
        return Reference(self.path_or_call(node, name))

    def _parse(
        self, node: Node, name: str, text: str, parse: Callable[[str], object], at: int = 0
    ) -> None:
        try:
            parse(text)
        except MalformedError as error:
            code = "AF202" if "no intrinsic function" in error.message else "AF200"
            place = node.span
            if isinstance(node, Scalar):
                start = min(at + error.at, max(len(node.text) - 1, 0))
                place = node.place(start, start + 1)
            function = re.search(r"`States\.(\w+)`", error.message) if code == "AF202" else None
            remedy = did_you_mean(function[1], intrinsics.NAMES) if function else ""
            message = f"`{name}`: {error.message}"
            self.diagnostics.append(Diagnostic(code, message, place, help=remedy))

    # --- templates -------------------------------------------------------------------------

    def template(self, node: Node, name: str) -> Json:
        """A value with expressions in it, in the state's language."""
        if self.language == "JSONata":
            self._expressions(node, name)
        else:
            self._payload(node, name)
        return plain(node)

    def assign(self, node: Node, name: str) -> Json:
        """Values by the names of variables."""
        if not isinstance(node, Mapping):
            self.wrong(node, name, "an object of values by the names of variables")
            return {}
        for key, entry in node.entries.items():
            variable = key.removesuffix(".$") if self.language == "JSONPath" else key
            if (
                variable == "states"
                or len(variable) > MAX_NAME
                or not _VARIABLE.fullmatch(variable)
            ):
                self.error(
                    "AF127",
                    f"`{variable}` cannot be the name of a variable",
                    entry.key,
                    remedy="letters, digits and `_`, not a digit first, and not `states`",
                )
        return self.template(node, name)

    def _payload(self, node: Node, name: str) -> None:
        if isinstance(node, Sequence):
            for item in node.items:
                self._payload(item, name)
        if not isinstance(node, Mapping):
            return
        for key, entry in node.entries.items():
            field = f"{name}/{key}"
            if not key.endswith(".$"):
                self._payload(entry.value, field)
                continue
            value = entry.value.value if isinstance(entry.value, Scalar) else None
            if not isinstance(value, str) or not value.startswith(("$", "States.")):
                self.error(
                    "AF200",
                    f"`{field}` is a path or a call of an intrinsic function",
                    entry.value,
                    remedy=f"begin it with `$` or `States.`, or call the key `{key[:-2]}`",
                )
            else:
                self.path_or_call(entry.value, field)

    def _expressions(self, node: Node, name: str) -> None:
        if isinstance(node, Sequence):
            for index, item in enumerate(node.items):
                self._expressions(item, f"{name}[{index}]")
        elif isinstance(node, Mapping):
            for key, entry in node.entries.items():
                self._expressions(entry.value, f"{name}/{key}")
        elif (
            isinstance(node.value, str) and (code := jsonata.expression_in(node.value)) is not None
        ):
            begins = node.value.index(code, 2) if code else 2
            self._parse(node, name, code, jsonata.check, begins)
            if found := _AT_TOP.fullmatch(code):
                self.error(
                    "AF200",
                    f"`{name}`: `{found.group()}` means nothing here",
                    node,
                    remedy="the input is `$states.input`, the context `$states.context`",
                )


def _is_empty(node: Node) -> bool:
    """Whether it is a text without a character; what is no text is another mistake."""
    return isinstance(node, Scalar) and node.value == ""
