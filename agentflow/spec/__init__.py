"""The language: reading with positions, checking, and the model that everything else consumes."""

from agentflow.spec.diagnostics import as_json, concise, render
from agentflow.spec.load import Loaded, load, loads
from agentflow.spec.model import Workflow
from agentflow.spec.signatures import find_root

__all__ = ["Loaded", "Workflow", "as_json", "concise", "find_root", "load", "loads", "render"]
