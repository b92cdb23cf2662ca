"""Shelves: large results in the memory of a cluster's nodes, and their way from node to node.

A worker writes a large result into a folder of its node and reports only its name: a *part*. From
there Ray's object store takes it, as bytes and without JSON, to the driver, which records it, and
to whichever node combines it with others. A shelf is no truth either: a part is a blob of the
journal before anything depends on it, and one that is lost with its node is put on another shelf.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from pickle import PickleBuffer
from typing import Any

from agentflow.errors import Fault, Json
from agentflow.functions.encoding import decode, dump
from agentflow.functions.packs import Buffer
from agentflow.functions.parcels import DOOR, OWNER, mapped, shelf_name
from agentflow.runtime.executors.leftovers import PARTS, namespace, sweep
from agentflow.runtime.executors.memory import roomy_place

_NAME = re.compile(r"[0-9a-f]{32}")
_SECONDS = 60.0
"""How long a part may take from one node to another."""


class Shelf:
    """The shelf of one node: an actor without CPUs, which never runs a function."""

    def __init__(self, name: str) -> None:
        self._folder = roomy_place() / shelf_name(name)
        self._id = f"{secrets.token_hex(8)}-{namespace()}-{os.getpid()}"
        self._others: Mapping[str, Any] = {}

    async def open(self) -> str:
        """Make the folder and open the door; gives the shelf's id."""
        sweep(self._folder.parent)
        self._folder.mkdir(mode=0o700)
        self._server = await asyncio.start_unix_server(self._serve, self._folder / DOOR)
        self._write(OWNER, self._id.encode())  # from now on workers use it
        return self._id

    async def meet(self, others: Mapping[str, Any]) -> None:
        """Know the actors of all shelves, by their ids."""
        self._others = others

    async def part(self, name: str) -> PickleBuffer:
        """A part, on its way into the object store."""
        return PickleBuffer(mapped(self._file(name)))

    async def put(self, name: str, content: Buffer) -> None:
        """Keep a part."""
        await asyncio.to_thread(self._write, name, content)

    async def drop(self, names: Sequence[str]) -> None:
        """Nobody needs these parts any more."""
        for name in names:
            self._file(name).unlink(missing_ok=True)

    async def close(self) -> None:
        """Remove everything."""
        self._server.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Get a part of another shelf, for a worker of this node."""
        answer: Json = None
        try:
            asked = decode(await reader.readline() or b"{}")  # some only look whether it is open
            content = await self._others[asked["shelf"]].part.remote(asked["part"])
            await self.put(asked["part"], content)
        except Exception as error:  # noqa: BLE001  # Ray raises whatever it raises
            answer = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        writer.write(dump(answer) + b"\n")
        with suppress(ConnectionError):  # the worker is gone
            await writer.drain()
        writer.close()

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(name)
        return self._folder / name

    def _write(self, name: str, content: Buffer) -> None:
        partial = self._folder / f"{secrets.token_hex(8)}.partial"
        partial.write_bytes(content)
        partial.replace(self._folder / name)


class Shelves:
    """All shelves of a cluster, as the driver knows them. Used in one event loop.

    `name` is where workers look for the shelf of their node. A node without one, because it came
    later or because there are no shelves yet, sends its results by value.
    """

    def __init__(self) -> None:
        self.name = f"{PARTS}{secrets.token_hex(8)}"
        self._actors: dict[str, Any] = {}
        self._turn = count()

    async def open(self) -> None:
        """Put a shelf on each node, as far as that is possible."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        declared: Any = ray.remote(max_restarts=0, max_task_retries=0, num_cpus=0)(Shelf)
        nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]  # ray has no types here
        actors = [
            declared.options(
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            ).remote(self.name)
            for node in nodes
        ]
        opening = (asyncio.ensure_future(_said(actor.open.remote())) for actor in actors)
        ids = await asyncio.gather(*opening, return_exceptions=True)
        self._actors = {
            id: actor for id, actor in zip(ids, actors, strict=True) if isinstance(id, str)
        }
        for actor in self._actors.values():
            actor.meet.remote(self._actors)

    async def content(self, parcel: dict[str, Json]) -> Buffer:
        """The content of a part.

        Raises:
            Fault: `PartLost` if its shelf is gone.
        """
        actor = self._actors.get(parcel["shelf"])
        try:
            async with asyncio.timeout(_SECONDS):
                found: Buffer = await _said(_known(actor).part.remote(parcel["part"]))
        except Exception as error:
            raise Fault("PartLost", f"a result was lost with its node: {error}") from error
        return found

    async def put(self, content: bytes, sha256: str) -> dict[str, Json] | None:
        """Put a part on one of the shelves; gives its parcel, or `None` if there is no shelf."""
        actors = list(self._actors.items())
        first = next(self._turn)
        for at in range(len(actors)):
            id, actor = actors[(first + at) % len(actors)]
            name = secrets.token_hex(16)
            with suppress(Exception):  # whatever Ray raises where a node is gone
                async with asyncio.timeout(_SECONDS):
                    await _said(actor.put.remote(name, content))
                return {"part": name, "shelf": id, "size": len(content), "sha256": sha256}
        return None

    def drop(self, parts: Sequence[str]) -> None:
        """Nobody needs these parts any more, nor copies of them."""
        for actor in self._actors.values():
            actor.drop.remote(parts)

    async def close(self) -> None:
        """Remove all shelves."""
        import ray

        closing = [asyncio.ensure_future(_said(a.close.remote())) for a in self._actors.values()]
        with suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await asyncio.gather(*closing, return_exceptions=True)
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors = {}


async def _said(reference: Any) -> Any:
    return await reference


def _known(actor: Any) -> Any:
    if actor is None:
        raise LookupError("it is on no shelf that is known")
    return actor
