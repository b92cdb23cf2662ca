"""The intrinsic functions of JSONPath payload templates: `States.Format('{}', $.name)`."""

from agentflow.adapters.aws.asl.intrinsics.evaluate import evaluate
from agentflow.adapters.aws.asl.intrinsics.functions import Chance
from agentflow.adapters.aws.asl.intrinsics.syntax import ARITY, Call, Literal, Text, parse

NAMES = frozenset(ARITY)
"""Of the functions, without `States.`."""

__all__ = ["NAMES", "Call", "Chance", "Literal", "Text", "evaluate", "parse"]
