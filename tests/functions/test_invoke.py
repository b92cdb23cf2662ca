from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from agentflow.functions.capture import MAX_LINES, Redirection
from agentflow.functions.context import Context
from agentflow.functions.encoding import decode
from agentflow.functions.invoke import Outcome, Stream, invoke, invoke_async, is_async

SOURCE = """
import asyncio, os, sys
from agentflow import errors
from agentflow.functions import Fault, Context, current

def add(a: int, b: int = 1):
    return a + b

async def slow_add(a, b):
    await asyncio.sleep(0)
    return a + b

def lazily(a, b):
    return slow_add(a, b)

def who(context: Context):
    assert current() == context
    return [context.execution_id, context.step, context.attempt, context.idempotency_key]

class Refused(Exception):
    def __init__(self, code, detail):
        super().__init__(f"refused: {code}")
        self.data = {"code": code, "detail": detail}

def refuse(detail=None):
    raise Refused(7, detail)

def fault():
    raise Fault("OutOfStock", "no more", data={"left": 0})

def bad_fault():
    raise Fault("OutOfStock", "no more", data=object())

def chain():
    try:
        {}["key"]
    except KeyError as error:
        raise ValueError("outer") from error

def endless_chain():
    error = None
    for n in range(100):
        try:
            raise ValueError(n) from error
        except ValueError as raised:
            error = raised
    raise error

class Hostile(Exception):
    def __str__(self):
        raise RuntimeError("no text")
    def __reduce__(self):
        os._exit(13)
    @property
    def data(self):
        raise SystemExit(5)

def hostile():
    raise Hostile()

def leave():
    sys.exit(3)

def interrupt():
    raise KeyboardInterrupt

def cancel():
    raise asyncio.CancelledError("mine")

async def cancel_async():
    raise asyncio.CancelledError("mine")

def recurse():
    return recurse()

def long_text():
    raise ValueError("x" * 10_000)

def broken_text():
    raise ValueError("\\ud800")

def not_json():
    return {"items": [{1, 2}]}

def in_library():
    import json
    json.loads("{")

def talk(context: Context):
    print("one")
    print("two", file=sys.stderr)
    context.logger.info("three")
    print("four", end="")

def chatter():
    for n in range(20_000):
        print(n)

async def talk_async(n):
    for i in range(3):
        print(n, i)
        await asyncio.sleep(0)

def numbers(n):
    for i in range(n):
        print("making", i)
        yield i

async def numbers_async(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i

def numbers_list(n):
    return list(range(n))

async def numbers_later(n):
    return list(range(n))

def numbers_then_error():
    yield 1
    raise Fault("Dry", "no more")

def numbers_not_json():
    yield 1
    yield {1}

def closing(path):
    try:
        yield 1
        yield 2
    finally:
        open(path, "w").close()
"""


@pytest.fixture
def root(project: Callable[..., str]) -> str:
    return project(invoking=SOURCE)


def call(root: str, name: str, **arguments: Any) -> Outcome:
    return invoke(f"invoking.{name}", root, arguments, Context("e1", "w", "a[3].b", 2))


def error(root: str, name: str) -> dict[str, Any]:
    outcome = call(root, name)
    assert outcome.error is not None, outcome
    assert outcome.value is None
    return outcome.error


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("add", {"a": 2}, b"3"),
        ("slow_add", {"a": 2, "b": 3}, b"5"),
        ("lazily", {"a": 2, "b": 3}, b"5"),
        ("who", {}, b'["e1","a[3].b",2,"e1/a[3].b"]'),
    ],
)
def test_a_call_gives_json(root: str, name: str, arguments: dict[str, Any], value: bytes) -> None:
    outcome = call(root, name, **arguments)
    assert (outcome.value, outcome.error) == (value, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("refuse", ("Refused", "refused: 7", {"code": 7, "detail": None})),
        ("fault", ("OutOfStock", "no more", {"left": 0})),
        ("bad_fault", ("OutOfStock", "no more", None)),
        ("hostile", ("Hostile", "(the error's text cannot be shown)", None)),
        ("leave", ("SystemExit", "the function called sys.exit(3)", None)),
        ("interrupt", ("KeyboardInterrupt", "", None)),
        ("cancel", ("CancelledError", "mine", None)),
        ("cancel_async", ("CancelledError", "mine", None)),
        ("broken_text", ("ValueError", "?", None)),
    ],
)
def test_an_exception_becomes_a_value(
    root: str, name: str, expected: tuple[str, str, object]
) -> None:
    found = error(root, name)
    assert (found["name"], found["message"], found["data"]) == expected


def test_the_cause_is_kept(root: str) -> None:
    found = error(root, "chain")
    assert found["name"] == "ValueError"
    assert found["cause"] == {"name": "KeyError", "message": "'key'", "data": None, "cause": None}


def test_a_chain_of_causes_is_bounded(root: str) -> None:
    depth, found = 0, error(root, "endless_chain")
    while found is not None:
        depth, found = depth + 1, found["cause"]
    assert depth == 9


def test_messages_are_bounded(root: str) -> None:
    assert len(error(root, "long_text")["message"]) == 4096
    assert error(root, "recurse")["name"] == "RecursionError"
    trace = call(root, "recurse").trace
    assert trace is not None
    assert len(trace) == 20


def test_a_result_that_is_not_json_names_its_place(root: str) -> None:
    assert error(root, "not_json")["data"]["path"] == "result.items[0]"


def test_the_trace_holds_the_users_own_frames_only(root: str) -> None:
    trace = call(root, "in_library").trace
    assert trace is not None
    assert [(f["file"], f["function"], f["code"]) for f in trace] == [
        ("invoking.py", "in_library", 'json.loads("{")')
    ]


def test_arguments_that_do_not_fit_are_invalid_input(root: str) -> None:
    outcome = call(root, "add", a="x")
    assert outcome.error is not None
    assert outcome.error["name"] == "InvalidInput"


def test_whether_a_function_is_async_is_known(root: str) -> None:
    assert is_async("invoking.slow_add", root)
    assert not is_async("invoking.lazily", root)
    assert not is_async("invoking.nothing", root)


async def test_async_functions_run_beside_each_other_with_their_own_output(root: str) -> None:
    lines: dict[int, list[str]] = {n: [] for n in range(3)}
    Redirection.begin()
    try:
        await asyncio.gather(
            *(
                invoke_async(
                    "invoking.talk_async", root, {"n": n}, Context(), printed=lines[n].append
                )
                for n in range(3)
            )
        )
    finally:
        Redirection.end()
    assert lines == {n: [f"{n} 0", f"{n} 1", f"{n} 2"] for n in range(3)}


async def test_a_cancelled_task_is_cancelled(root: str) -> None:
    task = asyncio.ensure_future(
        invoke_async("invoking.slow_add", root, {"a": 1, "b": 2}, Context())
    )
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    outcome = await invoke_async("invoking.cancel_async", root, {}, Context())
    assert outcome.error is not None
    assert outcome.error["name"] == "CancelledError"


class TestOutput:
    def talk(self, root: str, name: str) -> list[str]:
        lines: list[str] = []
        Redirection.begin()
        try:
            invoke(f"invoking.{name}", root, {}, Context(), printed=lines.append)
        finally:
            Redirection.end()
        return lines

    def test_lines_belong_to_the_call_and_leave_the_process_clean(
        self, root: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        lines = self.talk(root, "talk")
        assert lines == ["one", "two", "INFO three", "four"]
        print("outside")
        assert capfd.readouterr() == ("outside\n", "")

    def test_output_is_bounded(self, root: str) -> None:
        lines = self.talk(root, "chatter")
        assert len(lines) == MAX_LINES
        assert "left out" in lines[-1]

    def test_streams_are_put_back(self) -> None:
        # In a process of its own: here an engine that other tests share may be open.
        script = (
            "import sys\n"
            "from agentflow.functions.capture import Redirection\n"
            "before = sys.stdout\n"
            "Redirection.begin(); Redirection.begin(); Redirection.end()\n"
            "assert sys.stdout is not before\n"
            "Redirection.end()\n"
            "assert sys.stdout is before\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)


class TestStream:
    def drain(self, root: str, name: str, skip: int = 0, **arguments: Any) -> list[Any]:
        stream = Stream(f"invoking.{name}", root, arguments, Context(), skip=skip)
        values: list[Any] = []
        while (outcome := stream.next()) is not None:
            if outcome.error is not None:
                values.append(outcome.error["name"])
                break
            assert outcome.value is not None
            values.append(decode(outcome.value))
        stream.close()
        return values

    @pytest.mark.parametrize("name", ["numbers", "numbers_async", "numbers_list", "numbers_later"])
    @pytest.mark.parametrize("skip", [0, 2, 9])
    def test_values_come_one_by_one(self, root: str, name: str, skip: int) -> None:
        assert self.drain(root, name, skip, n=4) == list(range(4))[skip:]

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("numbers_then_error", [1, "Dry"]),
            ("numbers_not_json", [1, "InvalidOutput"]),
            ("who", ["InvalidInput"]),
            ("chain", ["ValueError"]),
        ],
    )
    def test_errors_end_a_stream(self, root: str, name: str, values: list[Any]) -> None:
        extra = {"n": 1} if name == "who" else {}
        assert self.drain(root, name, **extra) == values

    def test_a_result_that_is_no_stream_is_refused(self, root: str) -> None:
        assert self.drain(root, "add", a=1) == ["InvalidOutput"]

    def test_closing_runs_the_generators_finally(self, root: str, tmp_path: Any) -> None:
        mark = tmp_path / "closed"
        stream = Stream("invoking.closing", root, {"path": str(mark)}, Context())
        assert stream.next() is not None
        assert not mark.exists()
        stream.close()
        assert mark.exists()


def test_the_kit_imports_nothing_heavy() -> None:
    code = (
        "import sys; import agentflow.functions, agentflow.functions.invoke;"
        "print([m for m in ('pydantic', 'ray', 'numpy', 'yaml', 'agentflow.spec',"
        " 'agentflow.runtime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
