"""Workflows that are written as Python functions, compiled from their source."""

from agentflow.spec.python.compile import Compiled, compile_definition
from agentflow.spec.python.find import Definition, Reference, definition, reference, reference_of
from agentflow.spec.python.modules import Modules

__all__ = [
    "Compiled",
    "Definition",
    "Modules",
    "Reference",
    "compile_definition",
    "definition",
    "reference",
    "reference_of",
]
