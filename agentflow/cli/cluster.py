"""Where `--ray` leads, a cluster that is joined or given a job; and where `--target` leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow.errors import UsageError

if TYPE_CHECKING:
    from agentflow.cli.options import ExecutorName

_JOB = "job:"
_USUAL = "http://127.0.0.1:8265"
"""Where a dashboard is that nobody has put elsewhere."""


def check_cloud(target: str | None, **options: str | None) -> None:
    """Refuse options of the way to a cloud, by their names, where no cloud is meant.

    Raises:
        UsageError: one is given without `--target`.
    """
    for name, given in options.items():
        if target is None and given is not None:
            raise UsageError(
                f"--{name.replace('_', '-')} has no effect here: it is for a cloud",
                help="--target aws",
            )


def check_here(target: str | None, **options: str | None) -> None:
    """Refuse options for what runs here, by their names, where a cloud is meant.

    Raises:
        UsageError: one is given beside `--target`.
    """
    for name, given in options.items():
        if target is not None and given is not None:
            raise UsageError(
                f"--{name} and --target contradict each other", help="leave one of them out"
            )


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
    check_here(target, ray=ray)
    url = job_url(ray, None)
    if ray is not None and url is None:
        raise UsageError(
            f"--ray {ray} joins a cluster, and this verb runs nothing",
            help=f"a journal on a cluster is asked by a job: --ray {_JOB}{_USUAL}",
        )
    return url
