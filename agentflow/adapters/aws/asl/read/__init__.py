"""Read state machines, with every mistake of a text at once and its place."""

from agentflow.adapters.aws.asl.read.symbols import unfilled
from agentflow.adapters.aws.asl.read.text import load, read

__all__ = ["load", "read", "unfilled"]
