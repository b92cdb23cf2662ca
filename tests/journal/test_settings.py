"""Settings come from the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields

import pytest

from agentflow.errors import UsageError
from agentflow.runtime.settings import Settings, load_settings

NUMBERS = {
    "store_wait_seconds": 0.5,
    "blob_grace_seconds": 0.0,
    "history_events": 7,
    "history_bytes": 1_000,
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AGENTFLOW_")]:
        monkeypatch.delenv(name)
    for name in ("DATABASE_URL", "REDIS_URL"):
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


def test_every_setting_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"database_url": "sqlite:///a.db", "redis_url": "redis://b", "blobs": "c"}
    given = {**texts, **NUMBERS, "executor": "inline"}
    assert given.keys() == {setting.name for setting in fields(Settings)}
    for name, value in given.items():
        variable = name.upper() if name.endswith("_url") else f"AGENTFLOW_{name.upper()}"
        monkeypatch.setenv(variable, str(value))
    assert load_settings() == Settings(**given)  # type: ignore[arg-type]  # mypy sees one type


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_has_its_bounds(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    variable = f"AGENTFLOW_{name.upper()}"
    for wrong in ("-1", "many"):
        monkeypatch.setenv(variable, wrong)
        with pytest.raises(UsageError, match=variable):
            load_settings()


def test_texts_need_no_pydantic() -> None:
    script = (
        "import sys; from agentflow.runtime.settings import load_settings\n"
        "assert load_settings().database_url == 'sqlite:///x.db'\n"
        "assert 'pydantic' not in sys.modules\n"
    )
    environment = {**os.environ, "DATABASE_URL": "sqlite:///x.db", "AGENTFLOW_SECRET_KEY": "k"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


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
