"""What the command line says of batch runs, which it cannot go on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow.cli.dispatch import dispatch
from agentflow.errors import ExecutionFailed
from tests.batch import jobs
from tests.batch.conftest import Map, broken_off


@pytest.fixture
def runs(inline: Map, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that broke off, one that failed and one that was cancelled."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    for id in ("stopped", "cancelled"):
        with pytest.raises(OSError, match="no more"):
            inline(broken_off(1), jobs.square, id=id).results()
    with pytest.raises(ExecutionFailed):
        inline([7], jobs.refuse_sevens, id="failed").results()
    assert dispatch(["cancel", "cancelled"]) == 0


@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("stopped", "\n  the same call with id='stopped' goes on\n"),
        ("failed", "\n  the same call with id='failed' and only_failed=True tries again what"),
        ("cancelled", "\n  the same call with id='cancelled' and only_failed=True tries again"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_it_shows_how_a_run_goes_on(capsys: pytest.CaptureFixture[str], id: str, said: str) -> None:
    capsys.readouterr()
    assert dispatch(["show", id]) == 0
    shown = capsys.readouterr().out
    assert said in shown
    assert "agentflow" not in shown


@pytest.mark.parametrize("verb", ["retry", "resume", "graph"])
@pytest.mark.parametrize("id", ["stopped", "failed"])
@pytest.mark.usefixtures("runs")
def test_it_says_that_a_batch_run_has_no_steps(
    capsys: pytest.CaptureFixture[str], verb: str, id: str
) -> None:
    assert dispatch([verb, id, *([] if verb == "graph" else ["--executor", "inline"])]) == 5
    assert "this is a batch run, which has no steps" in capsys.readouterr().err


@pytest.mark.usefixtures("runs")
def test_a_run_is_cancelled_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["cancel", "cancelled"]) == 5
    assert "execution cancelled has already been cancelled" in capsys.readouterr().err
