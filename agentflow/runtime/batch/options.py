"""What a batch run may be told, checked before anything starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any, Literal

from agentflow.errors import Json, UsageError
from agentflow.functions.durations import seconds_given
from agentflow.functions.suggestions import did_you_mean
from agentflow.spec.model import Resources, Retry
from agentflow.spec.sizes import parse_size

_SHARE = re.compile(r"(\d+(?:\.\d+)?)%")


@dataclass(frozen=True, slots=True)
class Options:
    """How a batch run is carried out; none of it changes what its result is."""

    chunk: int | None = None
    """Units of a chunk; `None`: what measured time says."""
    concurrency: int | None = None
    retry: Retry | None = None
    timeout: float | None = None
    tolerate: float | int = 0
    """Failed items: a count, or, as a float, a share of all."""
    arity: int = 16
    resources: Resources | None = None

    def tolerates(self, failed: int, total: int) -> bool:
        """Whether so many failed items of so many are accepted."""
        if isinstance(self.tolerate, float):
            return failed <= self.tolerate * total
        return failed <= self.tolerate

    def described(self) -> dict[str, Json]:
        """What the journal keeps of them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def options_of(
    *,
    chunk: int | Literal["auto"],
    concurrency: int | None,
    retry: int | Mapping[str, Any] | None,
    timeout: float | str | timedelta | None,
    tolerate: float | str,
    arity: int,
    resources: Mapping[str, Any] | None,
) -> Options:
    """The options that a caller gave.

    Raises:
        UsageError: one of them is wrong.
    """
    if _count("arity", arity) < 2:
        raise UsageError(f"arity={arity}: a reduce combines at least two results")
    return Options(
        None if chunk == "auto" else _count("chunk", chunk),
        None if concurrency is None else _count("concurrency", concurrency),
        _retry(retry),
        None if timeout is None else seconds_given(timeout, f"timeout={timeout!r}"),
        _tolerate(tolerate),
        arity,
        _resources(resources),
    )


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{name}={value!r} is not a whole number above zero")
    return value


def _retry(given: int | Mapping[str, Any] | None) -> Retry | None:
    if given is None:
        return None
    if isinstance(given, int):
        return Retry(max_attempts=_count("retry", given))
    _known("retry", given, Retry)
    values = dict(given)
    if "on" in values:
        values["on"] = _names(values["on"])
    backoff = values.get("backoff", 1)
    if isinstance(backoff, bool) or not isinstance(backoff, (int, float)) or not backoff >= 1:
        raise UsageError(f"retry backoff={backoff!r} is not a number of 1 or more")
    for name in ("interval", "max_interval"):
        if name in values and values[name] != 0:
            values[name] = seconds_given(values[name], f"retry {name}={values[name]!r}")
    if "max_attempts" in values:
        _count("retry max_attempts", values["max_attempts"])
    if values.get("jitter", "none") not in ("full", "none"):
        raise UsageError(f"retry jitter={values['jitter']!r}: choose `full` or `none`")
    return Retry(**values)


def _names(given: object) -> tuple[str, ...]:
    """The names of errors, of which there may be a single one."""
    names = (given,) if isinstance(given, str) else given
    if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
        return tuple(names)
    raise UsageError(f"retry on={given!r} is no list of names of errors")


def _tolerate(given: float | str) -> float | int:
    if isinstance(given, str) and (match := _SHARE.fullmatch(given)):
        given = float(match[1]) / 100
    right = isinstance(given, int) or (isinstance(given, float) and given <= 1)
    if isinstance(given, (str, bool)) or not right or given < 0:
        raise UsageError(
            f"tolerate={given!r} is neither a number of items nor a share of them",
            help='write 3, "5%" or 0.05',
        )
    return given


def _resources(given: Mapping[str, Any] | None) -> Resources | None:
    if not given:
        return None
    _known("resources", given, Resources)
    values = dict(given)
    for name in ("num_cpus", "num_gpus"):
        value = values.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise UsageError(f"resources: {name}={value!r} is not a number")
    if isinstance(values.get("memory"), str):
        size = parse_size(values["memory"])
        if size is None:
            raise UsageError(
                f"resources: memory={values['memory']!r} is not a size",
                help="write bytes, or text such as 512MiB",
            )
        values["memory"] = size
    return Resources(**values)


def _known(option: str, given: Mapping[str, Any], kind: type[Retry | Resources]) -> None:
    if not isinstance(given, Mapping):
        raise UsageError(f"{option}={given!r} is no mapping")
    names = [field.name for field in fields(kind)]
    for name in given:
        if name not in names:
            raise UsageError(
                f"{option}: unknown key {name!r}{did_you_mean(name, names)}",
                help=f"{option} takes {', '.join(names)}",
            )
