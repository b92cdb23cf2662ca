"""AgentFlow: write a workflow once, run it durably on Ray.

    import agentflow

    print(agentflow.run("specs/wordcount.yaml", {"folder": "docs", "pattern": "*.md"}))

Everything public is importable from here; the rest is private and may change. Heavy parts are
imported when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentflow.errors import (
        AgentFlowError,
        Conflict,
        Diagnostic,
        ExecutionCancelled,
        ExecutionFailed,
        Fault,
        InputError,
        NotFound,
        Span,
        SpecError,
        Unavailable,
        UsageError,
    )
    from agentflow.functions import Context, agent, function
    from agentflow.functions.flow import (
        approve,
        compensate,
        emit,
        error,
        gather,
        listen,
        parallel,
        rehearse,
        saga,
        step,
        wait,
        workflow,
    )
    from agentflow.runtime.api import run, run_async
    from agentflow.runtime.batch.api import (
        map,  # noqa: A004  # one says `agentflow.map`
        map_async,
        map_reduce,
        map_reduce_async,
    )
    from agentflow.runtime.batch.run import BatchRun
    from agentflow.runtime.engine import Engine
    from agentflow.runtime.execution import Execution
    from agentflow.spec.build import Builder
    from agentflow.spec.load import Loaded, load, loads

    __version__: str

_HOME = {
    "agentflow.errors": (
        "AgentFlowError",
        "Conflict",
        "Diagnostic",
        "ExecutionCancelled",
        "ExecutionFailed",
        "Fault",
        "InputError",
        "NotFound",
        "Span",
        "SpecError",
        "Unavailable",
        "UsageError",
    ),
    "agentflow.functions": ("Context", "agent", "function"),
    "agentflow.functions.flow": (
        "approve",
        "compensate",
        "emit",
        "error",
        "gather",
        "listen",
        "parallel",
        "rehearse",
        "saga",
        "step",
        "wait",
        "workflow",
    ),
    "agentflow.runtime.api": ("run", "run_async"),
    "agentflow.runtime.batch.api": ("map", "map_async", "map_reduce", "map_reduce_async"),
    "agentflow.runtime.batch.run": ("BatchRun",),
    "agentflow.runtime.engine": ("Engine",),
    "agentflow.runtime.execution": ("Execution",),
    "agentflow.spec.build": ("Builder",),
    "agentflow.spec.load": ("Loaded", "load", "loads"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "AgentFlowError",
    "BatchRun",
    "Builder",
    "Conflict",
    "Context",
    "Diagnostic",
    "Engine",
    "Execution",
    "ExecutionCancelled",
    "ExecutionFailed",
    "Fault",
    "InputError",
    "Loaded",
    "NotFound",
    "Span",
    "SpecError",
    "Unavailable",
    "UsageError",
    "__version__",
    "agent",
    "approve",
    "compensate",
    "emit",
    "error",
    "function",
    "gather",
    "listen",
    "load",
    "loads",
    "map",
    "map_async",
    "map_reduce",
    "map_reduce_async",
    "parallel",
    "rehearse",
    "run",
    "run_async",
    "saga",
    "step",
    "wait",
    "workflow",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'agentflow' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def _version() -> str:
    """Looked up only when asked for: it takes longer than importing the package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("inferloop-agentflow")
    except PackageNotFoundError:  # a source tree that nobody installed
        return "0.0.0"


def __dir__() -> list[str]:
    return sorted(__all__)
