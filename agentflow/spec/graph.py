"""A workflow as a picture: Mermaid's flowchart text."""

from __future__ import annotations

import re
from itertools import pairwise

from agentflow.spec.expressions.template import Expression, Interpolation, Template
from agentflow.spec.model import (
    Action,
    Block,
    Call,
    Emit,
    Fork,
    Listen,
    Loop,
    Map,
    Pipeline,
    Raise,
    Return,
    Run,
    Saga,
    Set,
    State,
    States,
    Step,
    Switch,
    Try,
    Wait,
    Workflow,
)

_LONGEST = 60
"""Characters of one line of a label."""
_SPECIAL = re.compile(r"""["'#<>&`{}|\\]""")


def mermaid(workflow: Workflow) -> str:
    """The flowchart of a workflow; a step with blocks inside is a subgraph.

    >>> from agentflow.spec import loads
    >>> print(mermaid(loads("{workflow: hi, do: [{id: a, wait: 5s}]}").workflow))
    flowchart TD
      start(["hi"])
      s-a{{"<b>a</b><br/>wait 5s"}}
      finish(["end"])
      start --> s-a
      s-a --> finish
    """
    drawing = _Drawing()
    drawing.line(f'start(["{_escaped(workflow.name)}"])')
    nodes = drawing.block(workflow.do, "s")
    drawing.line('finish(["end"])')
    first = nodes[0] if nodes else "finish"
    edges = [f"start --> {first}", *drawing.edges]
    if nodes:
        edges.append(f"{nodes[-1]} --> finish")
    return "\n".join(["flowchart TD", *drawing.lines, *(f"  {edge}" for edge in edges)])


class _Drawing:
    """Nodes in the order of the spec, and the edges between them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.edges: list[str] = []
        self._depth = 1

    def line(self, text: str) -> None:
        self.lines.append("  " * self._depth + text)

    def block(self, block: Block, path: str) -> list[str]:
        """Draw steps one after the other; their nodes."""
        nodes = [self.step(step, f"{path}-{step.id}") for step in block.steps]
        for (before, after), step in zip(pairwise(nodes), block.steps, strict=False):
            leaves = isinstance(step.action, Return | Raise) and step.when is None
            if not leaves or step.catch:
                self.edges.append(f"{before} --> {after}")
        return nodes

    def step(self, step: Step, node: str) -> str:
        """Draw one step; its node."""
        parts = _parts(step)
        if not parts:
            left, right = _SHAPES.get(type(step.action), ("[", "]"))
            self.line(f'{node}{left}"{_label(step)}"{right}')
            return node
        self.line(f'subgraph {node}["{_label(step)}"]')
        self._depth += 1
        if len(parts) == 1 and not parts[0][0]:
            self.block(parts[0][1], node)
        else:
            for number, (title, block) in enumerate(parts):
                self.part(title, block, f"{node}-{number}")
        if isinstance(step.action, States):
            self.transitions(step.action, node)
        self._depth -= 1
        self.line("end")
        return node

    def part(self, title: str, block: Block, node: str) -> None:
        """Draw one of several blocks of a step."""
        if not block.steps:
            self.line(f'{node}["{_escaped(title)}"]')
            return
        self.line(f'subgraph {node}["{_escaped(title)}"]')
        self._depth += 1
        self.block(block, node)
        self._depth -= 1
        self.line("end")

    def transitions(self, states: States, node: str) -> None:
        """Draw where states lead."""
        numbers = {name: f"{node}-{number}" for number, name in enumerate(states.states)}
        self.line(f"{node}-start(( ))")
        self.edges.append(f"{node}-start --> {numbers[states.start]}")
        for name, state in states.states.items():
            self.edges.extend(_leads(numbers[name], state, numbers))


def _leads(node: str, state: State, numbers: dict[str, str]) -> list[str]:
    return [
        f'{node} -->|"{_escaped(_text(each.when))}"| {numbers[each.to]}'
        if each.when
        else f"{node} --> {numbers[each.to]}"
        for each in state.next
    ]


def _parts(step: Step) -> list[tuple[str, Block]]:
    """The blocks inside a step with their titles; a block alone may have none."""
    parts: list[tuple[str, Block]]
    match step.action:
        case Switch(cases, otherwise):
            parts = [(f"when {_text(case.when)}", case.do) for case in cases]
            parts += [("else", otherwise)] if otherwise else []
        case Fork(branches):
            parts = list(branches.items())
        case Map(body=Block() as do) | Loop(do=do) | Saga(do):
            parts = [("", do)]
        case Try(do, catch, final):
            parts = [("do", do)]
            parts += [(f"catch {', '.join(handler.on)}", handler.do) for handler in catch]
            parts += [("finally", final)] if final else []
        case Pipeline(stages=stages):
            parts = [
                (stage.id, stage.body)
                if isinstance(stage.body, Block)
                else (f"{stage.id}: {stage.body.function}", Block(()))
                for stage in stages
            ]
        case States(states=states):
            parts = [(name, state.do) for name, state in states.items()]
        case _:
            parts = []
    if step.catch:
        parts = parts or [("do", Block(()))]
        parts += [(f"catch {', '.join(handler.on)}", handler.do) for handler in step.catch]
    return parts


def _label(step: Step) -> str:
    """The id, what the step does, and its condition."""
    lines = [f"<b>{_escaped(step.id)}</b>"]
    if said := _said(step.action):
        lines.append(_escaped(said))
    if step.when is not None:
        lines.append(_escaped(f"if {_text(step.when)}"))
    return "<br/>".join(lines)


def _said(action: Action) -> str:
    """What an action does, in a few words."""
    match action:
        case Call(function, key=key):
            return f"call {function}" + (f" of {_text(key)}" if key is not None else "")
        case Set(names):
            return f"set {', '.join(names)}"
        case Switch():
            return "switch"
        case Fork(branches, join):
            return "fork" if join == len(branches) else f"fork, {join} of {len(branches)}"
        case Map(items, body):
            does = f": call {body.function}" if isinstance(body, Call) else ""
            reduce = f", reduce {action.reduce.function}" if action.reduce else ""
            return f"map {_text(items)}{does}{reduce}"
        case Loop(items=items, condition=None):
            return f"for {action.bind} in {_text(items)}"
        case Loop(condition=condition):
            return f"{'until' if action.until else 'while'} {_text(condition)}"
        case Try():
            return "try"
        case Saga():
            return "saga"
        case Pipeline(source):
            shown = source.function if isinstance(source, Call) else _text(source)
            reduce = f", reduce {action.reduce.function}" if action.reduce else ""
            return f"pipeline from {shown}{reduce}"
        case States():
            return "states"
        case Wait(until):
            return f"wait {_text(until)}"
        case Listen(name, correlation):
            about = f" {_text(correlation)}" if correlation is not None else ""
            return f"listen {name}{about}" if name else "approve"
        case Emit(type):
            return f"emit {_text(type)}"
        case Run(workflow):
            return f"run {workflow}"
        case Raise(error):
            return f"raise {_text(error.get('name') if isinstance(error, dict) else error)}"
        case Return(value):
            return f"return {_text(value)}"


def _text(template: Template) -> str:
    """A template on one line, short."""
    match template:
        case Expression(source):
            text = " ".join(source.split())
        case Interpolation(parts):
            text = "".join(
                part if isinstance(part, str) else f"${{{part.source}}}" for part in parts
            )
        case dict():
            text = "{" + ", ".join(map(str, template)) + "}"
        case list():
            text = f"[{len(template)} items]"
        case None | bool():
            text = {None: "null", True: "true", False: "false"}[template]
        case _:
            text = str(template)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _escaped(text: str) -> str:
    """Text that means nothing to Mermaid and HTML."""
    line = " ".join(text.split())
    return _SPECIAL.sub(lambda match: f"#{ord(match.group())};", line)


_SHAPES: dict[type[Action], tuple[str, str]] = {
    Wait: ("{{", "}}"),
    Listen: ("{{", "}}"),
    Emit: (">", "]"),
    Run: ("[[", "]]"),
    Map: ("[[", "]]"),
    Raise: ("([", "])"),
    Return: ("([", "])"),
}
"""How nodes look; a rectangle if nothing is said."""
