"""The Lambda functions of the recorded cases, as functions of a project."""

from __future__ import annotations

from typing import Any


class CustomException(Exception):
    """The functions' own error; it has no text."""


def identity(event: Any) -> Any:
    return event


def return_hello_world(event: Any) -> dict[str, str]:
    return {"Return": "HelloWorld"}


def return_bytes_json_str(event: Any) -> str:
    return "HelloWorld!"


def return_decorated_input(event: Any) -> str:
    return f"input-event-{event}"


def raise_exception(event: Any) -> None:
    raise Exception("Some exception was raised.")  # noqa: TRY002 -- as recorded


def raise_custom_exception(event: Any) -> None:
    raise CustomException


def return_257_kib(event: Any) -> str:
    return "a" * (257 * 1024)


def sleep_60_identity(event: Any) -> Any:
    """Whoever runs it lets the time pass."""
    return event
