"""JSONata as the service evaluates it: version 2.0.6 without `$eval`, with functions of its own.

The language is that of the library jsonata-python; `dialect` and `library` mend where it differs.
"""

from agentflow.adapters.aws.asl.jsonata.engine import (
    Scope,
    check,
    evaluate,
    expression_in,
)

__all__ = ["Scope", "check", "evaluate", "expression_in"]
