"""What each code of a diagnostic means, what causes it, and what to do: one module a family.

The page docs/reference/diagnostics.md is written from these tables.
"""

from __future__ import annotations

from agentflow.spec.codes import callees, expressions, flow, form, python, targets
from agentflow.spec.codes.code import Code

FAMILIES: dict[str, dict[str, Code]] = {
    "The text and its shape": form.CODES,
    "Expressions": expressions.CODES,
    "Names and flow": flow.CODES,
    "Functions, agents and children": callees.CODES,
    "Workflows in Python": python.CODES,
    "Other engines": targets.CODES,
}
"""The codes by what a mistake is about; a family shares its first digit."""

CODES: dict[str, Code] = {
    code: entry for family in FAMILIES.values() for code, entry in family.items()
}


def markdown() -> str:
    """The page docs/reference/diagnostics.md."""
    out = [
        "# Diagnostics",
        "",
        "Every mistake in a spec has a code, a place and a remedy.",
        "`agentflow validate` reports all of them at once.",
    ]
    for title, family in FAMILIES.items():
        out += ["", f"## {title}"]
        for code, entry in family.items():
            out += ["", f"### {code}: {entry.title}", "", entry.cause, "", f"**Do:** {entry.fix}"]
    return "\n".join(out) + "\n"
