"""A zip whose bytes depend on nothing but what is in it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold."""
_UNIX = 3


def pack(files: Mapping[str, bytes | Path]) -> bytes:
    """The files as a zip: sorted by name, without times or owners, readable by everyone."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, contents(files[name]))
    return written.getvalue()


def contents(file: bytes | Path) -> bytes:
    """The bytes of a file that is at hand or on disk."""
    return file if isinstance(file, bytes) else file.read_bytes()
