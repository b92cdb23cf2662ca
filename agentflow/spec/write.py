"""A workflow as the spec a person would have written: `parse` reads it back to the same model.

    to_data   the spec as plain data
    to_yaml   the same as YAML text

Fields stand in the order of the reference, those at their defaults are left out, and short forms
are used. The same workflow always gives the same text.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentflow.errors import MAX_INTEGER, Json
from agentflow.functions.durations import parse_duration
from agentflow.spec import write_yaml
from agentflow.spec.expressions.template import Expression, Interpolation, Template
from agentflow.spec.model import (
    Action,
    Block,
    Call,
    Catch,
    Compensation,
    Duration,
    Emit,
    Fork,
    Listen,
    Loop,
    Map,
    Pipeline,
    Raise,
    Reduce,
    Resources,
    Retry,
    Return,
    Run,
    Saga,
    Set,
    Stage,
    State,
    States,
    Step,
    Switch,
    Try,
    Wait,
    Workflow,
)

_ITEMS = {"items": Expression("items", None, None)}  # type: ignore[arg-type]  # compared by source
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_DIGITS = 24
"""Decimals of a percentage, enough for any share that is a float."""
_SIZES = (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


def to_data(workflow: Workflow) -> dict[str, Json]:
    """The spec of a workflow as JSON data, fields in the order of the reference."""
    return _Writer().workflow(workflow)


def to_yaml(workflow: Workflow, *, places: bool = False) -> str:
    """The spec of a workflow as YAML.

    With `places`, a comment at each step says where it came from; `places.restored` reads them.
    """
    writer = _Writer()
    data = writer.workflow(workflow)
    return write_yaml.document(data, writer.places if places else {})


class _Writer:
    """Makes the data of one workflow; `places` remembers which object is which step."""

    def __init__(self) -> None:
        self.places: dict[int, str] = {}
        """Where a step came from, by the `id()` of its object."""

    def workflow(self, workflow: Workflow) -> dict[str, Json]:
        defaults = _given(
            retry=_retry(workflow.retry),
            timeout=_duration(workflow.call_timeout),
        )
        return {
            "workflow": workflow.name,
            "version": workflow.version,
            **_given(description=workflow.description or None, input=workflow.input),
            "do": self.block(workflow.do),
            **({"output": template(workflow.output)} if workflow.has_output else {}),
            **_given(
                defaults=defaults or None,
                timeout=_duration(workflow.timeout),
                secrets=list(workflow.secrets) or None,
                targets=workflow.targets,
                concurrency=workflow.concurrency,
                labels=workflow.labels or None,
            ),
        }

    def block(self, block: Block) -> list[Json]:
        return [self.step(step) for step in block.steps]

    def step(self, step: Step) -> dict[str, Json]:
        data = {
            "id": step.id,
            **_given(description=step.description or None),
            **({} if step.when is None else {"if": template(step.when)}),
            **self.action(step.action),
            **_given(
                timeout=_duration(step.timeout),
                retry=_retry(step.retry),
                catch=self.catch(step.catch),
            ),
        }
        self.places[id(data)] = str(step.span)
        return data

    def catch(self, handlers: Sequence[Catch]) -> list[Json] | None:
        return [self.handler(handler) for handler in handlers] or None

    def handler(self, handler: Catch) -> dict[str, Json]:
        on = None if handler.on == ("*",) else _names(handler.on)
        named = {} if handler.bind is None else {"as": handler.bind}
        return {**_given(on=on), **named, "do": self.block(handler.do)}

    def action(self, action: Action) -> dict[str, Json]:
        """The verb of a step and what belongs to it."""
        match action:
            case Call():
                return _call(action)
            case Set(names):
                return {"set": {name: template(value) for name, value in names.items()}}
            case Switch(cases, otherwise):
                listed = [
                    {"when": template(case.when), "do": self.block(case.do)} for case in cases
                ]
                end = {} if otherwise is None else {"else": self.block(otherwise)}
                return {"switch": listed, **end}
            case Fork(branches, join):
                named = {name: {"do": self.block(block)} for name, block in branches.items()}
                return {"fork": named, **_given(join=_join(join, len(branches)))}
            case Map():
                return self.map(action)
            case Loop():
                return {"loop": self.loop(action)}
            case Try(do, catch, final):
                end = {} if final is None else {"finally": self.block(final)}
                return {"try": {"do": self.block(do), **_given(catch=self.catch(catch)), **end}}
            case Saga(do):
                return {"saga": {"do": self.block(do)}}
            case Pipeline():
                return {"pipeline": self.pipeline(action)}
            case States(start, states, most):
                named = {name: self.state(state) for name, state in states.items()}
                return {"start": start, "states": named, **_given(max=_unless(1000, most))}
            case Listen():
                return _listen(action)
            case Wait(until):
                return {"wait": _number(until) if isinstance(until, float) else template(until)}
            case Emit(type, data, source, subject):
                rest = _given(source=source, subject=subject, data=data)
                return {"emit": template({"type": type, **rest})}
            case Run(name, given):
                return {"run": name, **({} if given == {} else {"with": template(given)})}
            case Raise(error):
                return {"raise": template(error)}
            case Return(value):
                return {"return": template(value)}

    def map(self, action: Map) -> dict[str, Json]:
        return {
            "map": template(action.items),
            **_bind(action.bind),
            **_given(index=action.index),
            **self.body(action.body),
            **_given(
                concurrency=action.concurrency,
                batch=action.batch,
                tolerate=_tolerate(action.tolerate),
                reduce=None if action.reduce is None else _reduce(action.reduce),
            ),
        }

    def body(self, body: Call | Block) -> dict[str, Json]:
        return _call(body) if isinstance(body, Call) else {"do": self.block(body)}

    def loop(self, action: Loop) -> dict[str, Json]:
        if action.condition is None:
            head = {"for": template(action.items), **_bind(action.bind or "item")}
        else:
            head = {"until" if action.until else "while": template(action.condition)}
        rounds = _given(index=action.index, max=_unless(1000, action.max))
        return {**head, **rounds, "do": self.block(action.do)}

    def pipeline(self, action: Pipeline) -> dict[str, Json]:
        source = action.source
        return {
            "from": _call(source) if isinstance(source, Call) else template(source),
            **_bind(action.bind),
            "stages": [self.stage(stage) for stage in action.stages],
            **_given(
                buffer=_unless(16, action.buffer),
                reduce=None if action.reduce is None else _reduce(action.reduce),
            ),
        }

    def stage(self, stage: Stage) -> dict[str, Json]:
        return {
            "id": stage.id,
            **self.body(stage.body),
            **_given(
                concurrency=_unless(1, stage.concurrency),
                retry=_retry(stage.retry),
                timeout=_duration(stage.timeout),
            ),
        }

    def state(self, state: State) -> dict[str, Json]:
        data: dict[str, Json] = {"do": self.block(state.do)} if state.do.steps else {}
        match state.next:
            case ():
                return {**data, "end": True}
            case (only,) if only.when is None:
                return {**data, "next": only.to}
            case several:
                ways = [
                    {**({} if way.when is None else {"when": template(way.when)}), "to": way.to}
                    for way in several
                ]
                return {**data, "next": ways}


def template(value: Template) -> Json:
    """A template as it is written."""
    match value:
        case Expression(source):
            return f"${{ {source} }}"
        case Interpolation(parts):
            return "".join(_parts(parts))
        case str():
            return _escaped(value)
        case dict():
            return {key: template(each) for key, each in value.items()}
        case list() | tuple():
            return [template(each) for each in value]
        case _:
            return value


def _parts(parts: Sequence[str | Expression]) -> list[str]:
    """The pieces of a text; a `$` before an expression would be read as the escape `$${`."""
    pieces = []
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        if isinstance(part, Expression):
            pieces.append(f"${{ {part.source} }}")
            continue
        text = part.rstrip("$") if isinstance(after, Expression) else part
        dollars = part[len(text) :]
        pieces.append(_escaped(text) + (f'${{ "{dollars}" }}' if dollars else ""))
    return pieces


def _escaped(text: str) -> str:
    return text.replace("${", "$${")


def _call(call: Call | Reduce | Compensation) -> dict[str, Json]:
    data: dict[str, Json] = {"call": call.function}
    if call.arguments:
        data["with"] = template(call.arguments)
    data |= _given(key=template(call.key))
    if isinstance(call, Call):
        data |= _given(
            resources=None if call.resources is None else _resources(call.resources),
            execution="at_most_once" if call.at_most_once else None,
            compensate=None if call.compensate is None else _compensation(call.compensate),
        )
    return data


def _compensation(undo: Compensation) -> dict[str, Json]:
    return {**_call(undo), **_given(retry=_retry(undo.retry), timeout=_duration(undo.timeout))}


def _reduce(reduce: Reduce) -> dict[str, Json]:
    given = {} if reduce.arguments == _ITEMS else {"with": template(reduce.arguments)}
    return _given(
        call=reduce.function,
        **given,
        key=template(reduce.key),
        arity=_unless(16, reduce.arity),
        retry=_retry(reduce.retry),
        timeout=_duration(reduce.timeout),
    )


def _resources(resources: Resources) -> dict[str, Json]:
    return _given(
        num_cpus=_number(resources.num_cpus),
        num_gpus=_number(resources.num_gpus),
        memory=_memory(resources.memory),
        runtime_env=resources.runtime_env,
    )


def _listen(listen: Listen) -> dict[str, Json]:
    if listen.name is not None:
        correlation = template(listen.correlation)
        return {"listen": listen.name, **_given(correlation=correlation)}
    if listen.form is None and isinstance(listen.prompt, str | Expression | Interpolation):
        return {"approve": template(listen.prompt)}
    return {"approve": _given(message=template(listen.prompt), form=listen.form)}


def _retry(retry: Retry | None) -> dict[str, Json] | None:
    if retry is None:
        return None
    normal = Retry()
    return _given(
        on=None if retry.on == normal.on else list(retry.on),
        max_attempts=retry.max_attempts,
        interval=_seconds(_unless(normal.interval, retry.interval)),
        backoff=_number(_unless(normal.backoff, retry.backoff)),
        max_interval=_seconds(_unless(normal.max_interval, retry.max_interval)),
        jitter=_unless(normal.jitter, retry.jitter),
    )


def _duration(duration: Duration | None) -> Json:
    return template(duration) if isinstance(duration, Expression) else _seconds(duration)


def _seconds(seconds: float | None) -> Json:
    """Seconds as `1h30m` or `500ms`, or as a number where that is not exact."""
    if seconds is None:
        return None
    text, left = "", seconds
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        text += f"{count:.0f}{unit}" if count else ""
    if left:
        text += f"{round(left * 1000)}ms"
    return text if parse_duration(text) == seconds else _number(seconds)


def _number(number: Json) -> Json:
    """A whole number without a fraction; the fields it is for take both alike."""
    is_whole = isinstance(number, float) and number.is_integer() and abs(number) <= MAX_INTEGER
    return int(number) if is_whole else number


def _memory(size: int | None) -> Json:
    for unit, factor in _SIZES:
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return size


def _tolerate(tolerate: float) -> Json:
    if not isinstance(tolerate, float):
        return tolerate or None
    percents = [f"{tolerate * 100:.{digits}f}" for digits in range(_DIGITS)]
    return next((text for text in percents if float(text) / 100 == tolerate), percents[-1]) + "%"


def _join(join: int, branches: int) -> Json:
    if join == branches:
        return None
    return "any" if join == 1 else join


def _names(names: Sequence[str]) -> Json:
    return names[0] if len(names) == 1 else list(names)


def _bind(name: str) -> dict[str, Json]:
    return {} if name == "item" else {"as": name}


def _unless(normal: Json, value: Json) -> Json:
    return None if value == normal else value


def _given(**fields: Json) -> dict[str, Json]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
