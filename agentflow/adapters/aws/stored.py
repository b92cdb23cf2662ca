"""Maps whose results go through S3: more than 256 KiB of them, combined by `reduce`.

The service writes the outcomes into the bucket. One invocation of the handler reads and combines
them, and only what is left in the end comes back into the state machine.
"""

from __future__ import annotations

from dataclasses import fields, replace

from agentflow.adapters.aws.calls import RESULT, is_recorded
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.instances import is_agent
from agentflow.adapters.aws.results import StoredMap
from agentflow.adapters.aws.settings import Settings
from agentflow.adapters.aws.templates import query, source
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import LAMBDA, Writer, transient
from agentflow.errors import Json
from agentflow.spec.expressions.template import walk_names
from agentflow.spec.model import Map, Reduce, Retry, Step, Workflow


def why_not(reduce: Reduce) -> str | None:
    """Why results cannot be combined by one invocation; `None` if they can."""
    if reduce.timeout is not None:
        return "its `reduce` has a time limit, which ends a whole invocation"
    if is_agent(reduce.function):
        return "its `reduce` calls an agent, which serves one call at a time"
    if is_recorded(reduce.arguments):
        return "the arguments of its `reduce` read the time or chance"
    return None


def with_stored(map_: Map, workflow: Workflow) -> Map:
    """The map with its `reduce` out of the way of the passes, and with the workflow's defaults."""
    reduce = map_.reduce
    if reduce is None or why_not(_complete(reduce, workflow)) is not None:
        return map_
    plain = {each.name: getattr(map_, each.name) for each in fields(Map)}
    return StoredMap(**{**plain, "reduce": None}, combine=_complete(reduce, workflow))


def _complete(reduce: Reduce, workflow: Workflow) -> Reduce:
    timeout = workflow.call_timeout if reduce.timeout is None else reduce.timeout
    return replace(reduce, retry=reduce.retry or workflow.retry, timeout=timeout)


def place(settings: Settings) -> tuple[str, str]:
    """The bucket, and what the names of objects in it begin with."""
    assert settings.results is not None
    bucket, _, prefix = settings.results.partition("/")
    return bucket, prefix.strip("/")


def stored(w: Writer, step: Step, name: str, state: State) -> str:
    """Add a Map that writes its results to S3; gives the variable that says where they are."""
    where, following = w.variable(f"{step.id}_results"), Label()
    kept = {where: "{% $states.result.ResultWriterDetails %}"}
    written = {**state, "ResultWriter": _writer(w), "Assign": kept}
    w.add(name, {**written, "Next": following, **w.catch()})
    w.scope.place(following)
    return where


def _writer(w: Writer) -> State:
    bucket, prefix = place(w.settings)
    w.use("bucket", f"{bucket}/{prefix}/*" if prefix else f"{bucket}/*", "s3:PutObject")
    arguments = {"Bucket": bucket, **({"Prefix": prefix} if prefix else {})}
    return {"Resource": "arn:aws:states:::s3:putObject", "Arguments": arguments}


def write_combining(w: Writer, step: Step, where: str, names: Names, after: After) -> None:
    """The Task that combines the results in S3."""
    map_ = step.action
    assert isinstance(map_, StoredMap)
    reduce = map_.combine
    assert reduce is not None
    what = f"Lambda, {reduce.function}, from S3"
    w.report.add(f"{w.path.plain}.reduce", "native", what, step.span)
    w.note(
        f"the results of `{step.id}` are combined by one invocation of {reduce.function}'s Lambda, "
        "which takes 15 minutes at most"
    )
    w.needs_helper = True
    w.functions.add(reduce.function)
    w.use("function", w.settings.handler, "lambda:InvokeFunction")
    read = dict.fromkeys(n for n, _ in walk_names(reduce.arguments) if n != "items")
    asked: State = {
        "results": f"{{% ${where} %}}",
        "arity": reduce.arity,
        "with": source(reduce.arguments),
        "names": {each: query(names[each].text) for each in read},
        "tolerate": {"share" if isinstance(map_.tolerate, float) else "count": map_.tolerate},
        "retry": _policy(reduce.retry),
    }
    payload = {"function": reduce.function, "reduce": asked, **w.about()}
    task = {
        "Type": "Task",
        "Resource": LAMBDA,
        "Arguments": {"FunctionName": w.settings.handler, "Payload": payload},
        "Retry": [transient()],
    }
    w.add(w.name("reduce"), {**task, **w.ending(after, query(RESULT)), **w.catch()})


def _policy(retry: Retry | None) -> Json:
    if retry is None:
        return None
    return {
        "on": list(retry.on),
        "max_attempts": retry.max_attempts,
        "interval": retry.interval,
        "backoff": retry.backoff,
        "max_interval": retry.max_interval,
        "jitter": retry.jitter,
    }
