"""Write the generated pages of docs/reference: `python -m agentflow.spec.reference [--check]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentflow.spec import codes
from agentflow.spec.editor_schema import workflow_schema
from agentflow.spec.expressions import reference_markdown
from agentflow.spec.grammar import SHAPES, STEP, WORKFLOW, Field
from agentflow.spec.grammar_verbs import VERBS
from agentflow.spec.kinds import KINDS

FOLDER = Path("docs/reference")
_INTRODUCTION = """\
# The language

A workflow is YAML 1.2 or JSON.
Any value may hold expressions, `${ … }`; in a text, `$${` gives the characters `${`.
Editors complete it with [workflow.schema.json](workflow.schema.json); for YAML put this on the
first line:

```yaml
# yaml-language-server: $schema=workflow.schema.json
```

[Functions](functions.md) lists what expressions can call, [diagnostics](diagnostics.md) what can
be wrong.
"""


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    schema = json.dumps(workflow_schema(), indent=2, ensure_ascii=False)
    return {
        "language.md": language_markdown(),
        "diagnostics.md": codes.markdown(),
        "functions.md": reference_markdown(),
        "workflow.schema.json": schema + "\n",
    }


def write(folder: Path) -> list[str]:
    """Write the pages that are not current; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = outdated(folder)
    for name in changed:
        (folder / name).write_text(pages()[name], encoding="utf-8")
    return changed


def outdated(folder: Path) -> list[str]:
    """The names of pages that are missing or not current."""
    return [name for name, text in pages().items() if _read(folder / name) != text]


def language_markdown() -> str:
    """The page docs/reference/language.md, from the table in `grammar`."""
    return "\n".join(_language()) + "\n"


def _language() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## A workflow\n"
    yield from _table(WORKFLOW.fields)
    yield "\n## Any step\n"
    yield "Every step has an `id` and exactly one verb.\n"
    yield from _table(STEP.fields)
    for verb in VERBS.values():
        yield f"\n## `{verb.name}`\n"
        yield f"{verb.meaning}\n"
        yield f"```yaml\n- {verb.example.strip().replace(chr(10), chr(10) + '  ')}\n```\n"
        yield from _table(verb.fields)
        for group in verb.one_of:
            yield f"\nExactly one of {_or(group)}."
    yield "\n## Objects\n"
    yield "What stands inside the fields above."
    for name, shape in SHAPES.items():
        yield f"\n### {name}\n"
        yield from _table(shape.fields)
        for group in shape.one_of:
            yield f"\nExactly one of {_or(group)}."


def _table(fields: Sequence[Field]) -> Iterator[str]:
    yield "| field | holds | meaning |"
    yield "|---|---|---|"
    for field in fields:
        notes = " Required." if field.required else ""
        notes += f" Default: `{field.default}`." if field.default else ""
        yield f"| `{field.name}` | {_holds(field.kind)} | {field.meaning}{notes} |"


def _holds(kind: str) -> str:
    if kind == "steps":
        return "a list of steps"
    phrase = KINDS[kind].phrase if kind in KINDS else "an object"
    return f"{phrase} ([{kind}](#{kind}))" if kind in SHAPES else phrase


def _or(names: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or with `--check` only say whether they are current."""
    parser = argparse.ArgumentParser(prog="python -m agentflow.spec.reference")
    parser.add_argument("--check", action="store_true", help="fail if a page is not current")
    if parser.parse_args(arguments).check:
        old = outdated(FOLDER)
        if old:
            sys.stderr.write(f"not current: {', '.join(old)}; run this without --check\n")
        return 1 if old else 0
    write(FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
