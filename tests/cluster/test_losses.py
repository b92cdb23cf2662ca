"""What is said of a job whose command never ran, in one line each."""

from __future__ import annotations

import pytest

from agentflow.runtime.executors.ray_jobs import Ended

SETUP = """\
runtime_env setup failed: Failed to set up runtime environment.
Could not create the actor because its associated runtime env failed to be created.
Traceback (most recent call last):
  File "site-packages/ray/_private/runtime_env/packaging.py", line 967, in install_wheel_package
    raise RuntimeError(
RuntimeError: Failed to install py_modules wheel inferloop_agentflow-0.1.0-py3-none-any.whl:
Processing inferloop_agentflow-0.1.0-py3-none-any.whl
"""
"""The beginning of what Ray 2.48 says when pip refuses a wheel."""

OTHER = (
    "ERROR: Package 'inferloop-agentflow' requires a different Python: 3.10.13 not in '>=3.11'\n"
)


def test_a_python_that_is_too_old_is_recognised() -> None:
    ended = Ended("FAILED", None, SETUP + OTHER)
    assert ended.other_python == ("3.10.13", ">=3.11")
    assert Ended("FAILED", None, SETUP).other_python is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (SETUP + "No module named pip\n", "No module named pip"),
        ("Job supervisor actor died\nnode failure", "Job supervisor actor died node failure"),
        ("", "FAILED"),
    ],
    ids=["a traceback", "no traceback", "nothing"],
)
def test_the_reason_is_one_line_without_a_traceback(message: str, reason: str) -> None:
    assert Ended("FAILED", None, message).reason == reason
