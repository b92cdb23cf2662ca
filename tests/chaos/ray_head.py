"""A Ray head, started the way the engine starts its own: token, loopback, lean. Ends with stdin.

It prints one line: `{"address", "token"}`, the latter a file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from agentflow.runtime.executors.ray_start import RaySession
from tests.chaos.orchestrator import take_stdout


def main() -> None:
    """Start Ray, say where it is, and keep it."""
    out = take_stdout()
    session = RaySession()
    session.open().result()
    import ray
    from ray._private import worker

    node: Any = worker._global_node
    token = Path(node.temp_dir).parent / "token"
    where = {"address": ray.get_runtime_context().gcs_address, "token": str(token)}
    print(json.dumps(where), file=out, flush=True)
    sys.stdin.read()
    session.close()


if __name__ == "__main__":
    main()
