"""When an outcome equals a recorded one; the rules are those of the corpus."""

from __future__ import annotations

import json
import re
from typing import Any

_ANYTHING = frozenset(
    {
        "timestamp",
        "date",
        "start-time",
        "entered-time",
        "RandomNumberGenerated",
        "sfn_role_arn",
        "snf_role_arn",
    }
)
_IGNORED = frozenset({"SdkHttpMetadata", "SdkResponseMetadata", "LogResult", "ExecutedVersion"})
_TOKEN = re.compile(r"<[^<>\s]+>")


def normalised(value: Any, pairs: list[tuple[str, str]]) -> Any:
    """The value with the tokens of the recording in it."""
    if isinstance(value, str):
        for used, token in pairs:
            value = value.replace(used, token)
        return value
    if isinstance(value, list):
        return [normalised(item, pairs) for item in value]
    if isinstance(value, dict):
        return {normalised(k, pairs): normalised(v, pairs) for k, v in value.items()}
    return value


def equal(expected: Any, actual: Any) -> bool:
    """Whether a value equals a recorded one."""
    if isinstance(expected, str):
        return _texts(expected, actual)
    if isinstance(actual, str):
        parsed = _parsed(actual)
        return not isinstance(parsed, str) and equal(expected, parsed)
    if isinstance(expected, bool) or isinstance(actual, bool) or expected is None:
        return expected is actual
    if isinstance(expected, int | float):
        return isinstance(actual, int | float) and expected == actual
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(expected) == len(actual)
            and all(map(equal, expected, actual))
        )
    if not isinstance(actual, dict):
        return False
    if _is_lambda_error(expected) and _is_lambda_error(actual):
        return all(expected[key] == actual[key] for key in ("errorMessage", "errorType"))
    keys = expected.keys() - _IGNORED
    return keys == actual.keys() - _IGNORED and all(equal(expected[k], actual[k]) for k in keys)


def _texts(expected: str, actual: Any) -> bool:
    if expected in _ANYTHING or expected == actual:
        return True
    if not isinstance(actual, str):
        return _TOKEN.fullmatch(expected) is not None
    if _TOKEN.search(expected):
        pattern = ".*".join(map(re.escape, _TOKEN.split(expected)))
        if re.fullmatch(pattern, actual, re.DOTALL):
            return True
    wanted, found = _parsed(expected), _parsed(actual)
    return isinstance(wanted, dict | list) and equal(wanted, found)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_lambda_error(value: Any) -> bool:
    return isinstance(value, dict) and {"errorMessage", "errorType"} <= value.keys()
