"""Calls of `foreign`, compiled: what the service says itself needs no function.

`queries` writes what JSONata computes, `paths` what only JSONPath does, `tasks` work of other
services, which `tokens` puts together again where it waits for a token. A machine with a JSONPath
state is a JSONPath machine whose other states say that they are JSONata (`languages`); the service
does not take it the other way round.
"""

from agentflow.adapters.aws.native.calls import write_call
from agentflow.adapters.aws.native.languages import mixed
from agentflow.adapters.aws.native.tokens import fused

__all__ = ["fused", "mixed", "write_call"]
