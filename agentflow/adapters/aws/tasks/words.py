"""Names that mean the same in other spellings: `prod-ChargeOrderFunction` is `charge_order`."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_KINDS = frozenset({"function", "lambda", "fn", "arn", "handler"})
"""What names of deployments say of the thing, not of what it does."""


def words(name: str) -> tuple[str, ...]:
    """The words of a name in any spelling, small; `${Placeholder}` is the name it holds.

    >>> words("chargeOrder"), words("charge-order"), words("${ChargeOrderArn}")
    (('charge', 'order'), ('charge', 'order'), ('charge', 'order', 'arn'))
    """
    return tuple(word.lower() for word in _WORD.findall(name))


def essence(name: str) -> tuple[str, ...]:
    """The words that say what a thing does, without those for what it is.

    >>> essence("ChargeOrderFunctionArn")
    ('charge', 'order')
    """
    found = words(name)
    while len(found) > 1 and found[-1] in _KINDS:
        found = found[:-1]
    return found


def meant(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate whose words end the name; of several the one with most words.

    >>> meant("prod-ChargeOrderFunction", ["order", "charge_order", "refund"])
    'charge_order'
    """
    wanted = essence(name)
    best, length = None, 0
    for candidate in candidates:
        ending = words(candidate)
        if length < len(ending) <= len(wanted) and wanted[-len(ending) :] == ending:
            best, length = candidate, len(ending)
    return best
