"""What a step's function needs: the decorator, the context of its call, and named errors.

Functions ship to workers and clouds with this package; importing it costs the standard library.
"""

from agentflow.errors import Fault
from agentflow.functions.agents import agent
from agentflow.functions.context import Context, current
from agentflow.functions.decorator import function

__all__ = ["Context", "Fault", "agent", "current", "function"]
