from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from functions import logs

LINE = '192.0.2.7 - - [14/Mar/2025:06:25:24 +0000] "GET /docs HTTP/1.1" 200 5120'


@pytest.fixture
def log(tmp_path: Path) -> str:
    lines = [LINE, "torn", LINE.replace("200 5120", "503 -"), LINE.replace("/docs", "/"), LINE]
    file = tmp_path / "access.log"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("line", "malformed"),
    [
        (LINE, 0),
        (LINE.replace("5120", "-"), 0),
        (LINE[:50], 1),
        ("", 1),
        (LINE.replace("200", "2OO"), 1),
    ],
    ids=["whole", "no size", "torn", "empty", "status is not a number"],
)
def test_parse_block_counts_what_is_not_a_request(line: str, malformed: int) -> None:
    block = logs.parse_block([line])
    assert (len(block["requests"]), block["malformed"]) == (1 - malformed, malformed)


def test_a_request_has_its_parts(log: str) -> None:
    assert logs.read_requests(log)[0] == {
        "client": "192.0.2.7",
        "hour": 6,
        "method": "GET",
        "path": "/docs",
        "status": 200,
        "bytes": 5120,
    }


@pytest.mark.parametrize("size", [1, 100, 10_000], ids=["a line at a time", "two lines", "at once"])
def test_pages_of_any_size_add_up_to_the_whole(log: str, size: int) -> None:
    requests = malformed = 0
    cursor: int | None = 0
    while cursor is not None:
        page = logs.read_page(log, cursor, size)
        requests += page["traffic"]["requests"]
        malformed += page["traffic"]["malformed"]
        cursor = page["next"]
    assert (requests, malformed) == (4, 1)


def test_stream_blocks_gives_every_line_once(log: str) -> None:
    blocks = list(logs.stream_blocks(log, lines=2))
    assert [len(block) for block in blocks] == [2, 2, 1]
    assert [line for block in blocks for line in block] == Path(log).read_text().splitlines()


def test_tally_breaks_ties_by_value(log: str) -> None:
    requests = logs.read_requests(log)
    assert logs.tally(requests, "path", 2) == [
        {"value": "/docs", "count": 3},
        {"value": "/", "count": 1},
    ]


def test_views_of_a_log_agree_with_its_requests(log: str) -> None:
    assert sum(logs.requests_per_hour(log)) == 4
    assert logs.failing_paths(log) == [{"value": "/docs", "count": 1}]
    assert logs.heaviest_paths(log, 1) == [{"value": "/docs", "count": 10240}]


def test_blocks_add_up_to_what_they_hold_together() -> None:
    blocks = [
        {"requests": 2, "failures": 1, "bytes": 10, "malformed": 0},
        {"requests": 3, "failures": 0, "bytes": 20, "malformed": 4},
    ]
    together = {"requests": 5, "failures": 1, "bytes": 30, "malformed": 4}
    assert logs.add_traffic(blocks) == together
    assert logs.add_traffic([])["requests"] == 0


def test_the_data_of_the_specs_is_what_its_generator_writes(root: Path) -> None:
    data = root / "specs" / "data"
    spec = importlib.util.spec_from_file_location("generate", data / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (data / "access.log").read_text(encoding="utf-8") == generate.access_log()
    assert (data / "orders.csv").read_text(encoding="utf-8") == generate.order_book()
