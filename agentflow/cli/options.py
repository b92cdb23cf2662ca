"""The arguments and options that several verbs share, each with its help, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

Spec = Annotated[
    str,
    Parameter(
        name="SPEC",
        help="A workflow's file, FILE.py:NAME, MODULE:NAME, or the name of a stored workflow.",
    ),
]

Reference = Annotated[
    str,
    Parameter(
        name="ID",
        help="An execution's id, a unique prefix of it, @last or @last-failed.",
    ),
]

Input = Annotated[
    str | None,
    Parameter(
        name="--input",
        metavar="JSON|@FILE|-",
        allow_leading_hyphen=True,
        help="The input: JSON, a file with JSON, or standard input.",
    ),
]

AsJson = Annotated[
    bool,
    Parameter(
        name="--json",
        negative="",
        show_default=False,
        help="Print exactly one JSON object on stdout, also when something fails.",
    ),
]

Verbose = Annotated[
    bool,
    Parameter(
        name=("--verbose", "-v"),
        negative="",
        show_default=False,
        help="Tell more: also when steps begin.",
    ),
]

Quiet = Annotated[
    bool,
    Parameter(
        name=("--quiet", "-q"), negative="", show_default=False, help="No progress, only errors."
    ),
]

ExecutorName = Literal["ray", "inline"]

StatusName = Literal["running", "waiting", "succeeded", "failed", "cancelled"]

Executor = Annotated[
    ExecutorName | None,
    Parameter(
        metavar="ray|inline",
        show_default=False,
        show_choices=False,
        help="Run functions on Ray (the default) or in this process. [env: AGENTFLOW_EXECUTOR]",
    ),
]

Ray = Annotated[
    str | None,
    Parameter(
        name="--ray",
        metavar="ADDRESS",
        show_default=False,
        help="Run on a Ray cluster: auto or HOST:PORT joins it from one of its nodes, job:URL "
        "submits to its dashboard from anywhere. [env: RAY_ADDRESS]",
    ),
]

Dashboard = Annotated[
    str | None,
    Parameter(
        name="--ray",
        metavar="job:URL",
        show_default=False,
        help="Ask the journal on the Ray cluster with this dashboard, instead of the one here.",
    ),
]

From = Annotated[
    str | None,
    Parameter(
        name="--from",
        metavar="aws",
        show_default=False,
        help="SPEC is a definition of this cloud: an AWS state machine, JSON or YAML.",
    ),
]

Symbol = Annotated[
    list[str] | None,
    Parameter(
        negative="",
        metavar="NAME=VALUE",
        show_default=False,
        help="With --from: a value for `${NAME}` in the definition; may be given again.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Simulation:
    """What does the work of a definition of a cloud."""

    functions: Annotated[
        str | None,
        Parameter(
            metavar="MODULE",
            show_default=False,
            help="With --from: a module or file whose functions stand in for Lambda functions.",
        ),
    ] = None
    stubs: Annotated[
        str | None,
        Parameter(
            metavar="FILE",
            show_default=False,
            help="With --from: answers by state, function, ARN or service:action; YAML or JSON.",
        ),
    ] = None
    symbol: Symbol = None
    real_time: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="With --from: really wait, where the definition waits.",
        ),
    ] = False


Cloud = Annotated[
    str | None,
    Parameter(
        name="--target",
        metavar="aws",
        show_default=False,
        help="Ask this cloud, instead of the journal here.",
    ),
]

Region = Annotated[
    str | None,
    Parameter(
        metavar="REGION",
        show_default=False,
        help="The cloud's region. [default: `region` under `targets`; env: AWS_REGION]",
    ),
]

Endpoint = Annotated[
    str | None,
    Parameter(
        name="--endpoint-url",
        metavar="URL",
        show_default=False,
        help="Another endpoint than the cloud's own: an emulator. [env: AWS_ENDPOINT_URL]",
    ),
]

TargetSettings = Annotated[
    Sequence[str],
    Parameter(
        name="--option",
        metavar="NAME=VALUE",
        negative="",
        show_default=False,
        help="A setting of the target, over `targets` in the spec; may be repeated.",
    ),
]

Data = Annotated[
    str | None,
    Parameter(
        name="--data",
        metavar="JSON|@FILE|-",
        allow_leading_hyphen=True,
        help="What the message carries; null if not given.",
    ),
]
