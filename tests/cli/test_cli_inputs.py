"""JSON given on the command line: what is accepted, and how a mistake is shown."""

from __future__ import annotations

import io
import sys

import pytest

from agentflow.cli import inputs
from agentflow.errors import InputError


class _Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("{}", {}),
        ('{"a": [1, 2.5, null, true, "x"]}', {"a": [1, 2.5, None, True, "x"]}),
        ("null", None),
        ("-5", -5),
        ('"@not-a-file"', "@not-a-file"),
        ('"\\u00e9\\ud83d\\ude00"', "é😀"),
    ],
    ids=["object", "all kinds", "null", "negative", "text", "escapes"],
)
def test_json_in_the_argument_is_read(given, value):
    assert inputs.read(given, of="--input") == value


def test_a_file_and_standard_input_are_read(tmp_path, monkeypatch):
    file = tmp_path / "in.json"
    file.write_bytes(b'\xef\xbb\xbf{"from": "a file with a byte order mark"}')
    assert inputs.read(f"@{file}", of="--input") == {"from": "a file with a byte order mark"}
    monkeypatch.setattr(sys, "stdin", _Stdin(b"[1]"))
    assert inputs.read("-", of="--input") == [1]


def test_a_mistake_is_shown_with_its_place(tmp_path):
    file = tmp_path / "in.json"
    file.write_text('{\n  "a": 1,\n  b: 2\n}')
    with pytest.raises(InputError) as caught:
        inputs.read(f"@{file}", of="--input")
    assert caught.value.message == (
        "--input is not JSON: Expecting property name enclosed in double quotes at "
        f"{file}:3:3\n   |   b: 2\n   |   ^"
    )


@pytest.mark.parametrize(
    ("given", "message", "advice"),
    [
        ("{'a': 1}", "--input is not JSON", "JSON writes texts and keys in double quotes"),
        ("", "--input is not JSON", "a file is written @FILE"),
        ("hello", "--input is not JSON", "a text needs double quotes"),
        ("@no/such.json", "--input: no/such.json: No such file", "@FILE names a file"),
        ("@.", "--input: .: Is a directory", "@FILE names a file"),
        ("[1e999]", "the number 1e999 is too large", ""),
        ("[NaN]", "NaN is not a JSON value", ""),
        ("-Infinity", "-Infinity is not a JSON value", ""),
        ("9007199254740993", "the integer 9007199254740993 is beyond 2^53-1", ""),
        ("9" * 5000, "is beyond 2^53-1", ""),
        ("[" * 100_000, "nested too deeply", ""),
        (r'"\ud800"', "a lone surrogate", ""),
    ],
    ids=lambda part: str(part)[:24],
)
def test_bad_json_is_one_clear_error(given, message, advice):
    with pytest.raises(InputError) as caught:
        inputs.read(given, of="--input")
    assert message in caught.value.message
    assert advice in caught.value.help
    assert caught.value.exit_code == 3


def test_the_excerpt_of_a_long_line_is_a_window_around_the_mistake():
    with pytest.raises(InputError) as caught:
        inputs.read('{"a": "' + "x" * 5000 + '", b}', of="--data")
    excerpt, caret = caught.value.message.splitlines()[1:]
    assert len(excerpt) < 100
    assert excerpt[caret.index("^")] == "b"


def test_a_file_that_is_meant_but_not_marked_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "input.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        inputs.read("input.json", of="--input")
    assert caught.value.help == "to read the file, write @input.json"
