"""Run state machines as the service does.

`machine` is the interpreter: it takes events, gives effects, and does nothing else. `driver`
carries the effects out in this process, in virtual or real time; `simulate` does all of it.
"""

from agentflow.adapters.aws.asl.simulate.driver import run, simulate
from agentflow.adapters.aws.asl.simulate.handlers import (
    Later,
    TaskCall,
    TaskError,
    TaskHandler,
    by_name,
)
from agentflow.adapters.aws.asl.simulate.protocol import HistoryEvent, Outcome

__all__ = [
    "HistoryEvent",
    "Later",
    "Outcome",
    "TaskCall",
    "TaskError",
    "TaskHandler",
    "by_name",
    "run",
    "simulate",
]
