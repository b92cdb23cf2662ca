"""The expression language: what stands between `${` and `}`.

Reading (`template`, `parse`), meaning (`evaluate`, `library`), types (`infer`).
"""

from __future__ import annotations

from agentflow.spec.expressions.evaluate import compile_expression, compile_template
from agentflow.spec.expressions.library import FUNCTIONS, LIBRARY, METHODS, Function
from agentflow.spec.expressions.mistakes import CODES, Mistake
from agentflow.spec.expressions.parse import parse
from agentflow.spec.expressions.scope import Recorded, Scope
from agentflow.spec.expressions.suggest import closest
from agentflow.spec.expressions.template import (
    Expression,
    Interpolation,
    Template,
    parse_condition,
    parse_expression,
    parse_string,
    parts,
    walk_names,
)
from agentflow.spec.expressions.tree import Tree
from agentflow.spec.expressions.unparse import unparse

__all__ = [
    "CODES",
    "FUNCTIONS",
    "LIBRARY",
    "METHODS",
    "Expression",
    "Function",
    "Interpolation",
    "Mistake",
    "Recorded",
    "Scope",
    "Template",
    "Tree",
    "closest",
    "compile_expression",
    "compile_template",
    "parse",
    "parse_condition",
    "parse_expression",
    "parse_string",
    "parts",
    "unparse",
    "walk_names",
]
