"""On a terminal: a live table that repaints itself, and Ctrl-C as a key."""

from __future__ import annotations

import json
import re

import pytest

from .conftest import masked, wait_for

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

pytestmark = pytest.mark.slow


def test_the_table_stays_with_the_end_of_each_step(terminal, project):
    spec = project / "specs" / "reviews.yaml"
    # Long enough for a busy machine to paint what is shown meanwhile.
    spec.write_text(spec.read_text().replace("interval: 0.1s", "interval: 0.5s"))
    seen = terminal("run", "specs/reviews.yaml", "--input", '{"bad": [17]}')
    assert seen.code == 1
    assert "\x1b[?25h" in seen.out, "the cursor is visible again"
    assert "↻ summarise[17] attempt 2/3 in" in seen.out
    assert "load │ loading 40 reviews" in seen.out
    last = ESCAPES.sub("", seen.out.split("\x1b[2K")[-1])
    table = re.sub(r" {2,}", "  ", masked(last).split("\n\n")[0])
    assert table.splitlines() == [
        "✓  load  TOOK",
        "✗  summarise  39/40 · 1 failed · 2 retries  TOOK",
        "·  publish  not started",
    ]


def test_without_colours_there_is_no_colour(terminal):
    seen = terminal("run", "specs/reviews.yaml", "--input", '{"n": 2}', NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3\dm", seen.out)
    assert seen.out.endswith('{"total": 48}\n')


def test_a_dumb_terminal_gets_lines(terminal):
    seen = terminal("run", "specs/reviews.yaml", "--input", '{"n": 2}', TERM="dumb")
    assert "\x1b" not in seen.out
    assert "load      succeeded" in seen.out


def test_ctrl_c_ends_the_table_and_says_how_to_go_on(terminal, project):
    def press() -> bytes:
        wait_for(project / "gate.reached")
        return b"\x03"

    given = json.dumps({"gate": str(project / "gate")})
    seen = terminal("run", "specs/gate.yaml", "--input", given, "--id", "g1", keys=press)
    assert seen.code == 130
    assert ESCAPES.sub("", seen.out).endswith(
        "Interrupted: no process runs it · g1\n"
        "1 result is in the journal and will not run again\n"
        "  agentflow resume g1   go on where it stopped\n"
        "Ctrl-C again within 3 s cancels it.\n"
    )
    assert seen.out.rindex("\x1b[?25h") > seen.out.rindex("\x1b[?25l")


def test_ctrl_c_twice_cancels_the_execution(terminal, project, agentflow):
    def press() -> bytes:
        wait_for(project / "gate.reached")
        return b"\x03"

    given = json.dumps({"gate": str(project / "gate")})
    seen = terminal(
        *("run", "specs/gate.yaml", "--input", given, "--id", "g1"),
        keys=press,
        answer=(b"Ctrl-C again", b"\x03"),
    )
    assert seen.code == 130
    said = ESCAPES.sub("", seen.out)
    assert "Cancelling g1; Ctrl-C leaves at once.\n" in said
    assert "Cancelled after" in said
    assert (project / "gate.undone").exists(), "what is in `finally` was done"
    assert agentflow("show", "g1", "--json").json["status"] == "cancelled"
