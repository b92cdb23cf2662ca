"""Agents as executors see them: which class, method and instance a task reaches.

An instance is one for each project, agent and key. It begins with the last recorded state, and
every call brings that state along: an instance that is older than what is recorded, because
another one served the key meanwhile, catches up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from agentflow.errors import Fault
from agentflow.functions.agents import PREFIX, AgentOptions
from agentflow.functions.instances import AgentState
from agentflow.runtime.executors.protocol import KeptState, Task
from agentflow.spec.agents import Agents

Place: TypeAlias = tuple[str, str, str]
"""What names an instance: the project's root, the agent, the key."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What a task reaches."""

    place: Place
    options: AgentOptions
    reference: str
    """Import path of the class."""
    method: str
    keeps_state: bool

    def kept(self, task: Task, state: AgentState | None) -> KeptState | None:
        """The state to be recorded with the result of a task."""
        return None if state is None else KeptState(self.options.name, task.agent_key, state)


class Directory:
    """The agents of all projects that tasks come from."""

    def __init__(self) -> None:
        self._projects: dict[str, Agents] = {}

    def find(self, task: Task) -> Reached:
        """What a task reaches; reads the project's source the first time.

        Raises:
            Fault: `FunctionNotFound`, saying what is missing.
        """
        if task.kind != "call":
            raise Fault("FunctionNotFound", f"{task.function}: an agent takes single calls only")
        if task.root not in self._projects:
            self._projects[task.root] = Agents(Path(task.root))
        try:
            agent, method = self._projects[task.root].require(task.function)
        except Fault:
            del self._projects[task.root]  # it may be there the next time
            raise
        key = task.execution if task.agent_key is None else task.agent_key
        place = (task.root, agent.name, key)
        return Reached(place, agent.options, agent.reference, method, agent.keeps_state)


def is_agent(task: Task) -> bool:
    """Whether a task calls an agent."""
    return task.function.startswith(PREFIX)


class NoMemory:
    """Stands for a journal that is not there: every instance begins anew."""

    store = ""

    async def last(self, task: Task, agent: str) -> AgentState | None:
        """Nothing is recorded."""
        return None
