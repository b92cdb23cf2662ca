"""The expression language: what stands between `${` and `}`.

Reading (`template`, `parse`), meaning (`evaluate`, `library`), types (`infer`).
"""

from __future__ import annotations

from agentflow.spec.expressions.encoding import encode, text_of
from agentflow.spec.expressions.evaluate import compile_expression, compile_template
from agentflow.spec.expressions.infer import infer, infer_condition, infer_template
from agentflow.spec.expressions.library import FUNCTIONS, LIBRARY, METHODS, Function
from agentflow.spec.expressions.library.times import format_time, parse_duration, parse_time
from agentflow.spec.expressions.mistakes import CODES, Mistake
from agentflow.spec.expressions.parse import parse
from agentflow.spec.expressions.reference import reference_markdown
from agentflow.spec.expressions.schema import from_schema, of_value
from agentflow.spec.expressions.scope import Recorded, Scope
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
from agentflow.spec.expressions.types import Type
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
    "Type",
    "compile_expression",
    "compile_template",
    "encode",
    "format_time",
    "from_schema",
    "infer",
    "infer_condition",
    "infer_template",
    "of_value",
    "parse",
    "parse_condition",
    "parse_duration",
    "parse_expression",
    "parse_string",
    "parse_time",
    "parts",
    "reference_markdown",
    "text_of",
    "unparse",
    "walk_names",
]
