"""Ray Datasets as items: each block is one, as an Arrow table."""

from __future__ import annotations

from typing import Any

from agentflow.errors import Json
from agentflow.runtime.batch.sources import Stream


def is_dataset(items: object) -> bool:
    """Whether these are a Ray Dataset; Ray is not imported to find out."""
    return any(kind.__module__.startswith("ray.data") for kind in type(items).__mro__)


class Blocks(Stream):
    """The blocks of a Ray Dataset, in their order, so that a run can go on with them."""

    kind = "dataset"

    def __init__(self, dataset: Any) -> None:
        dataset.context.execution_options.preserve_order = True
        super().__init__(dataset.iter_batches(batch_size=None, batch_format="pyarrow"))

    def described(self) -> Json:
        return {"dataset": True}
