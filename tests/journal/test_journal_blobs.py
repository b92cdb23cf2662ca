"""Large values are kept beside the rows, verified when they are read, and as durable as they."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentflow.errors import Unavailable
from agentflow.runtime.journal import writing
from agentflow.runtime.journal.blobs import Blobs
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import Change, Message, Record
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.journal.values import INLINE_BYTES
from agentflow.runtime.settings import Settings
from tests.journal.journal_examples import (
    SPEC,
    Store,
    begin,
    completed,
    execution,
    message,
    started,
)

LARGE = {"text": "ü" * INLINE_BYTES}


def files(store: Store) -> list[Path]:
    return sorted((store.root / ".agentflow/blobs").glob("*/*"))


def write_everything(journal: Journal) -> None:
    """An execution whose input, result, output and message are all large, and different."""
    given = {"input": LARGE}
    first = replace(started("e"), data={"execution": "e", **given, "parallel": 1})
    journal.create(execution("e", **given), first)
    journal.post(Message("m1", "go", None, [LARGE, "message"], 102.0, "e"))
    ended = {"status": "succeeded", "output": [LARGE, "output"], "error": None, "origin": None}
    journal.append(
        [
            completed("e", 2, value=[LARGE, "result"]),
            Record("e", 3, "execution.ended", 103.0, data=ended),
        ],
        [Change("e", "succeeded", output=ended["output"], ended_at=103.0)],
        {"e": 1},
    )


def test_large_values_come_back_as_they_were_written(journal: Journal, store: Store) -> None:
    write_everything(journal)
    stored = journal.execution("e")
    assert (stored.input, stored.output) == (LARGE, [LARGE, "output"])
    assert journal.executions()[0] == stored
    history = journal.history("e")
    assert history[0].data["input"] == LARGE
    assert history[1].data == {"value": [LARGE, "result"]}
    assert journal.messages_for("e", "go")[0].data == [LARGE, "message"]
    assert journal.inbox(0)[0][1].data == [LARGE, "message"]
    # The input stands alone and in the first event, the output alone and in the last.
    assert len(files(store)) == 6
    assert journal.history_size("e").bytes < 1000


def test_starting_again_with_a_large_input_gives_the_same_execution(journal: Journal) -> None:
    begin(journal, "e", input=LARGE)
    assert not journal.create(execution("e", input=LARGE), started("e"))[1]


@pytest.mark.parametrize(
    ("length", "kept"), [(INLINE_BYTES - 2, 0), (INLINE_BYTES - 1, 1)], ids=["at most", "more"]
)
def test_only_what_is_larger_than_64_kb_is_a_blob(
    journal: Journal, store: Store, length: int, kept: int
) -> None:
    journal.post(message("go", "m1", data="x" * length))
    assert len(files(store)) == kept
    assert journal.inbox(0)[0][1].data == "x" * length


def test_the_same_value_is_kept_once_under_the_hash_of_its_json(
    journal: Journal, store: Store
) -> None:
    for number in range(3):
        journal.post(message("go", f"m{number}", data="x" * INLINE_BYTES))
    (file,) = files(store)
    content = file.read_bytes()
    assert content == b'"' + b"x" * INLINE_BYTES + b'"'
    assert file.name == hashlib.sha256(content).hexdigest()
    assert file.parent.name == file.name[:2]


@pytest.mark.parametrize(
    "value",
    ['@{"blob":"' + "0" * 64 + '","size":1}', {"blob": "0" * 64, "size": 1}, "@", ["@"]],
    ids=["the text of a reference", "the object in it", "its first character", "in a list"],
)
def test_no_value_is_taken_for_a_reference(journal: Journal, value: Any) -> None:
    begin(journal, "e", input=value)
    journal.append([completed("e", 2, value=value)], [], {"e": 1})
    assert journal.execution("e").input == value
    assert journal.history("e")[1].data == {"value": value}


def damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("harm", "text"),
    [(Path.unlink, "is missing from"), (damaged, "was changed"), (cut, "was changed")],
    ids=["missing", "changed", "cut"],
)
def test_a_blob_that_is_not_what_was_written_is_one_clear_error(
    journal: Journal, store: Store, harm: Callable[[Path], None], text: str
) -> None:
    for name in ("e", "twin"):
        begin(journal, name)
        journal.append([completed(name, 2), completed(name, 3, value=[name, LARGE])], [], {name: 1})
        if name == "e":
            (file,) = files(store)
    harm(file)
    with pytest.raises(Corrupt, match=f"execution e is damaged: event 3 .*{text}") as found:
        journal.history("e")
    assert found.value.seq == 3
    assert len(journal.history("twin")) == 3


def test_a_damaged_output_keeps_nobody_from_listing_executions(
    journal: Journal, store: Store
) -> None:
    begin(journal, "other")
    begin(journal, "e", input=LARGE, started_at=200.0)
    for file in files(store):
        file.unlink()
    listed = journal.executions()
    assert [found.id for found in listed] == ["e", "other"]
    assert "is missing from" in listed[0].error["message"]
    with pytest.raises(Corrupt, match=r"execution e is damaged: blob .* is missing"):
        journal.execution("e")


def test_a_damaged_blob_is_mended_when_the_same_value_is_written_again(
    journal: Journal, store: Store
) -> None:
    journal.post(message("go", "m1", data=LARGE))
    damaged(files(store)[0])
    journal.post(message("go", "m2", data=LARGE))
    assert [found.data for _, found in journal.inbox(0)] == [LARGE, LARGE]


def test_a_message_that_is_damaged_does_not_stop_the_others(journal: Journal, store: Store) -> None:
    begin(journal, "e")
    for number in range(3):
        journal.post(message("go", f"m{number}", "e", data=number))
    store.tamper("UPDATE messages SET data = '9' WHERE id = 'm1'")
    assert [found.id for _, found in journal.inbox(0)] == ["m0", "m2"]
    with pytest.raises(Corrupt, match="message 'm1' is damaged"):
        journal.messages_for("e", "go")


def test_a_commit_that_is_undone_leaves_no_reference(journal: Journal, store: Store) -> None:
    begin(journal, "e")
    twice = [completed("e", seq, "a", LARGE) for seq in (2, 3)]
    with pytest.raises(Exception, match="completion of 'a'"):
        journal.append(twice, [], {"e": 1})
    assert len(journal.history("e")) == 1


def test_a_blob_that_was_swept_before_its_event_commits_is_put_again(
    journal: Journal, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(journal, "e")
    original = writing._with
    sweeps: list[None] = []

    def swept(*arguments: Any) -> Any:
        if not sweeps:
            sweeps.extend(map(Path.unlink, files(store)))
        return original(*arguments)

    monkeypatch.setattr(writing, "_with", swept)
    journal.append([completed("e", 2, value=LARGE)], [], {"e": 1})
    assert len(sweeps) == 1
    assert journal.history("e")[1].data == {"value": LARGE}


def test_threads_may_put_the_same_blob_at_once(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path / "blobs"))
    threads = [threading.Thread(target=blobs.put, args=(b"x" * 10**6,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found.size for found in blobs.find()] == [10**6]


@pytest.fixture(params=["folder", "relative folder", "file URL", "another file system"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    places = {
        "folder": str(tmp_path / "values"),
        "relative folder": "some/values",
        "file URL": f"file://{tmp_path}/values",
        "another file system": f"memory://{uuid.uuid4()}/values",
    }
    return places[request.param]


def test_blobs_may_be_anywhere(tmp_path: Path, place: str) -> None:
    settings = Settings(blobs=place)
    journal = Journal.open(None, tmp_path, settings=settings)
    journal.register(SPEC)
    write_everything(journal)
    journal.close()
    again = Journal.open(None, tmp_path, settings=settings)
    assert again.execution("e").output == [LARGE, "output"]
    assert len(again.history("e")) == 3
    again.close()
    assert not (tmp_path / ".agentflow/blobs").exists()


def test_a_blob_of_another_file_system_may_be_missing(tmp_path: Path) -> None:
    blobs = Blobs(f"memory://{uuid.uuid4()}")
    digest = blobs.put(b"content")
    assert blobs.get([digest, "0" * 64]) == {digest: b"content"}
    assert blobs.holds(digest)
    assert not blobs.holds("0" * 64)
    (found,) = blobs.find()
    assert (found.name, found.size) == (digest, 7)
    assert not blobs.remove(digest, older_than=found.written_at - 1)
    assert blobs.remove(digest, older_than=found.written_at + 1)
    assert list(blobs.find()) == []


@pytest.mark.parametrize(
    ("place", "text"),
    [("nonsense://bucket/x", "cannot be used"), ("/proc/blobs", "failed")],
    ids=["an unknown kind", "a folder that cannot be written"],
)
def test_a_store_of_blobs_that_cannot_be_used_is_one_clear_error(
    tmp_path: Path, place: str, text: str
) -> None:
    journal = Journal.open(None, tmp_path, settings=Settings(blobs=place))
    with pytest.raises(Unavailable, match=text):
        journal.post(message("go", "m1", data=LARGE))
    assert journal.post(message("go", "m1"))
    journal.close()


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of a service that speaks S3's protocol."""
    import boto3  # type: ignore[import-untyped]  # it ships no types
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="values")
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        yield "s3://values/of/agentflow"
        fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


@pytest.mark.slow
def test_blobs_may_be_in_s3(tmp_path: Path, bucket: str) -> None:
    settings = Settings(blobs=bucket)
    journal = Journal.open(None, tmp_path, settings=settings)
    journal.register(SPEC)
    write_everything(journal)
    assert journal.execution("e").input == LARGE
    assert [record.seq for record in journal.history("e")] == [1, 2, 3]
    blobs = Blobs(bucket)
    names = [found.name for found in blobs.find()]
    assert len(names) == 6
    for name in names:
        assert not blobs.remove(name, older_than=0)
        assert blobs.remove(name, older_than=2**40)
        assert not blobs.holds(name)
    with pytest.raises(Corrupt, match=f"is missing from {bucket}"):
        journal.history("e")
    journal.close()


@pytest.mark.slow
def test_a_bucket_that_does_not_exist_is_one_clear_error(tmp_path: Path, bucket: str) -> None:
    settings = Settings(blobs="s3://nobodys/values", store_wait_seconds=0.1)
    journal = Journal.open(None, tmp_path, settings=settings)
    with pytest.raises(Unavailable, match="s3://nobodys/values failed"):
        journal.post(message("go", "m1", data=LARGE))
    journal.close()
