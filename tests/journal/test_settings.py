"""Settings come from the environment."""

from __future__ import annotations

import pytest

from agentflow.errors import UsageError
from agentflow.runtime.settings import load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "AGENTFLOW_EXECUTOR"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_set_means_the_projects_journal_and_ray() -> None:
    settings = load_settings()
    assert (settings.database_url, settings.executor) == (None, "ray")


def test_what_is_set_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@db/flows")
    monkeypatch.setenv("AGENTFLOW_EXECUTOR", "inline")
    settings = load_settings()
    assert settings.database_url == "postgresql://u:secret@db/flows"
    assert settings.executor == "inline"
    assert "secret" not in repr(settings)


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("AGENTFLOW_EXECUTOR", "")
    assert load_settings().database_url is None


def test_a_wrong_value_is_one_clear_error_that_does_not_repeat_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AGENTFLOW_EXECUTOR", "hunter2")
    with pytest.raises(UsageError, match=r"AGENTFLOW_EXECUTOR: .*'ray' or 'inline'") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)
