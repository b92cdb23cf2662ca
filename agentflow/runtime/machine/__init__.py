"""The pure interpreter: `Machine.advance(event)` returns commands and executes nothing.

`protocol` says what goes in and out, `program` turns a workflow into nodes, `frames` says what a
node under way is; the other modules hold one family of nodes each. No module here reads a clock,
draws a number, does I/O or knows an executor.
"""

from agentflow.runtime.machine.machine import Machine
from agentflow.runtime.machine.program import Program, compile_workflow

__all__ = ["Machine", "Program", "compile_workflow"]
