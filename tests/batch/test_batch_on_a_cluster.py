"""Batch runs on two nodes that have no folder in common."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.batch.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROGRAM = """
    import json, os, signal, sys
    from pathlib import Path
    from ray.cluster_utils import Cluster
    import agentflow
    from agentflow.runtime.batch.session import close_session
    from agentflow.runtime.batch.work import Tasks
    from agentflow.runtime.executors.memory import roomy_place
    from agentflow.runtime.executors.ray import RayExecutor
    from agentflow.runtime.executors.ray_shelves import Shelf, Shelves
    from agentflow.runtime.journal.store import Journal
    from tests.batch import jobs

    root, items = Path(sys.argv[1]), 24
    names = root / "shelves"
    os.environ["SHELVES"] = str(names)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    place = dict(root=root, store=f"sqlite:///{root}/journal.db")

    def on_both(function, **options):
        executor = RayExecutor(address=cluster.address)
        return agentflow.map(range(items), function, chunk=1, executor=executor, **place, **options)

    def shelves():
        for owner in jobs.shelves_of(names):
            yield int(owner.read_text().rpartition("-")[2])

    forms, nodes, combine, content = set(), set(), Tasks.combine, Shelves.content
    opened = Shelves.open

    async def named(self):
        (root / "next").write_text(self.name)
        (root / "next").replace(names)
        await opened(self)

    def combined(self, key, parcels):
        forms.update(next(form for form in ("part", "base64", "json") if form in p) for p in parcels)
        return combine(self, key, parcels)

    async def fetched(self, parcel):
        nodes.add(parcel["shelf"])
        return await content(self, parcel)

    Tasks.combine, Shelves.content, Shelves.open = combined, fetched, named
    total = on_both(jobs.array_when_there_are_shelves, reduce=jobs.add_arrays, arity=3, id="sum")
    print((total.result() == sum(range(items))).all(), sorted(forms), len(nodes))
    events = Journal.open(place["store"], root).history("sum")
    print({"attachment" in event.data for event in events if event.step})
    print(list(roomy_place().glob(names.read_text() + "*")))

    arrays = on_both(jobs.array_when_there_are_shelves, id="map")
    print([float(array[7]) for array in arrays] == list(range(items)))

    kill = []
    def killed(self, key, parcels):
        if not kill and all("part" in parcel for parcel in parcels):
            kill.extend(shelves())
            os.kill(kill[0], signal.SIGKILL)
        return combine(self, key, parcels)

    Tasks.combine = killed
    total = on_both(jobs.array_when_there_are_shelves, reduce=jobs.add_arrays, arity=3, id="lost")
    print((total.result() == sum(range(items))).all(), len(kill))
    close_session()
    cluster.shutdown()
"""


def test_arrays_pass_through_the_object_store(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), tmp_path],
        cwd=ROOT,
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines == ["True ['part'] 2", "{True}", "[]", "True", "True 2"], done.stderr
