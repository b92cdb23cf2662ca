from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions import text


def write(folder: Path, **contents: str) -> list[str]:
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return list(contents)


def test_a_word_is_a_run_of_ascii_letters_and_underscores_in_any_case(tmp_path: Path) -> None:
    paths = write(tmp_path, a="Self self.x_y = 2e5; größe \N{KELVIN SIGN}")
    counts = text.count_words(str(tmp_path), paths)
    assert counts["words"] == {"self": 2, "x_y": 1, "e": 2, "gr": 1}
    assert counts["total"] == 6


def test_a_file_that_is_not_utf8_is_counted_too(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"caf\xe9 noir")
    assert text.count_words(str(tmp_path), ["old"])["words"] == {"caf": 1, "noir": 1}


def test_longest_keeps_ten_files_and_breaks_ties_by_path(tmp_path: Path) -> None:
    paths = write(tmp_path, **{f"f{n:02}": "word " * (1 + n % 2) for n in range(12)})
    longest = text.count_words(str(tmp_path), paths[::-1])["longest"]
    odd, even = [f"f{n:02}" for n in range(1, 12, 2)], ["f00", "f02", "f04", "f06"]
    assert [entry["path"] for entry in longest] == odd + even


def test_merging_nothing_gives_a_count_of_nothing() -> None:
    assert text.merge_counts([]) == {"files": 0, "total": 0, "words": {}, "longest": []}


WORDS = st.dictionaries(st.text("ab_", min_size=1, max_size=3), st.integers(1, 99), max_size=8)
LENGTHS = st.lists(
    st.builds(lambda p, w: {"path": p, "words": w}, st.text("xyz", min_size=1), st.integers(0, 9)),
    max_size=10,
)
COUNTS = st.builds(
    lambda words, longest: {
        "files": len(longest),
        "total": sum(words.values()),
        "words": words,
        "longest": sorted(longest, key=lambda entry: (-entry["words"], entry["path"])),
    },
    WORDS,
    LENGTHS,
)


@given(st.lists(COUNTS, max_size=6), st.integers(0, 6))
def test_merging_in_groups_gives_what_merging_at_once_gives(items: list, cut: int) -> None:
    grouped = [text.merge_counts(items[:cut]), text.merge_counts(items[cut:])]
    assert text.merge_counts(grouped) == text.merge_counts(items)


def test_most_common_breaks_ties_by_alphabet() -> None:
    words = {"b": 2, "a": 2, "c": 5, "d": 1}
    assert [entry["word"] for entry in text.most_common(words, n=3)] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [([], [], []), (["a"], ["b"], []), (["b", "a"], ["a", "b"], ["a", "b"])],
    ids=["nothing", "nothing shared", "all shared"],
)
def test_compare_words_lists_what_is_shared(left: list, right: list, both: list) -> None:
    def ranked(words: list[str]) -> list[text.WordCount]:
        return [{"word": word, "count": 1} for word in words]

    assert text.compare_words(ranked(left), ranked(right))["both"] == both
