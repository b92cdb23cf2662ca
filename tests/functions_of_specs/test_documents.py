from __future__ import annotations

from pathlib import Path

import pytest

from functions import documents


@pytest.mark.parametrize(
    ("problem", "text", "repaired"),
    [
        ("trailing spaces", "a  \nb\t\n", "a\nb\n"),
        ("tabs", "a\tb", "a    b"),
        ("repeated blank lines", "a\n\n\n\nb", "a\n\nb"),
        ("heading without a space", "##Title\n", "## Title\n"),
    ],
    ids=list(documents.REPAIRS),
)
def test_a_repair_leaves_nothing_of_its_problem(problem: str, text: str, repaired: str) -> None:
    assert problem in documents.find_problems(text)
    assert documents.repair(text, problem) == repaired
    assert problem not in documents.find_problems(repaired)


async def test_links_to_other_things_and_to_itself_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("[b](b.md) [a](a.md) [x](other.md) [w](w.html)")
    (tmp_path / "b.md").write_text("nothing")
    links = await documents.read_links(str(tmp_path), ["a.md", "b.md"])
    assert links == {"a.md": ["b.md"], "b.md": []}


async def test_texts_stream_in_order(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)
    texts = [text async for text in documents.stream_texts(str(tmp_path), ["b", "a"])]
    assert texts == [{"path": "b", "text": "b"}, {"path": "a", "text": "a"}]


def test_ranks_add_up_to_one_and_favour_what_is_linked_to() -> None:
    links = {"a": ["c"], "b": ["c"], "c": []}
    ranks = dict.fromkeys(links, 1 / 3)
    for _ in range(50):
        ranks = documents.spread_rank(links, ranks)["ranks"]
    assert sum(ranks.values()) == pytest.approx(1)
    assert max(ranks, key=ranks.__getitem__) == "c"
    assert documents.spread_rank(links, ranks)["change"] < 1e-6


def test_order_by_rank_puts_the_highest_first_and_breaks_ties_by_path() -> None:
    outlines = [documents.outline(path, f"# {path}\n\n## More\n") for path in "cab"]
    ordered = documents.order_by_rank(outlines, {"a": 0.25, "b": 0.25, "c": 0.5})
    assert [entry["path"] for entry in ordered] == ["c", "a", "b"]
    assert ordered[0] == {"rank": 0.5, "path": "c", "title": "c", "headings": ["More"], "words": 4}


def test_a_document_without_headings_is_called_by_its_path() -> None:
    assert documents.outline("x.md", "plain text")["title"] == "x.md"


def test_describe_file_counts_as_wc_does(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes("eins zwei\ndrei ß\n".encode())
    assert documents.describe_file(str(tmp_path / "t")) == {"lines": 2, "words": 4, "bytes": 18}
