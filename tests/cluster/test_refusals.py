"""What keeps a run from a cluster is said in one message, with no word of Ray's own."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib.metadata import version

import pytest

from agentflow.cli.dispatch import dispatch
from tests.cluster.conftest import HERE, Commands, Done, Head

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RUN = ("agentflow", "run", "specs/where.yaml", "--input", '{"text": ""}')
NO_TOKEN = {"RAY_AUTH_TOKEN_PATH": ""}
WRONG_TOKEN = {**NO_TOKEN, "RAY_AUTH_TOKEN": "f" * 64}


def message(done: Done) -> str:
    """The message of a command that could not reach its cluster."""
    assert (done.code, done.out) == (7, ""), done.err
    kept = [line for line in done.err.splitlines() if "starting Ray" not in line]
    assert len(kept) == 2, done.err
    assert kept[0].startswith("error[AF007]: ")
    assert kept[1].startswith("  help: ")
    return kept[0].removeprefix("error[AF007]: ")


@pytest.mark.parametrize(
    ("place", "variables", "said"),
    [
        (lambda head: "127.0.0.1:1", {}, "Ray at 127.0.0.1:1 cannot be reached: Conn"),
        (lambda head: head.address, NO_TOKEN, "RAY_AUTH_MODE is `token`, but there is no token"),
        (lambda head: head.address, WRONG_TOKEN, "Ray at ADDRESS refuses the token"),
        (lambda head: f"job:{head.dashboard}", WRONG_TOKEN, "Ray refuses the token"),
    ],
    ids=["nobody", "no token", "wrong token", "wrong token for a job"],
)
def test_a_cluster_that_is_not_there_or_does_not_want_us(
    head: Head,
    command: Commands,
    place: Callable[[Head], str],
    variables: dict[str, str],
    said: str,
) -> None:
    variables = {"HOME": str(command.project), **variables}  # where no token lies about
    done = command(*RUN, "--ray", place(head), **variables)
    assert message(done).startswith(said.replace("ADDRESS", head.address))


def test_a_cluster_of_another_version(head: Head, command: Commands) -> None:
    true = head.change(ray_version="2.1.0", python_version="3.8.1")
    try:
        done = command(*RUN, *head.join)
    finally:
        head.change(**true)
    here = f"here are Ray {version('ray')} and Python {platform.python_version()}"
    assert f"has Ray 2.1.0 and Python 3.8.1, {here}" in message(done)


def test_a_project_that_is_too_large_to_upload(head: Head, command: Commands) -> None:
    (command.project / "archive.bin").write_bytes(b"x" * 300_000)
    done = command(*RUN, *head.job, RAY_max_grpc_message_size="200000")
    assert "is too large to upload: 0.3 MiB, and Ray takes 0.2 MiB" in message(done)
    assert "largest: archive.bin (0.3 MiB)" in done.err


def test_a_refusal_is_one_json_object(head: Head, command: Commands) -> None:
    done = command(*RUN, "--json", "--ray", "job:http://127.0.0.1:1")
    assert done.code == 7
    error = json.loads(done.out)["error"]
    assert error["code"] == "AF007"
    assert error["message"].startswith("the Ray cluster at http://127.0.0.1:1 cannot be reached")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ray://10.0.0.1:10001", "--ray job:http://10.0.0.1:8265"),
        ("http://10.0.0.1:8265", "--ray job:http://10.0.0.1:8265"),
        ("job:10.0.0.1:8265", "is no URL of a Ray dashboard"),
        ("somewhere", "is no address of a Ray cluster"),
    ],
)
def test_an_address_of_another_kind_is_wrong_usage(
    address: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HERE / "project")
    assert dispatch([*RUN[1:], "--ray", address]) == 2
    assert said in capsys.readouterr().err
