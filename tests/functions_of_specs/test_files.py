from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from agentflow.functions import Fault
from functions import files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in {"b.py": 40, "a.py": 70, "sub/c.py": 20, "skip/d.py": 5, "e.txt": 1}.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x" * size)
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "dangling.py").symlink_to("nowhere")
    return tmp_path


def test_list_files_goes_into_folders_and_sorts_by_path(folder: Path) -> None:
    listed = files.list_files(str(folder), "*.py", exclude=["skip"])
    assert listed == [
        {"path": "a.py", "bytes": 70},
        {"path": "b.py", "bytes": 40},
        {"path": "sub/c.py", "bytes": 20},
    ]


@pytest.mark.parametrize(
    ("shard_bytes", "shards"),
    [
        (1000, [["a.py", "b.py", "sub/c.py"]]),
        (110, [["a.py", "b.py"], ["sub/c.py"]]),  # 70 + 40 fits exactly
        (1, [["a.py"], ["b.py"], ["sub/c.py"]]),
    ],
    ids=["all in one", "full shards", "each file too large"],
)
def test_shard_files_groups_in_order_of_path(
    folder: Path, shard_bytes: int, shards: list[list[str]]
) -> None:
    assert files.shard_files(str(folder), "*.py", ["skip"], shard_bytes) == shards


def test_an_empty_folder_has_no_shards(tmp_path: Path) -> None:
    assert files.shard_files(str(tmp_path)) == []


def test_a_missing_folder_is_a_named_error_not_an_empty_list(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="there is no folder") as caught:
        files.list_files(str(tmp_path / "none"))
    assert caught.value.name == "FolderMissing"


async def test_digest_files_gives_sha256_by_path(folder: Path) -> None:
    digests = await files.digest_files(str(folder), ["e.txt"])
    assert digests == {"e.txt": hashlib.sha256(b"x").hexdigest()}


def test_a_missing_file_is_a_named_error() -> None:
    with pytest.raises(Fault) as caught:
        files.read_text("specs/none.md")
    assert caught.value.value() == {
        "name": "FileMissing",
        "message": "there is no file specs/none.md",
        "data": {"path": "specs/none.md"},
        "cause": None,
    }
