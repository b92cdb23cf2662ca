"""Where this project is, so that a relative path means the same on every worker."""

from __future__ import annotations

from pathlib import Path

from agentflow.functions import Fault

ROOT = Path(__file__).resolve().parent.parent


def locate(path: str) -> Path:
    """The file or folder that `path` names: relative to the project's root, unless absolute."""
    return ROOT / path


def existing_file(path: str) -> Path:
    """The file that `path` names.

    Raises:
        Fault: `FileMissing`, there is no such file.
    """
    file = locate(path)
    if not file.is_file():
        raise Fault("FileMissing", f"there is no file {path}", data={"path": path})
    return file


def existing_folder(path: str) -> Path:
    """The folder that `path` names.

    Raises:
        Fault: `FolderMissing`, there is no such folder.
    """
    folder = locate(path)
    if not folder.is_dir():
        raise Fault("FolderMissing", f"there is no folder {path}", data={"path": path})
    return folder
