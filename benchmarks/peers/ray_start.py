"""Ray by itself, from the start of a process to the first result of a task: the bare minimum.

`python ray_start.py` prints the result. Ray's dashboard is left out, as we leave it out.
"""

from __future__ import annotations

import ray


@ray.remote(max_retries=0)
def hello() -> str:
    """What is asked for."""
    return "hello"


if __name__ == "__main__":
    ray.init(include_dashboard=False, log_to_driver=False)
    print(ray.get(hello.remote()), flush=True)
