"""Jobs of other systems: started, watched, released, undone."""

from __future__ import annotations

from typing import Any

from agentflow import Context, Fault

Json = Any


def start(name: str) -> str:
    """Start a job; its id.

    Raises:
        Fault: QuotaExceeded.
    """
    if name == "huge":
        raise Fault("QuotaExceeded", "too large", data={"name": name})
    return f"job-{name}"


def status(job: str, round: int) -> str:
    """How a job does; `job-quick` is done at once, `job-broken` fails, others take three rounds."""
    if job == "job-broken":
        return "failed" if round else "running"
    return "done" if job == "job-quick" or round >= 2 else "running"


def result(job: str) -> dict[str, str]:
    """What a job gave."""
    return {"file": f"{job}.json"}


def fetch(url: str, *, context: Context) -> str:
    """Get something from a server that is busy at first, or gone.

    Raises:
        Fault: Busy, Gone.
    """
    if url.endswith("/gone"):
        raise Fault("Gone", "it is not there any more")
    if url.endswith("/busy") and context.attempt < 3:
        raise Fault("Busy", f"attempt {context.attempt}")
    return f"content of {url}"


def deploy(version: str, slot: str) -> str:
    """Bring a version to a slot."""
    return f"{version} in {slot}"


def health(version: str, share: int = 100) -> dict[str, Json]:
    """How a version does; `bad` ones fail, `shaky` ones when they get half of the traffic."""
    failing = version.startswith("bad") or (version.startswith("shaky") and share >= 50)
    return {"healthy": not failing, "errors": 9 if failing else 0}


def switch_traffic(to: str, share: int = 100) -> str:
    """Send a share of the traffic to a slot or version."""
    return f"{share}% to {to}"


def write_replica(replica: str, value: str) -> str:
    """Write to a replica.

    Raises:
        Fault: ReplicaDown.
    """
    if replica.endswith("-down"):
        raise Fault("ReplicaDown", f"{replica} does not answer")
    return f"{replica}={value}"


def lock(name: str) -> str:
    """Take a lock."""
    return f"lock-{name}"


def unlock(lock: str) -> str:
    """Give it back."""
    return f"free {lock}"


def dump(database: str) -> dict[str, Json]:
    """A database's content.

    Raises:
        Fault: DumpFailed.
    """
    if database == "corrupt":
        raise Fault("DumpFailed", "a page is damaged", data={"page": 7})
    return {"file": f"{database}.dump", "bytes": 100 * len(database)}


def verify(file: str, bytes: int) -> bool:
    """Whether a dump can be read."""
    return bytes > 0 and file.endswith(".dump")


def call_service(name: str, attempt: int) -> str:
    """A service that fails for the first calls: as many as its name says.

    Raises:
        Fault: ServiceDown.
    """
    failures = int(name.rpartition("-")[2])
    if attempt < failures:
        raise Fault("ServiceDown", f"{name} is down")
    return f"{name} answered"


def certificate(host: str) -> dict[str, Json]:
    """A host's certificate."""
    return {"host": host, "days": 5 if host.startswith("old") else 200}


def renew(host: str) -> dict[str, str]:
    """A challenge to prove that a host is ours."""
    return {"host": host, "token": f"token-{host}"}


def issue(host: str, proof: str) -> str:
    """A certificate for a proof.

    Raises:
        Fault: ChallengeFailed.
    """
    if proof != f"proof of token-{host}":
        raise Fault("ChallengeFailed", f"wrong proof for {host}", data={"host": host})
    return f"{host}.pem"
