"""The generated pages are current, and the way to generate them works."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow.spec import reference
from agentflow.spec.grammar import SHAPES, STEP, WORKFLOW
from agentflow.spec.grammar_verbs import VERBS

ROOT = Path(__file__).parents[2]


def test_the_pages_in_the_repository_are_current() -> None:
    assert reference.outdated(ROOT / "docs" / "reference") == [], (
        "run: python -m agentflow.spec.reference"
    )


def test_pages_are_written_where_they_are_missing_or_old(tmp_path: Path) -> None:
    written = reference.write(tmp_path / "pages")
    assert set(written) == set(reference.pages())

    (tmp_path / "pages" / "language.md").write_text("old")
    assert reference.write(tmp_path / "pages") == ["language.md"]
    assert reference.write(tmp_path / "pages") == []


def test_checking_fails_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert reference.main(["--check"]) == 1
    assert "run this without --check" in capsys.readouterr().err

    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def test_the_reference_names_every_field() -> None:
    page = reference.language_markdown()
    shapes = (WORKFLOW, STEP, *SHAPES.values())
    fields = [f for shape in shapes for f in shape.fields] + [
        f for v in VERBS.values() for f in v.fields
    ]

    assert all(f"| `{field.name}` |" in page for field in fields)
