"""What can be wrong with a bundle."""

from __future__ import annotations

from agentflow.errors import AgentFlowError

CODE_OF_FUNCTIONS = "AF605"
"""The code of a mistake in the source of a function."""


class CannotBundle(AgentFlowError):
    """The functions of a project cannot be made a bundle for the platform."""

    code = "AF606"
    exit_code = 4
