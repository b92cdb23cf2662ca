"""This very package as a wheel, for the nodes of a cluster.

It is made from the files that run here, so that both sides are the same to the byte, and it needs
no build tool. Its name holds a digest of its content: Ray knows packages by their names, and must
not take an older build of the same version for this one.

The wheel asks for nothing: Ray installs it with pip into a folder of its own, where pip would
fetch every requirement once more, from a registry that a node may not reach. What is needed stands
in it as the extra `driver`, and the driver of a job checks that (`missing`).
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import agentflow

DISTRIBUTION = "inferloop-agentflow"
EXTRA = "driver"
"""The extra that lists what a driver needs; workers need Python and Ray alone."""

_EPOCH = (2020, 1, 1, 0, 0, 0)
"""The date of every file, so that equal content gives equal bytes."""


def wheel() -> Path:
    """The wheel of the running version; made once for each content."""
    version = agentflow.__version__
    files = dict(_files())
    files[f"inferloop_agentflow-{version}.dist-info/METADATA"] = _metadata(version).encode()
    digest = _digest(files)
    # A build tag (PEP 427) begins with a digit.
    name = f"inferloop_agentflow-{version}-0{digest}-py3-none-any.whl"
    path = _cache() / name
    if not path.is_file():
        _write(path, files, version, f"0{digest}")
    return path


def _files() -> Iterator[tuple[str, bytes]]:
    """The package's files by their paths in the wheel."""
    root = Path(agentflow.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root.parent).as_posix(), path.read_bytes()


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _cache() -> Path:
    """Where wheels are kept: the user's cache, else a new folder."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentflow"
    try:
        usual.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="agentflow-wheel-"))
    return usual


def _write(path: Path, files: dict[str, bytes], version: str, build: str) -> None:
    """Write the wheel beside its place, then move it there: others may be making the same."""
    folder = f"inferloop_agentflow-{version}.dist-info"
    every = {
        **files,
        f"{folder}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: agentflow\nRoot-Is-Purelib: true\n"
            f"Build: {build}\nTag: py3-none-any\n"
        ).encode(),
    }
    record = "".join(f"{name},{_hash(content)},{len(content)}\n" for name, content in every.items())
    every[f"{folder}/RECORD"] = f"{record}{folder}/RECORD,,\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in every.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(packed.getvalue())
    part.replace(path)


def _metadata(version: str) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {DISTRIBUTION}", f"Version: {version}"]
    lines += ["Requires-Python: >=3.11", f"Provides-Extra: {EXTRA}"]
    lines += [f'Requires-Dist: {need} ; extra == "{EXTRA}"' for need in _needs()]
    return "\n".join(lines) + "\n"


def _needs() -> list[str]:
    """What the base of the distribution and its journal need, without their markers."""
    try:
        listed = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # a source tree that nobody installed
        return []
    found = []
    for line in listed:
        need, _, marker = line.partition(";")
        wanted = marker.replace("'", '"').replace(" ", "")
        own = need.strip().startswith(DISTRIBUTION)
        if not own and wanted in {"", 'extra=="journal"', f'extra=="{EXTRA}"'}:
            found.append(need.strip())
    return sorted(set(found))


def missing() -> list[str]:
    """What a driver needs and this Python does not have, in pip's words."""
    try:
        from packaging.requirements import Requirement  # Ray brings it
    except ImportError:
        return ["packaging", *_needs()]
    lacking = []
    for need in _needs():
        requirement = Requirement(need)
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            lacking.append(need)
        else:
            if not requirement.specifier.contains(found, prereleases=True):
                lacking.append(f"{need} (it has {found})")
    return lacking


def _hash(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
