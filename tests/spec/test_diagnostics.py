"""How mistakes are shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import agentflow
from agentflow.errors import Diagnostic, Span, SpecError
from agentflow.spec import as_json, concise, loads, render
from agentflow.spec.codes import CODES, FAMILIES
from agentflow.spec.expressions import CODES as EXPRESSION_CODES


def one(line: int, column: int, end: int, label: str = "", help_: str = "") -> Diagnostic:
    return Diagnostic("AF301", "it is wrong", Span("f.yaml", line, column, line, end), label, help_)


@pytest.mark.parametrize("text", ["", "\n\n"], ids=["nothing", "blank lines"])
def test_of_a_file_without_text_there_is_no_excerpt(text: str) -> None:
    assert render([one(1, 1, 1)], {"f.yaml": text}) == "error[AF301]: it is wrong\n --> f.yaml:1:1"


def test_a_mistake_is_shown_with_its_line_a_caret_and_what_to_do() -> None:
    with pytest.raises(SpecError) as caught:
        loads(
            "workflow: w\ndo:\n  - id: doc\n    wait: 1s\n  - id: b\n    return: ${ docc }\n",
            path="flow.yaml",
        )

    assert (
        render(caught.value.diagnostics, caught.value.sources)
        == """\
error[AF301]: `docc` is not defined
 --> flow.yaml:6:16
  |
5 |   - id: b
6 |     return: ${ docc }
  |                ^^^^ no such name
  |
  = help: did you mean `doc`?"""
    )


def caret(source: str, column: int, end: int) -> tuple[str, str]:
    """The excerpt and the carets below it, from the same column on."""
    lines = render([one(1, column, end)], {"f.yaml": source}).split("\n")
    return lines[3][4:], lines[4][4:]


@pytest.mark.parametrize(
    ("source", "column", "end", "shown", "carets"),
    [
        ("abc def", 5, 8, "abc def", "    ^^^"),
        ("\tabc", 2, 5, "    abc", "    ^^^"),
        ("a\tb\tc", 5, 6, "a    b    c", "          ^"),
        ("日本 x", 4, 5, "日本 x", "     ^"),
        ("日本 x", 1, 3, "日本 x", "^^^^"),
        ("é́x", 3, 4, "é́x", "  ^" if len("é") == 2 else " ^"),
        ("abc", 9, 9, "abc", "   ^"),
        ("a\x1b[31mb", 7, 8, "a�[31mb", "      ^"),
    ],
)  # fmt: skip
def test_the_caret_stands_under_the_character(
    source: str, column: int, end: int, shown: str, carets: str
) -> None:
    assert caret(source, column, end) == (shown, carets)


def test_a_very_long_line_is_shown_around_the_mistake() -> None:
    source = "x" * 100_000 + "MISTAKE" + "y" * 100_000

    shown, carets = caret(source, 100_001, 100_008)

    assert len(shown) < 130
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "MISTAKE"


def test_a_mistake_over_several_lines_marks_the_first_one() -> None:
    item = Diagnostic("AF122", "wrong", Span("f.yaml", 1, 3, 3, 2))

    assert render([item], {"f.yaml": "a [b\n c\n]"}).endswith("1 | a [b\n  |   ^^")


def test_a_file_without_text_is_shown_without_excerpt() -> None:
    assert render([one(1, 1, 2, help_="check the path")], {}) == (
        "error[AF301]: it is wrong\n --> f.yaml:1:1\n  |\n  = help: check the path"
    )


def test_line_numbers_align_when_they_grow() -> None:
    text = "a\n" * 9 + "b\n"

    assert " 9 | a\n10 | b\n   | ^" in render([one(10, 1, 2)], {"f.yaml": text})


def test_colour_only_adds_codes() -> None:
    items, sources = [one(1, 1, 2, "label", "help")], {"f.yaml": "a"}

    coloured = render(items, sources, color=True)

    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(items, sources)


def test_mistakes_as_data_and_on_one_line() -> None:
    item = one(2, 3, 4, help_="do this")

    assert as_json([item]) == [
        {
            "code": "AF301",
            "message": "it is wrong",
            "file": "f.yaml",
            "line": 2,
            "column": 3,
            "help": "do this",
        }
    ]
    assert concise(item) == "f.yaml:2:3: AF301 it is wrong (do this)"


def test_each_code_that_is_used_is_explained_and_each_explained_one_is_used() -> None:
    folder = Path(agentflow.__file__).parent
    used = {
        code
        for path in folder.rglob("*.py")
        if path.parent.name != "codes"
        for code in re.findall(r'"(AF[1-9][0-9]{2})"', path.read_text())
    }

    assert used == CODES.keys()
    assert EXPRESSION_CODES.keys() <= CODES.keys()


def test_a_family_of_codes_shares_its_first_digit() -> None:
    digits = [{code[2] for code in family} for family in FAMILIES.values()]
    assert digits == [{"1"}, {"2"}, {"3"}, {"4"}, {"5"}, {"6"}]
    assert list(CODES) == sorted(CODES)
