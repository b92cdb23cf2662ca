"""On Ray: nothing of Ray's own is heard, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import json
import re

import pytest

from .conftest import masked, wait_for
from .test_cli_run import FAILURE
from .test_cli_terminal import ESCAPES

pytestmark = pytest.mark.slow

ON_RAY = ("--executor", "ray")


def test_a_failure_on_ray_reads_as_it_does_inline(process):
    done = process("run", "specs/reviews.yaml", "--input", '{"bad": [17]}', *ON_RAY)
    assert (done.code, done.out) == (1, "")
    head, _, rest = FAILURE.partition("\n")
    starting = "TIME starting Ray…\nTIME starting Ray: done in TOOK\n"
    # The others may be under way still.
    told = re.sub(r"\d+/40", "39/40", masked(done.err))
    told = re.sub(r"kept    \d+ results", "kept    42 results", told)
    assert told == f"{starting}{head.replace('inline', 'ray')}\n{rest}"


def test_the_start_of_ray_is_shown_and_ctrl_c_keeps_what_is_done(terminal, agentflow, project):
    def press() -> bytes:
        wait_for(project / "gate.reached")
        return b"\x03"

    given = json.dumps({"gate": str(project / "gate")})
    seen = terminal("run", "specs/gate.yaml", "--input", given, "--id", "g1", *ON_RAY, keys=press)
    assert seen.code == 130
    text = ESCAPES.sub("", seen.out)
    assert re.search(r"starting Ray… \d+s", text)
    assert "agentflow resume g1   go on where it stopped\n" in text
    (project / "gate").touch()
    assert agentflow("resume", "g1").out == '"through"\n'
