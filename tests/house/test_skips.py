"""A skip in CI is a failure, unless the test cannot apply there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CONFTEST = Path(__file__).resolve().parent.parent / "conftest.py"

TEST = """
import pytest

if {whole!r}:
    pytest.skip({reason!r}, allow_module_level=True)

def test_skips():
    pytest.skip({reason!r})

@pytest.mark.skip(reason={reason!r})
def test_is_marked(): ...

@pytest.mark.xfail
def test_is_expected_to_fail():
    raise AssertionError
"""


IN_CI, AT_HOME = {"CI": "true"}, {"CI": ""}


@pytest.fixture(params=["-n0", "-n1"], ids=["this process", "another"])
def process(request: pytest.FixtureRequest) -> str:
    """Where the tests run."""
    option: str = request.param
    return option


@pytest.mark.parametrize(
    ("reason", "where", "summary"),
    [
        ("no redis here", IN_CI, "1 failed, 1 xfailed, 1 error"),  # a mark is met in the set-up
        ("no redis here", AT_HOME, "2 skipped, 1 xfailed"),
        ("allowed: not on ARM", IN_CI, "2 skipped, 1 xfailed"),
    ],
    ids=["in CI", "at home", "allowed in CI"],
)
def test_a_skipped_test_fails_in_ci(
    reason: str, where: dict[str, str], summary: str, process: str, tmp_path: Path
) -> None:
    test = TEST.format(reason=reason, whole=False)
    assert summary in closing_line(test, where, process, tmp_path)


@pytest.mark.parametrize(
    ("where", "summary"), [(IN_CI, "1 error"), (AT_HOME, "1 skipped")], ids=["in CI", "at home"]
)
def test_a_skipped_module_fails_in_ci(
    where: dict[str, str], summary: str, process: str, tmp_path: Path
) -> None:
    test = TEST.format(reason="no redis here", whole=True)
    assert summary in closing_line(test, where, process, tmp_path)


def closing_line(test: str, where: dict[str, str], process: str, folder: Path) -> str:
    """What pytest says last about a test that runs under our conftest."""
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", process, "-p", "no:cacheprovider", "--rootdir", folder],
        cwd=folder,
        env={**os.environ, **where},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()[-1]
