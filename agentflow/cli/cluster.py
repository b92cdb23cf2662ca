"""Where `--ray` leads: to a cluster that this process joins, or to one that is given a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow.errors import UsageError

if TYPE_CHECKING:
    from agentflow.cli.options import ExecutorName

_JOB = "job:"
_USUAL = "http://127.0.0.1:8265"
"""Where a dashboard is that nobody has put elsewhere."""


def job_url(ray: str | None, executor: ExecutorName | None) -> str | None:
    """The dashboard that takes the command as a job; `None` if it runs from here.

    Raises:
        UsageError: the address is of no kind that leads anywhere, or another option contradicts.
    """
    if ray is None:
        return None
    if executor == "inline":
        raise UsageError(
            "--ray and --executor inline contradict each other", help="leave one of them out"
        )
    if ray.startswith(_JOB):
        url = ray.removeprefix(_JOB) or _USUAL
        if not url.startswith(("http://", "https://")):
            raise UsageError(
                f"`{url}` is no URL of a Ray dashboard", help=f"for instance --ray {_JOB}{_USUAL}"
            )
        return url.rstrip("/")
    from agentflow.runtime.executors.ray_attach import checked_address

    checked_address(ray)
    return None


def journal_url(ray: str | None, target: str | None = None) -> str | None:
    """The dashboard of the cluster whose journal is asked; `None` if it is the one here.

    Raises:
        UsageError: there is no way to ask at such an address, or another option contradicts.
    """
    if ray is not None and target is not None:
        raise UsageError("--ray and --target contradict each other", help="leave one of them out")
    url = job_url(ray, None)
    if ray is not None and url is None:
        raise UsageError(
            f"--ray {ray} joins a cluster, and this verb runs nothing",
            help=f"a journal on a cluster is asked by a job: --ray {_JOB}{_USUAL}",
        )
    return url
