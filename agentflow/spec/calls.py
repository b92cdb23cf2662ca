"""The arguments of a call against the function's signature."""

from __future__ import annotations

from collections.abc import Mapping

from agentflow.errors import Diagnostic, Span
from agentflow.functions.suggestions import closest
from agentflow.spec.expressions.template import Template
from agentflow.spec.expressions.types import ANY, Type
from agentflow.spec.fields import listed
from agentflow.spec.signatures import Functions, Missing, Signature


def check_call(
    function: str,
    arguments: Mapping[str, Template],
    span: Span,
    *,
    places: Mapping[tuple[Span, str], Span],
    functions: Functions,
    diagnostics: list[Diagnostic],
) -> Type:
    """Note what is wrong with a call; the type is that of its result."""
    if not function:
        return ANY
    found = functions.find(function)
    if isinstance(found, Missing):
        place, label = (span, found.label) if found.place is None else (found.place, "")
        diagnostics.append(Diagnostic(found.code, found.message, place, label, found.help))
        return ANY
    if found.checked:
        _compare(found, arguments, span, places, diagnostics)
    return found.returns


def _compare(
    signature: Signature,
    arguments: Mapping[str, Template],
    span: Span,
    places: Mapping[tuple[Span, str], Span],
    diagnostics: list[Diagnostic],
) -> None:
    missing = [name for name in signature.required if name not in arguments]
    free = [name for name in signature.parameters if name not in arguments]
    for name in arguments:
        if signature.open or name in signature.parameters:
            continue
        meant = closest(name, free)
        if meant in missing:
            missing.remove(meant)
        if meant:
            remedy = f"did you mean `{meant}`?"
        elif signature.parameters:
            remedy = f"it takes {listed(signature.parameters)}"
        else:
            remedy = "it takes no arguments"
        place = places.get((span, f"with.{name}"), span)
        message = f"`{signature.name}` takes no `{name}`"
        diagnostics.append(Diagnostic("AF403", message, place, "unknown argument", remedy))
    if missing:
        message = f"`{signature.name}` needs {listed(missing)}"
        remedy = f'add it: with: {{{missing[0]}: "${{ … }}"}}'
        diagnostics.append(Diagnostic("AF404", message, span, "argument missing", remedy))
