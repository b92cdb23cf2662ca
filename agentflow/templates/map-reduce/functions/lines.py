"""What specs/lines.yaml calls: ordinary Python."""

from pathlib import Path

from agentflow.functions import Fault, function

ROOT = Path(__file__).resolve().parent.parent
"""A relative folder is looked for here, whichever worker runs the call."""


@function
def find_files(folder: str, pattern: str) -> list[str]:
    """List the files of a folder and those below, in the order of their paths."""
    place = ROOT / folder
    if not place.is_dir():
        raise Fault("FolderMissing", f"there is no folder {folder}")
    return sorted(str(file) for file in place.rglob(pattern) if file.is_file())


@function
def count_lines(path: str) -> dict[str, int]:
    """Count the lines of a UTF-8 file."""
    return {"files": 1, "lines": len(Path(path).read_text(encoding="utf-8").splitlines())}


@function
def add_up(items: list[dict[str, int]]) -> dict[str, int]:
    """Add counts up; of none at all, zero."""
    return {name: sum(item[name] for item in items) for name in ("files", "lines")}
