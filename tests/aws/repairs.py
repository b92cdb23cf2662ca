"""What jsonata-python gets wrong, put right: whoever evaluates with it imports this module."""

from __future__ import annotations

import math
from typing import Any

import jsonata


def _whole_remainders() -> None:
    """jsonata-python 0.7.1 cuts remainders to integers: `5.5 % 2` is 1 there, 1.5 elsewhere."""
    original = jsonata.Jsonata.evaluate_numeric_expression

    def evaluate(self: Any, left: Any, right: Any, operator: Any) -> Any:
        if operator == "%" and isinstance(left, float) and left % 1 and right:
            return math.fmod(left, right)
        if operator == "%" and isinstance(right, float) and right % 1:
            return math.fmod(left, right)
        return original(self, left, right, operator)

    jsonata.Jsonata.evaluate_numeric_expression = evaluate


def _lower_case() -> None:
    """jsonata-python 0.7.1 folds letters instead: `ß` becomes `ss`."""
    jsonata.Jsonata.static_frame.lookup("lowercase").method = str.lower


_whole_remainders()
_lower_case()
