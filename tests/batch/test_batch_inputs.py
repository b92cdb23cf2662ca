"""What a caller may get wrong, and items in files."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import agentflow
from agentflow.errors import Conflict, InputError, UsageError
from tests.batch import jobs
from tests.batch.conftest import ROOT, Map


def local(x: int) -> int:
    return x


def make() -> Any:
    def inner(x: int) -> int:
        return x

    return inner


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda x: x, "the function is a lambda"),
        (make(), "is `inner`, which is defined inside `make`"),
        (jobs.Kind().method, "is the method `Kind.method`"),
        (jobs.Kind.method, "is the method `Kind.method`"),
        ("".join, "is the method `str.join`"),
        (functools.partial(jobs.identity), "is a functools.partial"),
        (functools.wraps(jobs.identity)(lambda x: x), "something else has that name"),
        (7, "the function is int, not a function"),
        ("square", "'square', which is not an import path"),
    ],
    ids=[
        "lambda",
        "closure",
        "method",
        "plain method",
        "C method",
        "partial",
        "copy",
        "int",
        "str",
    ],
)
def test_functions_that_workers_cannot_import_are_refused(
    inline: Map, function: Any, what: str
) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        inline([1], function)
    assert caught.value.help


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"chunk": 0}, "chunk=0 is not a whole number above zero"),
        ({"concurrency": -1}, "concurrency=-1"),
        ({"arity": 1}, "arity=1: a reduce combines at least two"),
        ({"arity": 2.5}, "arity=2.5 is not a whole number"),
        ({"retry": {"on": 5}}, "retry on=5 is no list of names"),
        ({"retry": {"backoff": "2"}}, "retry backoff='2' is not a number"),
        ({"retry": 2.5}, "retry=2.5 is no mapping"),
        ({"id": 5}, "id=5 is no text"),
        ({"retry": {"attempts": 3}}, "retry: unknown key 'attempts'"),
        ({"retry": {"interval": "soon"}}, "retry interval='soon' is not a duration"),
        ({"retry": {"jitter": "some"}}, "retry jitter='some'"),
        ({"timeout": "soon"}, "timeout='soon' is not a duration"),
        ({"timeout": 0}, "timeout=0 is not a duration"),
        ({"tolerate": "many"}, "tolerate='many' is neither"),
        ({"tolerate": 1.5}, "tolerate=1.5 is neither"),
        ({"resources": {"cpus": 1}}, "resources: unknown key 'cpus'"),
        ({"resources": {"memory": "much"}}, "memory='much' is not a size"),
        ({"initial": 0}, "initial is for a reduce"),
        ({"split": "lines"}, "these items are no files"),
        ({"id": "no/id"}, "'no/id' cannot be an execution's id"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_options_are_refused_before_anything_starts(
    inline: Map, options: dict[str, Any], what: str
) -> None:
    with pytest.raises(UsageError, match=what):
        inline([1], jobs.identity, **options)


@pytest.mark.parametrize(
    "items", [5, None, b"bytes", object()], ids=["int", "None", "bytes", "object"]
)
def test_what_cannot_be_iterated_over_is_refused(inline: Map, items: Any) -> None:
    with pytest.raises(UsageError, match="items are of type"):
        inline(items, jobs.identity)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "what"),
    [
        (
            "import agentflow\ndef f(x): return x\nagentflow.map([1], f)",
            "typed into an interpreter",
        ),
        ("import agentflow\nagentflow.map([1], lambda x: x)", "is a lambda"),
    ],
    ids=["function", "lambda"],
)
def test_functions_without_a_file_are_refused(program: str, what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert what in _end(done.stderr)


def _end(traceback: str) -> str:
    """What it ends with: the error, and below it what to do."""
    error, remedy = traceback.splitlines()[-2:]
    assert remedy.startswith("help: ")
    return error


UNGUARDED = """
    import agentflow
    def double(x): return 2 * x
    print(agentflow.map([1], double, executor="inline").results())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["job.py", "my-job.py"])
def test_a_script_is_told_what_keeps_workers_from_importing_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(textwrap.dedent(UNGUARDED))
    done = subprocess.run(
        [sys.executable, name],
        cwd=tmp_path,
        env={**os.environ, "DATABASE_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    remedy = "started while a worker imported" if name == "job.py" else "whose name cannot be"
    assert remedy in _end(done.stderr)


# --- files ------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.txt").write_text("".join(f"line {n} of a\n" for n in range(200)))
    (folder / "b.txt").write_text("no end of line")
    (folder / "c.txt").write_text("")
    (folder / "d.txt").write_text("x\r\n\ny\n")
    return folder


def lines_of(folder: Path) -> list[str]:
    return [
        line.removesuffix("\r")
        for file in sorted(folder.iterdir())
        for line in file.read_bytes().decode().split("\n")[: -1 if file.name != "b.txt" else None]
    ]


@pytest.mark.parametrize(
    ("form", "chunk"),
    [
        ("{}/*.txt", "auto"),
        pytest.param("{}/*.txt", 1, marks=pytest.mark.slow),
        ("{}/*.txt", 17),
        ("{}/*.txt", 100),
        ("file://{}/*.txt", 50),
    ],
)
def test_lines_of_files_are_each_seen_once(inline: Map, data: Path, form: str, chunk: Any) -> None:
    results = inline(form.format(data), jobs.identity, split="lines", chunk=chunk).results()
    assert results == lines_of(data)


def test_a_file_is_an_item(inline: Map, data: Path) -> None:
    sizes = inline(f"{data}/*.txt", jobs.length).results()
    assert sizes == [file.stat().st_size for file in sorted(data.iterdir())]


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_pieces_of_files_end_where_lines_do(inline: Map, data: Path, size: int) -> None:
    run = inline(data / "a.txt", jobs.length, split=size)
    pieces = run.results()
    assert sum(pieces) == (data / "a.txt").stat().st_size
    assert all(piece >= min(size, sum(pieces)) for piece in pieces[:-1])


def test_words_of_lines_are_counted(inline: Map, data: Path) -> None:
    counts = inline(data / "a.txt", jobs.words, split="lines", reduce=jobs.merge, chunk=64).result()
    assert counts["line"] == counts["of"] == counts["a"] == 200


def test_lines_that_fail_are_numbered(inline: Map, data: Path) -> None:
    (data / "a.txt").write_bytes(b"fine\nbroken \xff\nfine\n")
    run = inline(data / "a.txt", jobs.length, split="lines", chunk=3, tolerate=1)
    assert run.results() == [4, None, 4]
    (failure,) = run.failures
    assert (failure.index, failure.input) == (1, "broken \ufffd")
    assert failure.error["name"] == "UnicodeDecodeError"


def test_a_folder_is_no_file(inline: Map, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file matches") as caught:
        inline(tmp_path, jobs.length)
    assert f"{tmp_path}/*" in caught.value.help


def test_no_file_is_an_error(inline: Map, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file matches '.*/\*\.nothing'"):
        inline(f"{tmp_path}/*.nothing", jobs.length)


def test_a_file_that_has_changed_is_another_input(inline: Map, data: Path) -> None:
    file = data / "a.txt"
    run = inline(file, jobs.length, split="lines", chunk=16, id="changed")
    values = iter(run)
    next(values)
    values.close()  # type: ignore[attr-defined]  # a generator has it
    text = file.read_text()
    file.write_text(text.swapcase())
    with pytest.raises(Conflict, match="are not the same any more"):
        inline(file, jobs.length, split="lines", chunk=16, id="changed").results()


def test_public_names_are_exported() -> None:
    names = {"map", "map_async", "map_reduce", "map_reduce_async", "BatchRun"}
    assert names <= set(agentflow.__all__)
    assert agentflow.map.__doc__ is not None
