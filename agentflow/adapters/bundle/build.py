"""One zip of a project's functions for a cloud."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentflow.adapters.bundle import archive, dependencies, kit, requirements, sources
from agentflow.adapters.bundle.mistakes import CannotBundle
from agentflow.adapters.bundle.platforms import Platform
from agentflow.errors import SpecError

CACHE = Path(".agentflow", "bundles")
"""Where installed dependencies are kept, in the project."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cloud takes."""

    packed: int
    """Bytes of the zip."""
    unpacked: int
    """Bytes of the files."""
    source: str
    """Who says so: `Lambda`."""
    larger: str = ""
    """How a larger zip gets there."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a bundle is to hold."""

    functions: tuple[str, ...]
    """Import paths."""
    root: Path
    """The project they are found from."""
    platform: Platform
    limits: Limits
    entry: Mapping[str, str] = field(default_factory=dict)
    """Files of the cloud's own: what it calls."""
    modules: tuple[str, ...] = ()
    """Modules of AgentFlow that the entry needs beside the kit."""
    requirements: tuple[str, ...] = ()
    """What those need."""
    provided: frozenset[str] = frozenset()
    """Packages that the cloud itself has."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A zip, and what there is to know of it."""

    data: bytes
    unpacked: int
    """Bytes of its files."""
    own: int
    """Bytes of its files without dependencies."""
    names: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Its SHA-256 in base 64, as Lambda tells it."""
        return base64.b64encode(hashlib.sha256(self.data).digest()).decode()


def build(order: Order, cache: Path | None = None) -> Bundle:
    """Make the bundle; the same order over the same files gives the same bytes.

    Raises:
        SpecError: functions whose modules cannot be read, or import what is not there.
        CannotBundle: dependencies cannot be had for the platform, it is too large, or a file cannot
            be read or kept.
        Unavailable: uv is needed and not there, or cannot reach a registry.
    """
    try:
        return _built(order, cache or order.root / CACHE)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""  # a full disk names none
        raise CannotBundle(
            f"the functions cannot be bundled: {place}{error.strerror or error}",
            help="see that the project's files can be read, and its `.agentflow` be written",
        ) from error


def _built(order: Order, cache: Path) -> Bundle:
    code = sources.collect(order.functions, order.root, order.platform)
    wanted = requirements.read(
        order.root, order.requirements, is_declared_needed=code.needs_dependencies
    )
    installed = dependencies.install(wanted, order.platform, cache)
    _check(order, code, wanted.origin, installed)
    own: dict[str, bytes | Path] = {
        **code.files,
        **kit.files(order.modules),
        **{name: text.encode() for name, text in order.entry.items()},
    }
    all_ = {**(dict(dependencies.files(installed)) if installed else {}), **own}
    sizes = {name: _size(file) for name, file in all_.items()}
    bundle = Bundle(
        archive.pack(all_),
        sum(sizes.values()),
        sum(sizes[name] for name in own),
        tuple(sorted(all_)),
    )
    _measure(bundle, sizes, order.limits)
    return bundle


def _check(order: Order, code: sources.Sources, origin: str, installed: Path | None) -> None:
    """Refuse functions and imports that will not be there."""
    there = dependencies.packages(installed) | order.provided
    for function in code.elsewhere:
        top = function.partition(".")[0]
        if top not in there:
            raise CannotBundle(
                f"`{function}` is neither in the project at {order.root} nor in a dependency",
                help=f"move it into the project, or add what has it to {origin}",
            )
    mistakes = sources.absent(code, there, f"add what has it to {origin}")
    if mistakes:
        raise SpecError(mistakes, sources=code.texts)


def _measure(bundle: Bundle, sizes: Mapping[str, int], limits: Limits) -> None:
    less = "leave out what the functions do not need, or move data out of the packages"
    for size, limit, what, remedy in (
        (bundle.unpacked, limits.unpacked, "unpacked", less),
        (len(bundle.data), limits.packed, "as a zip", limits.larger or less),
    ):
        if size > limit:
            raise CannotBundle(
                f"the bundle has {_megabytes(size)} {what}, {limits.source} takes "
                f"{_megabytes(limit)}; most of it: {_largest(sizes)}",
                help=remedy,
            )


def _largest(sizes: Mapping[str, int]) -> str:
    parts: dict[str, int] = {}
    for name, size in sizes.items():
        part = name.partition("/")[0]
        parts[part] = parts.get(part, 0) + size
    most = sorted(parts, key=lambda part: (-parts[part], part))[:3]
    return ", ".join(f"{part} ({_megabytes(parts[part])})" for part in most)


def _size(file: bytes | Path) -> int:
    return len(file) if isinstance(file, bytes) else file.stat().st_size


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
