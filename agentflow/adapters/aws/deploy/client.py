"""The account: its clients, who we are in it, and its refusals as errors with a remedy."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from agentflow.adapters.aws.deploy.iam import Arns
from agentflow.errors import AgentFlowError, Conflict, NotAllowed, Unavailable, UsageError

T = TypeVar("T")

ATTEMPTS = 8
"""Of one request: throttling and failures of the service are repeated by boto3."""
FIRST_ATTEMPTS = 3
"""Of the first request: what is wrong with the way to AWS is told soon."""
CONNECTING = 10
"""Seconds in which a connection is made."""
LONGEST_CALL = 920
"""Seconds that an answer may take: a little more than Lambda lets an invocation."""
PATIENCE = 60.0
"""Seconds in which a new role becomes known everywhere."""

_FORBIDDEN = ("403", "AccessDenied", "UnauthorizedOperation", "Forbidden", "NotAuthorized")
_BAD_CREDENTIALS = (
    "UnrecognizedClient",
    "InvalidClientTokenId",
    "ExpiredToken",
    "SignatureDoesNotMatch",
    "InvalidSignature",
    "IncompleteSignature",
    "RequestExpired",
)
_THROTTLED = ("Throttling", "TooManyRequests", "RequestLimitExceeded", "SlowDown")
_CONTENDED = (
    "ConcurrentModification",
    "Conflict",
    "EntityAlreadyExists",
    "OperationAborted",
    "PreconditionFailed",
    "ResourceConflict",
    "ResourceInUse",
    "StateMachineAlreadyExists",
)
"""How AWS tells that something was made or changed between a look at it and a request."""
_FULL = ("CodeStorageExceeded", "ServiceQuotaExceeded")
_USING = ("Invoke", "RedriveExecution", "SendTaskSuccess", "StartExecution", "StartSyncExecution")
"""What is no part of a deployment."""
_UNASSUMABLE = ("cannot be assumed", "authorized to assume")
"""How Lambda and Step Functions tell that they may not take a role, or not yet: the second says
that neither of its principals "is authorized to assume the provided role"."""
_UNREADY = (
    "authorized to access the Log Destination",
    "authorized to create managed-rule",
    "execution role does not have permissions",
    "invalid for CreateGrant",
)
"""How they tell that a role may not do something, or not yet. The last is what Lambda makes of a
role that its encryption of variables does not know yet."""


class Refused(AgentFlowError):
    """AWS did not do what it was asked, for a reason of its own."""

    code = "AF015"
    exit_code = 7


@dataclass(frozen=True)
class Cloud:
    """Clients of one account and region."""

    functions: Any
    machines: Any
    iam: Any
    logs: Any
    tables: Any
    objects: Any
    events: Any
    arns: Arns
    patient: Callable[[str], Any]
    """Makes a client of a service for what takes long and is not to be done twice."""
    patience: float = PATIENCE
    delay: float = 1.0
    """Seconds between two looks at something that takes time."""


def connect(region: str | None = None, endpoint_url: str | None = None) -> Cloud:
    """The account that the environment's credentials are for.

    Without a region or an endpoint, `AWS_REGION` and `AWS_ENDPOINT_URL` say which; boto3 itself
    knows only `AWS_DEFAULT_REGION` and the profile.

    Raises:
        Unavailable: boto3 is not installed, or AWS cannot be reached.
        UsageError: no region is known, or the endpoint is no URL.
        NotAllowed: there are no credentials, or AWS does not take them.
    """
    boto3 = _boto3()
    endpoint_url = endpoint_url or os.environ.get("AWS_ENDPOINT_URL") or None
    if endpoint_url is not None and not re.match(r"https?://[^/\s]", endpoint_url):
        raise UsageError(
            f"`{endpoint_url}` is no URL of an endpoint", help="--endpoint-url http://HOST:PORT"
        )
    with told("connecting"):
        clients = _Clients(_session(boto3, region), endpoint_url)
        identity = clients.client("sts", FIRST_ATTEMPTS).get_caller_identity()
        partition = identity["Arn"].split(":")[1]
        return Cloud(
            functions=clients.client("lambda"),
            machines=clients.client("stepfunctions"),
            iam=clients.client("iam"),
            logs=clients.client("logs"),
            tables=clients.client("dynamodb"),
            objects=clients.client("s3"),
            events=clients.client("events"),
            arns=Arns(partition, clients.session.region_name, identity["Account"]),
            patient=lambda service: clients.client(service, attempts=1, seconds=LONGEST_CALL),
        )


def _boto3() -> Any:
    try:
        import boto3  # type: ignore[import-untyped]  # it has no types
    except ImportError:
        raise Unavailable(
            "deploying to AWS needs boto3, which is not installed",
            help="pip install 'inferloop-agentflow[aws]'",
        ) from None
    return boto3


def _session(boto3: Any, region: str | None) -> Any:
    """What boto3 makes clients of, for a region that is known."""
    session = boto3.Session(region_name=region or os.environ.get("AWS_REGION") or None)
    if session.region_name is None:
        raise UsageError(
            "no AWS region is chosen",
            help="--region REGION, `region` under targets.aws, or AWS_REGION",
        )
    return session


@dataclass(frozen=True, slots=True)
class _Clients:
    """Makes clients of services, for AWS itself or an endpoint that stands for it."""

    session: Any
    endpoint_url: str | None

    def client(self, service: str, attempts: int = ATTEMPTS, seconds: int = 60) -> Any:
        """A client that asks so often, and waits so long for each answer."""
        from botocore.config import Config  # type: ignore[import-untyped]  # it has no types

        is_aws = self.endpoint_url is None
        config = Config(
            connect_timeout=CONNECTING,
            read_timeout=seconds,
            retries={"mode": "standard", "total_max_attempts": attempts},
            tcp_keepalive=True,
            inject_host_prefix=is_aws,  # else `sync-` before the endpoint's name
            s3={"addressing_style": "auto" if is_aws else "path"},  # likewise
        )
        return self.session.client(service, endpoint_url=self.endpoint_url, config=config)


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Refusals of AWS become errors that say what to do; `doing` says what was tried.

    Raises:
        NotAllowed, Unavailable, Conflict, Refused: as AWS refuses.
        UsageError: AWS would not be asked for this: a name is empty, a region is none.
    """
    from botocore import exceptions, parsers  # type: ignore[import-untyped]  # it has no types

    try:
        yield
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.TokenRetrievalError,
        exceptions.SSOError,
    ) as error:
        raise NotAllowed(f"{doing}: {error}", help=_LOG_IN) from error
    except exceptions.ProfileNotFound as error:
        raise UsageError(
            str(error), help="`aws configure list-profiles` shows what there is"
        ) from error
    except exceptions.InvalidRegionError as error:
        raise UsageError(str(error), help="a region is written like eu-north-1") from error
    except exceptions.ClientError as error:
        raise _refusal(doing, error) from error
    except exceptions.WaiterError as error:
        raise Refused(
            f"{doing}: {error}", help="look at it in the AWS console, then deploy again"
        ) from error
    except exceptions.ParamValidationError as error:
        raise UsageError(
            f"{doing}: {_line(str(error))}", help="correct the name or value"
        ) from error
    except parsers.ResponseParserError as error:
        raise Unavailable(
            f"{doing}: what answers is not AWS", help="check --endpoint-url and AWS_ENDPOINT_URL"
        ) from error
    except exceptions.BotoCoreError as error:
        raise Unavailable(
            f"{doing}: {error}", help="check the network, the region and --endpoint-url"
        ) from error


_LOG_IN = "`aws configure` or `aws sso login`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"


def _refusal(doing: str, error: Any) -> AgentFlowError:
    code = error_code(error)
    words = _line(error.response["Error"].get("Message", ""))
    message = f"{doing}: AWS refuses {error.operation_name} ({code or 'no code'}): {words}"
    if any(each in words for each in _UNASSUMABLE):
        return NotAllowed(
            message, help="the service must be in the role's trust policy; see `role` in the docs"
        )
    if any(each in words for each in _UNREADY):
        return NotAllowed(message, help="the role that it is about needs this permission")
    if code.startswith(_FORBIDDEN):
        return NotAllowed(
            message, help="the user or role of these credentials needs this permission"
        )
    if code.startswith(_BAD_CREDENTIALS):
        return NotAllowed(message, help=_LOG_IN)
    if code.startswith(_THROTTLED):
        return Unavailable(
            message, help="wait a little and try again: a deployment goes on where it stopped"
        )
    if code in _CONTENDED:
        return Conflict(message, help="somebody else may be deploying the same; deploy once more")
    return Refused(message, help=_after(code, error.operation_name))


def _line(words: str) -> str:
    """Words on one line; what is no answer of AWS may be a whole page."""
    return textwrap.shorten(words, 1000, placeholder=" …")


def _after(code: str, operation: str) -> str:
    """What to do about a refusal that is of no kind of its own."""
    if code in _FULL:
        return (
            "`agentflow deploy SPEC --target aws --prune` deletes versions that nothing needs "
            "any more; Service Quotas in the AWS console shows what there may be"
        )
    if code == "NoSuchBucket":
        return "`aws s3 mb s3://BUCKET` makes it, in the region of the workflow"
    if operation in _USING:
        return "nothing has changed; correct what AWS names, and try again"
    return "a deployment that stops here goes on from here when it is made again"


def error_code(error: Any) -> str:
    """The name of a refusal, without what some services put around it."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code.rpartition("#")[2].removesuffix("Exception")


def found(get: Callable[[], T], *absent: str) -> T | None:
    """What `get` gives, `None` if AWS says by one of these names that it is not there."""
    from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # as above

    try:
        return get()
    except ClientError as error:
        if error_code(error) in absent:
            return None
        raise


def with_new_role(cloud: Cloud, make: Callable[[], T]) -> T:
    """Do what needs a role so new, it or its permissions, that not everyone may know it yet."""
    from botocore.exceptions import ClientError
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

    def is_too_new(error: BaseException) -> bool:
        words = str(error)
        return isinstance(error, ClientError) and any(
            each in words for each in (*_UNASSUMABLE, *_UNREADY)
        )

    repeated = Retrying(
        retry=retry_if_exception(is_too_new),
        stop=stop_after_delay(cloud.patience),
        wait=wait_fixed(cloud.delay),
        reraise=True,
    )
    return repeated(make)
