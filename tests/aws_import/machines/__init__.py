"""Machines made up for imports, each with an input, by what they are about."""

from agentflow.errors import Json
from tests.aws_import.machines.failures import FAILURES
from tests.aws_import.machines.flow import FLOW
from tests.aws_import.machines.languages import LANGUAGES
from tests.aws_import.machines.maps import MAPS
from tests.aws_import.machines.parts import ECHO, FAIL, catch, each_child, machine, task

MACHINES: dict[str, tuple[Json, Json]] = {**FLOW, **FAILURES, **MAPS, **LANGUAGES}

__all__ = ["ECHO", "FAIL", "MACHINES", "catch", "each_child", "machine", "task"]
