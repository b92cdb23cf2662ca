"""Functions that join Ray themselves."""

from __future__ import annotations

import os


def nested(x: int) -> int:
    import ray

    ray.init(log_to_driver=False, logging_level="ERROR")

    @ray.remote(num_cpus=0)
    def double(value: int) -> int:
        return 2 * value

    found: int = ray.get(double.remote(x))
    return found


def variable(name: str) -> str | None:
    return os.environ.get(name)
