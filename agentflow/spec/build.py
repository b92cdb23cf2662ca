"""Workflows that programs make: steps are added one by one, and the whole is read and checked.

    flow = Builder("wordcount", input={"type": "object", "required": ["documents"]})
    counts = flow.map(flow.input["documents"], call="functions.text.count_words", text=flow.item)
    flow.output = flow.call("functions.text.merge_counts", items=counts)
    loaded = flow.load()

Values are JSON, in which texts may hold `${…}` and anything may be a `Ref`. What is made is the
text of a spec: `load` reads it like any other, so nothing can be built that could not be written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from agentflow.errors import Json
from agentflow.spec.load import Loaded, loads
from agentflow.spec.signatures import Folder
from agentflow.spec.write_yaml import document


class Ref:
    """A value that a workflow will have: the result of a step, an item, the input."""

    def __init__(self, source: str) -> None:
        self.source = source
        """The expression that reads it."""

    def __getitem__(self, key: str | int) -> Ref:
        return Ref(f"{self.source}[{json.dumps(key)}]")

    def __str__(self) -> str:
        return f"${{ {self.source} }}"

    def __repr__(self) -> str:
        return f"Ref({self.source!r})"


class Steps:
    """A block of steps; each method adds one and gives what reads its result.

    Any of them takes `id` (made from what the step does unless given) and, as in a spec, `when`
    for the field `if`, `timeout`, `retry` and `description`.
    """

    def __init__(self, taken: set[str]) -> None:
        self.data: list[dict[str, Json]] = []
        self._taken = taken

    @property
    def input(self) -> Ref:
        """The execution's input."""
        return Ref("input")

    @property
    def item(self) -> Ref:
        """The item of a map or loop that names it no other way."""
        return Ref("item")

    def block(self) -> Steps:
        """A block to be filled, for steps that have blocks."""
        return Steps(self._taken)

    def step(self, base: str, fields: Mapping[str, Any], /, **common: Any) -> Ref:
        """Any step of the language: the fields of its verb, beside those of every step."""
        name = common.pop("id", None) or self._unique(base)
        self._taken.add(name)
        head = {"description": common.pop("description", None), "if": common.pop("when", None)}
        data = {"id": name, **head, **fields, **common}
        self.data.append({key: plain(value) for key, value in data.items() if value is not None})
        return Ref(name)

    def call(
        self,
        function: str,
        arguments: Mapping[str, Any] | None = None,
        /,
        *,
        id: str | None = None,
        when: str | Ref | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: str | float | Ref | None = None,
        resources: Mapping[str, Any] | None = None,
        compensate: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Ref:
        """Invoke a function; arguments named like an option go into `arguments`."""
        fields = _call(function, {**(arguments or {}), **named})
        fields |= {"resources": resources, "compensate": compensate}
        base = function.rpartition(".")[2]
        return self.step(base, fields, id=id, when=when, retry=retry, timeout=timeout)

    def map(
        self,
        items: Any,
        /,
        *,
        call: str | None = None,
        do: Steps | None = None,
        bind: str | None = None,
        concurrency: int | None = None,
        batch: int | Literal["auto"] | None = None,
        tolerate: int | str | None = None,
        reduce: Mapping[str, Any] | None = None,
        id: str | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: str | float | Ref | None = None,
        **named: Any,
    ) -> Ref:
        """Run a call or a block for each item."""
        body = {"do": do} if call is None else _call(call, named)
        options = {"concurrency": concurrency, "batch": batch, "tolerate": tolerate}
        fields = {"map": items, "as": bind, **body, **options, "reduce": reduce}
        base = "each" if call is None else call.rpartition(".")[2]
        return self.step(base, fields, id=id, retry=retry, timeout=timeout)

    def set(self, **names: Any) -> None:
        """Bind names to values."""
        self.step(f"set_{next(iter(names), '')}", {"set": names})

    def switch(
        self, *cases: tuple[str | Ref, Steps], otherwise: Steps | None = None, **common: Any
    ) -> Ref:
        """Run the first block whose condition holds."""
        listed = [{"when": when, "do": do} for when, do in cases]
        return self.step("switch", {"switch": listed, "else": otherwise}, **common)

    def fork(
        self,
        branches: Mapping[str, Steps],
        /,
        *,
        join: Literal["all", "any"] | int | None = None,
        **common: Any,
    ) -> Ref:
        """Run blocks side by side."""
        named = {name: {"do": block} for name, block in branches.items()}
        return self.step("fork", {"fork": named, "join": join}, **common)

    def loop(
        self,
        do: Steps,
        /,
        *,
        over: Any = None,
        bind: str | None = None,
        while_: str | Ref | None = None,
        until: str | Ref | None = None,
        most: int | None = None,
        **common: Any,
    ) -> Ref:
        """Repeat a block: over items, while a condition holds, or until one does."""
        fields = {"for": over, "as": bind, "while": while_, "until": until, "max": most, "do": do}
        given = {name: value for name, value in fields.items() if value is not None}
        return self.step("loop", {"loop": given}, **common)

    def attempt(
        self,
        do: Steps,
        /,
        *handlers: tuple[str | Sequence[str], str | None, Steps],
        final: Steps | None = None,
        **common: Any,
    ) -> Ref:
        """Run a block; handlers are names of errors, the name that reads the error, and a block."""
        catch = [
            {"on": on, **({"as": bind} if bind else {}), "do": block}
            for on, bind, block in handlers
        ]
        fields = {"do": do, "catch": catch or None, "finally": final}
        given = {name: value for name, value in fields.items() if value is not None}
        return self.step("try", {"try": given}, **common)

    def saga(self, do: Steps, /, **common: Any) -> Ref:
        """Run a block; when it fails, undo its calls that have `compensate`."""
        return self.step("saga", {"saga": {"do": do}}, **common)

    def wait(self, duration: Any, /, **common: Any) -> None:
        """Wait for a duration or until a time."""
        self.step("wait", {"wait": duration}, **common)

    def listen(self, name: str, /, *, correlation: Any = None, **common: Any) -> Ref:
        """Wait for a message."""
        return self.step("listen", {"listen": name, "correlation": correlation}, **common)

    def approve(self, message: Any, /, *, form: Json = None, **common: Any) -> Ref:
        """Wait for a person."""
        asked = message if form is None else {"message": message, "form": form}
        return self.step("approve", {"approve": asked}, **common)

    def emit(self, type: str, data: Any = None, /, *, subject: Any = None, **common: Any) -> None:
        """Publish an event."""
        event = {"type": type, "subject": subject, "data": data}
        given = {name: value for name, value in event.items() if value is not None}
        self.step("emit", {"emit": given}, **common)

    def run(self, workflow: str, input: Any = None, /, **common: Any) -> Ref:
        """Run another workflow."""
        return self.step("run", {"run": workflow, "with": input}, **common)

    def fail(self, name: str, message: Any = "", /, *, data: Any = None, **common: Any) -> None:
        """Fail with a named error."""
        error = {"name": name, "message": message} | ({} if data is None else {"data": data})
        self.step("raise", {"raise": error}, **common)

    def give(self, value: Any, /, **common: Any) -> None:
        """End the branch, the item or the workflow with a value."""
        name = common.pop("id", None)
        self.step("return", {}, id=name, **common)
        self.data[-1]["return"] = plain(value)

    def _unique(self, base: str) -> str:
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        return name


class Builder(Steps):
    """A workflow that is being made; options are the top-level fields of a spec."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__({"input", "execution", "item"})
        self.name = name
        self.options = options
        self.output: Any = ...
        """The value of the workflow; that of its last step unless it is set."""

    def text(self) -> str:
        """The spec as YAML."""
        output = {} if self.output is ... else {"output": plain(self.output)}
        options = plain(self.options)
        return document({"workflow": self.name, **options, "do": self.data, **output}, {})

    def load(
        self,
        *,
        root: Folder | None = None,
        functions: bool = True,
        children: Mapping[str, str | Loaded] | None = None,
    ) -> Loaded:
        """Read and check what was made; as `agentflow.loads` does.

        Raises:
            SpecError: with every mistake, at its place in `text()`.
        """
        path = f"<{self.name}>"
        return loads(self.text(), path=path, root=root, functions=functions, children=children)


def plain(value: Any) -> Json:
    """A value as data: what refers to steps as texts, blocks as lists of their steps."""
    match value:
        case Ref():
            return str(value)
        case Steps():
            return value.data
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _:
            return value


def _call(function: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"call": function, **({"with": arguments} if arguments else {})}
