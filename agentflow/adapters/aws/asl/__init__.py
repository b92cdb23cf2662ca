"""The Amazon States Language: reading it, and running it as AWS Step Functions does.

`read` gives a frozen `Machine` or every mistake with its place; `simulate` runs one to its
`Outcome`. The parts: `jsonpath`, `intrinsics`, `choice`, `jsonata` and `template` evaluate;
`simulate.machine` is the pure interpreter, `simulate.driver` carries out what it asks for.
"""

from agentflow.adapters.aws.asl.model import Machine
from agentflow.adapters.aws.asl.read import load, read
from agentflow.adapters.aws.asl.simulate import (
    Outcome,
    TaskCall,
    TaskError,
    TaskHandler,
    simulate,
)

__all__ = [
    "Machine",
    "Outcome",
    "TaskCall",
    "TaskError",
    "TaskHandler",
    "load",
    "read",
    "simulate",
]
