"""The engine `moto`: the compiled definition on moto's Step Functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agentflow.errors import Json
from agentflow.spec.load import Loaded
from tests.conformance import moto_asl
from tests.conformance.aws import Cloud, compiled, ended
from tests.conformance.cases import Run
from tests.conformance.outcomes import Outcome, Refused


class Moto:
    """moto's Step Functions in this process, which takes the time that waits take."""

    name = "moto"

    def __init__(self) -> None:
        self.cloud: Cloud
        self.client: Any = None

    def run(self, loaded: Loaded, run: Run) -> Outcome | Refused:
        """Compile a workflow, create its state machine, and run it."""
        with compiled(loaded, run) as cloud:
            if isinstance(cloud, Refused):
                return cloud
            self.cloud = cloud
            done = moto_asl.run(self.client, cloud.machines[loaded.workflow.name], run.input)
        return ended(done.status, done.output, done.error, done.cause, cloud.calls)

    def answer(self, payload: Json) -> Json:
        """What Lambda answers."""
        if "listen" not in payload:
            return self.cloud.invoke(payload)
        data = self.cloud.message(payload)
        if data is not ...:
            moto_asl.send(self.client, payload["listen"]["token"], data)
        return None


@contextmanager
def moto() -> Iterator[Moto]:
    """A service of its own."""
    engine = Moto()
    with moto_asl.service(engine.answer) as client:
        engine.client = client
        yield engine
