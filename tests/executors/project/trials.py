"""What the executors' tests call: every way a function may behave, and misbehave."""

# ruff: noqa: ASYNC240, ASYNC251  # tests meet by files; blocking the loop is a trial

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from agentflow.functions import Context, Fault


def note(path: str, line: str) -> None:
    """Append a line to a ledger; lines of many processes never mix."""
    with Path(path).open("a") as ledger:
        ledger.write(line + "\n")


def wait_for(path: str) -> None:
    """Wait until a file exists."""
    while not Path(path).exists():
        time.sleep(0.005)


# --- well-behaved ---


def add(a: int, b: int = 1) -> int:
    return a + b


def echo(value):
    return value


def change(values: list[int]) -> int:
    values.append(1)
    return len(values)


async def add_later(a: int, b: int = 1) -> int:
    await asyncio.sleep(0)
    return a + b


@dataclass
class Order:
    id: int
    price: float


def priced(order: Order) -> Order:
    return Order(order.id, order.price * 2)


def who(context: Context) -> list[object]:
    return [
        context.execution_id,
        context.workflow,
        context.step,
        context.attempt,
        context.idempotency_key,
        context.deadline is not None,
    ]


def whose(x: int, context: Context) -> str:
    return f"{x}:{context.step}"


def hidden(context: Context) -> str:
    return context.secret("TRIALS_SECRET")


def talk(text: str) -> None:
    print(text)
    print("and more", file=sys.stderr)


async def talk_later(text: str) -> None:
    print(text)
    await asyncio.sleep(0)
    print(text, "again")


def large(size: int) -> str:
    return "x" * size


def noted(ledger: str, name: str) -> str:
    note(ledger, name)
    return name


def held(path: str, ledger: str | None = None) -> str:
    """Does not return before the file exists."""
    if ledger is not None:
        note(ledger, "held")
    wait_for(path)
    return "released"


async def held_later(path: str) -> str:
    while not Path(path).exists():
        await asyncio.sleep(0.005)
    return "released"


async def met(folder: str, name: str, count: int) -> int:
    """Returns when `count` of its kind run at once."""
    Path(folder, name).touch()
    while len(list(Path(folder).iterdir())) < count:
        await asyncio.sleep(0.005)
    return count


async def together(folder: str, name: str) -> int:
    """How many of its kind run at once."""
    mark = Path(folder, name)
    mark.touch()
    await asyncio.sleep(0.001)
    found = len(list(Path(folder).iterdir()))
    mark.unlink()
    return found


async def noted_until(path: str, ledger: str) -> str:
    note(ledger, "begun")
    return await held_later(path)


# --- misbehaved ---


class Refused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"refused: {code}")
        self.data = {"code": code}

    def __reduce__(self):
        raise RuntimeError("this exception cannot be pickled")


def refuse(code: int):
    raise Refused(code)


def fault():
    raise Fault("OutOfStock", "no more", data={"left": 0})


def refuse_some(x: int) -> int:
    if x % 3 == 0:
        raise Refused(x)
    return x


def leave(code: int = 3):
    sys.exit(code)


def interrupt():
    raise KeyboardInterrupt


def lock():
    return threading.Lock()


def not_a_number():
    return {"items": [1, float("nan")]}


def hang(ledger: str | None = None):
    """A loop in Python."""
    if ledger is not None:
        note(ledger, f"{os.getpid()}")
    while True:
        pass


def hang_in_c(ledger: str | None = None):
    """A loop in C that never lets go of the interpreter."""
    if ledger is not None:
        note(ledger, f"{os.getpid()}")
    re.match(r"(a|aa)+$", "a" * 100 + "b")


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


async def sleep_later(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


async def block_the_loop():
    time.sleep(3600)


def stubborn():
    """Catches everything and goes on."""
    while True:
        try:
            time.sleep(0.001)
        except BaseException:
            continue


def hang_at(x: int, at: int, ledger: str) -> int:
    note(ledger, str(x))
    if x == at:
        while True:
            pass
    return x


async def hang_at_later(x: int, at: int) -> int:
    if x == at:
        await asyncio.sleep(3600)
    return x


def exit_now(ledger: str | None = None, code: int = 9):
    if ledger is not None:
        note(ledger, "exit")
    os._exit(code)


def exit_after(path: str):
    wait_for(path)
    os._exit(9)


def exit_at(x: int, at: int) -> int:
    if x == at:
        os._exit(9)
    return x


async def exit_later(ledger: str):
    note(ledger, "exit")
    await asyncio.sleep(0.01)
    os._exit(9)


async def exit_met(folder: str, name: str, count: int):
    await met(folder, name, count)
    os._exit(9)


def hang_in_c_at(x: int, at: int) -> int:
    if x == at:
        hang_in_c()
    return x


async def block_at_later(x: int, at: int) -> int:
    if x == at:
        time.sleep(3600)
    return x


def crash(ledger: str | None = None):
    if ledger is not None:
        note(ledger, "crash")
    ctypes.string_at(0)


def kill_me(ledger: str):
    note(ledger, "killed")
    os.kill(os.getpid(), signal.SIGKILL)


def children(ledger: str):
    """Leaves a process behind and hangs."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    note(ledger, str(child.pid))
    while True:
        pass


def shout_from_below():
    """Writes to the process's own descriptors, as C code and subprocesses do."""
    os.write(1, b"from below\n")
    os.write(2, b"from below, too\n")
    return "done"


# --- streams ---


def numbers(n: int, ledger: str | None = None):
    for i in range(n):
        if ledger is not None:
            note(ledger, str(i))
        yield i


async def numbers_later(n: int, ledger: str | None = None):
    for i in range(n):
        if ledger is not None:
            note(ledger, str(i))
        await asyncio.sleep(0)
        yield i


def numbers_list(n: int, ledger: str | None = None) -> list[int]:
    return list(range(n))


def numbers_then_fault():
    yield 1
    raise Fault("Dry", "no more")


def numbers_then_hang():
    yield 1
    while True:
        pass


def numbers_then_exit():
    yield 1
    os._exit(9)


def fork_and_return() -> int:
    """A function that forks and lets its child come back here as well."""
    child = os.fork()
    if child == 0:
        return 0
    os.waitpid(child, 0)
    return child
