"""Functions that batch runs in these tests call; workers import them from here."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from agentflow.runtime.executors.memory import roomy_place


def square(x: int) -> int:
    return x * x


async def square_later(x: int) -> int:
    await asyncio.sleep(0.001)
    return x * x


def total(values: list[Any]) -> Any:
    return sum(values)


def joined(values: list[str]) -> str:
    return "".join(values)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def counters(values: list[Counter[str]]) -> Counter[str]:
    merged: Counter[str] = Counter()
    for value in values:
        merged.update(dict(value.most_common()))
    return merged


def count_letters(text: str) -> Counter[str]:
    return Counter(text)


def refuse_sevens(x: int) -> int:
    if x % 7 == 0:
        raise ValueError(f"{x} is a multiple of seven")
    return x


def nothing(x: Any) -> None:
    return None


def identity(x: Any) -> Any:
    return x


def odd_set(x: int) -> Any:
    return {x} if x % 2 else x


def end_early(x: int) -> int:
    if x == 3:
        raise StopIteration
    return x


def leave(x: int) -> int:
    raise SystemExit(x)


def note(item: tuple[str, int]) -> int:
    """Leave a mark in a file for the item."""
    ledger, x = item
    with Path(ledger).open("a") as file:
        file.write(f"{x}\n")
    return x


def noted_text(item: tuple[str, int, bool]) -> str:
    """The number as text, after leaving a mark; one that is broken fails."""
    ledger, x, is_broken = item
    if is_broken:
        raise ValueError(f"{x} is broken")
    return str(note((ledger, x)))


def note_slowly(item: tuple[str, int]) -> int:
    time.sleep(0.02)
    return note(item)


def wait_for_good(item: tuple[str, int]) -> None:
    """Leave a mark, and never return."""
    note(item)
    while True:
        time.sleep(0.01)


def fail_until_third(item: tuple[str, int]) -> int:
    note(item)
    if Path(item[0]).read_text().split().count(str(item[1])) < 3:
        raise ConnectionError("try again")
    return item[1]


def fail_unless_mended(item: tuple[str, int]) -> int:
    """Fail for multiples of three as long as there is no file that says they were mended."""
    note(item)
    if item[1] % 3 == 0 and not Path(item[0] + ".mended").exists():
        raise ValueError(f"{item[1]} is broken")
    return item[1]


def kill_own_worker(x: int) -> int:
    if x == 37:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def kill_worker_once(item: tuple[str, int]) -> int:
    flag, x = item
    if x == 11 and not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def dawdle(x: int) -> int:
    if x == 5:
        time.sleep(60)
    return x


def hang_in_c(x: int) -> int:
    if x == 5:
        ctypes.PyDLL(None).sleep(60)  # holds the interpreter all the while
    return x


def array_of(x: int) -> np.ndarray[Any, Any]:
    return np.full(3, float(x))


def large_array_of(x: int) -> np.ndarray[Any, Any]:
    return np.full(50_000, float(x))


def array_when_there_are_shelves(x: int) -> np.ndarray[Any, Any]:
    """An array; all but the first waits until nodes have a place for such results."""
    while x > 0 and len(shelves_of(Path(os.environ["SHELVES"]))) < 2:
        time.sleep(0.01)
    return np.full(50_000, float(x))


def shelves_of(names: Path) -> list[Path]:
    """The shelves on this machine whose name stands in a file: not those of other clusters."""
    return list(roomy_place().glob(f"{names.read_text()}*/owner")) if names.exists() else []


def add_arrays(values: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    return np.sum(values, axis=0)


def array_of_a_megabyte(x: int) -> np.ndarray[Any, Any]:
    return np.full(131_072, float(x))


def add_into_first(values: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    for value in values[1:]:
        values[0] += value
    return values[0]


def table_of(x: int) -> pa.Table:
    return pa.table({"x": [x], "square": [x * x]})


def append_tables(values: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(values).combine_chunks()


def array_of_objects(x: int) -> np.ndarray[Any, Any]:
    return np.array([object()])


def rows_in(table: pa.Table) -> int:
    return int(table.num_rows)


def text_of_40_000(x: int) -> str:
    return f"{x:08}" * 5_000


def big_text(x: int) -> str:
    return "x" * (20 * 2**20) + str(x)


def length(text: str | bytes) -> int:
    return len(text)


def merge(values: list[dict[str, int]]) -> dict[str, int]:
    merged: Counter[str] = Counter()
    for value in values:
        merged.update(value)
    return dict(merged)


def words(line: str) -> dict[str, int]:
    return dict(Counter(line.split()))


class Kind:
    def method(self, x: int) -> int:
        return x
