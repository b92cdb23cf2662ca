"""The agents of a project by name: which class and method a call reaches."""

from __future__ import annotations

from pathlib import Path

from agentflow.errors import Fault
from agentflow.functions.agents import PREFIX, is_call
from agentflow.spec.agent_source import AgentClass, agents_of
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.signatures import Missing, Signature


class Agents:
    """The agents of one project, by name; its modules are read once, when first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[str, list[AgentClass]] | None = None

    def all(self) -> list[AgentClass]:
        """All agents, by name and then by place."""
        return [each for _, agents in sorted(self._by_name().items()) for each in agents]

    def find(self, reference: str) -> Signature | Missing:
        """The signature of what `agent:NAME` or `agent:NAME.METHOD` calls, or why there is none."""
        found = self.resolve(reference)
        if isinstance(found, Missing):
            return found
        agent, method = found
        if method in agent.methods:
            return agent.methods[method].signature
        return Signature(method, checked=False)

    def resolve(self, reference: str) -> tuple[AgentClass, str] | Missing:
        """The agent and the name of the method that a call reaches, or why there is none."""
        name, _, method = reference.removeprefix(PREFIX).partition(".")
        agents = self._by_name().get(name, [])
        if not agents:
            return self._unknown(name)
        if len(agents) > 1:
            places = " and ".join(f"{each.span.file}:{each.span.line}" for each in agents)
            message = f"{len(agents)} agents are named `{name}`: {places}"
            return Missing("AF408", message, "rename all but one of them", label="which of them?")
        agent = agents[0]
        if agent.mistake:
            return Missing("AF409", agent.mistake, place=agent.span)
        return self._method(agent, method)

    def require(self, reference: str) -> tuple[AgentClass, str]:
        """Like `resolve`, where a call is about to be made.

        Raises:
            Fault: `FunctionNotFound`, saying what is missing.
        """
        found = self.resolve(reference)
        if isinstance(found, Missing):
            said = f"{found.message}; {found.help}" if found.help else found.message
            raise Fault("FunctionNotFound", said, data={"function": reference})
        return found

    def path(self, reference: str) -> str:
        """The import path of the method that a call reaches.

        Raises:
            Fault: `FunctionNotFound`.
        """
        agent, method = self.require(reference)
        return f"{agent.reference}.{method}"

    def _method(self, agent: AgentClass, method: str) -> tuple[AgentClass, str] | Missing:
        listed = ", ".join(f"`{each}`" for each in agent.methods)
        chosen = method or agent.default()
        if chosen is None:
            message = f"agent `{agent.name}` has several methods, and none is `run` or `__call__`"
            first = next(iter(agent.methods), "METHOD")
            remedy = f"name one: `{PREFIX}{agent.name}.{first}`" + (
                f" of {listed}" if listed else ""
            )
            return Missing("AF410", message, remedy, label="which of them?")
        if chosen in agent.methods or (agent.is_open and is_call(chosen)):
            return agent, chosen
        message = f"agent `{agent.name}` has no method `{chosen}`"
        remedy = did_you_mean(chosen, agent.methods) or (f"it has {listed}" if listed else "")
        return Missing("AF410", message, remedy)

    def _unknown(self, name: str) -> Missing:
        names = sorted(self._by_name())
        remedy = did_you_mean(name, names)
        if not remedy:
            known = ", ".join(f"`{each}`" for each in names)
            remedy = (
                f"the project has {known}" if known else "mark a class of the project by @agent"
            )
        return Missing("AF407", f"there is no agent `{name}` in the project", remedy)

    def _by_name(self) -> dict[str, list[AgentClass]]:
        if self._found is None:
            self._found = {}
            for agent in agents_of(self._root):
                self._found.setdefault(agent.name, []).append(agent)
        return self._found
