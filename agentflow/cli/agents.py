"""What a project's agents are and can do: `agents`. None of their code is run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentflow.cli import exits, terminal, text
from agentflow.cli.options import AsJson

if TYPE_CHECKING:
    from agentflow.errors import Json
    from agentflow.spec.agent_source import AgentClass, Method


def agents(*, as_json: AsJson = False) -> int:
    """List the agents of this project, with what they can do and where they are.

    They are found in the source of the project's modules; none of them is imported.
    """
    from agentflow.spec.agents import Agents
    from agentflow.spec.signatures import find_root

    root = find_root(Path.cwd())
    found = Agents(root).all()
    if as_json:
        terminal.result_json({"agents": [_json(each) for each in found]})
    elif not found:
        terminal.note(f"No agents in {root}. A class marked `@agent` is one.")
    else:
        head = ("NAME", "CAPABILITIES", "CALLS", "WHERE")
        terminal.result(text.columns([head, *map(_line, found)]))
    for each in found:
        if each.mistake:
            terminal.note(f"{each.span}: {each.mistake}")
    return exits.OK


def _line(agent: AgentClass) -> tuple[str, str, str, str]:
    calls = ", ".join(map(_call, agent.methods.values()))
    where = f"{agent.span.file}:{agent.span.line}"
    return agent.name, ", ".join(agent.options.capabilities), calls, where


def _call(method: Method) -> str:
    return f"{method.name}({', '.join(method.signature.parameters)})"


def _json(agent: AgentClass) -> dict[str, Json]:
    options = agent.options
    return {
        "name": agent.name,
        "description": options.description,
        "capabilities": list(options.capabilities),
        "class": agent.reference,
        "file": agent.span.file,
        "line": agent.span.line,
        "max_concurrency": options.max_concurrency,
        "idle_timeout": options.idle_timeout,
        "keeps_state": agent.keeps_state,
        "mistake": agent.mistake or None,
        "methods": [_method(each) for each in agent.methods.values()],
    }


def _method(method: Method) -> dict[str, Json]:
    from agentflow.spec.expressions.schema import to_schema

    signature = method.signature
    return {
        "name": method.name,
        "line": method.line,
        "input": {
            "type": "object",
            "properties": {name: to_schema(kind) for name, kind in method.types.items()},
            "required": list(signature.required),
            "additionalProperties": signature.open,
        },
        "output": to_schema(signature.returns),
    }
