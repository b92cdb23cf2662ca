"""The language in one table: every object, its fields, what they hold and what they mean.

`parse` finds unknown keys with it, `schema` writes the JSON Schema for editors from it, and
`reference` the pages of docs/reference. What a kind of value accepts is in `kinds`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object."""

    name: str
    kind: str
    """A key of `kinds.KINDS` or of `SHAPES`; `steps` is a block."""
    meaning: str
    required: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """An object with a closed set of fields."""

    name: str
    """How messages call it: "a step", "`retry`"."""
    fields: tuple[Field, ...]
    one_of: tuple[tuple[str, ...], ...] = ()
    """Groups of fields of which exactly one must be there."""

    def names(self) -> tuple[str, ...]:
        """The names of all fields."""
        return tuple(field.name for field in self.fields)


@dataclass(frozen=True, slots=True)
class Verb:
    """What a step does: the field that names it, and those that stand beside it."""

    name: str
    meaning: str
    example: str
    """A step, as YAML."""
    fields: tuple[Field, ...]
    """The first one is the verb's own."""
    one_of: tuple[tuple[str, ...], ...] = ()
    no_catch: bool = False
    """Whether the step-level `catch` is refused."""


_DO = Field("do", "steps", "The steps, in order.", required=True)
_AS = Field("as", "identifier", "The name the item is read by.", default="item")
_INDEX = Field("index", "identifier", "The name its position is read by, counting from 0.")
_WITH = Field("with", "arguments", "The function's keyword arguments.", default="{}")
_KEY = Field(
    "key",
    "key",
    "Which instance of an agent the call reaches; without it, the execution's own.",
)
_RESOURCES = Field("resources", "resources", "What the call asks of the cluster.")
_RETRY = Field("retry", "retry", "When and how a failed attempt is made again.")
_TIMEOUT = Field("timeout", "duration", "How long one attempt may take.")
_CATCH = Field("catch", "catch", "Handlers; the first whose `on` matches the error runs.")
_CALL = Field("call", "function", "The function to invoke.", required=True)

WORKFLOW = Shape(
    "a workflow",
    (
        Field("workflow", "name", "The workflow's name.", required=True),
        Field("version", "text", "The version, in quotes.", default='"1.0.0"'),
        Field("description", "text", "What it is for."),
        Field("input", "schema", "JSON Schema of the input, checked when an execution starts."),
        Field("do", "steps", "The steps, in order.", required=True),
        Field("output", "template", "The result; without it, that of the last executed step."),
        Field("defaults", "defaults", "Retry and timeout of calls that state none."),
        Field("timeout", "duration", "How long an execution may take."),
        Field("secrets", "names", "Names of secrets its functions may read."),
        Field("functions", "functions", "Short names for import paths of functions."),
        Field("targets", "targets", "Settings for each target, such as memory or region."),
        Field("concurrency", "count", "Calls in flight at once, in one execution."),
        Field("labels", "labels", "Texts to find executions by."),
    ),
)

STEP = Shape(
    "a step",
    (
        Field("id", "identifier", "Its name; later steps read its result by it.", required=True),
        Field("description", "text", "What it is for."),
        Field("if", "condition", "Skip the step unless this holds; its result is then null."),
        _TIMEOUT,
        _RETRY,
        _CATCH,
    ),
)
"""What any step may carry; its verb adds more."""

SHAPES: dict[str, Shape] = {
    "defaults": Shape("`defaults`", (_RETRY, _TIMEOUT)),
    "targets": Shape(
        "`targets`",
        (
            Field("aws", "object", "Settings for AWS Step Functions."),
            Field("azure", "object", "Settings for Azure Logic Apps."),
            Field("gcp", "object", "Settings for GCP Workflows."),
            Field("ray", "object", "Settings for the Ray executor."),
        ),
    ),
    "retry": Shape(
        "`retry`",
        (
            Field("on", "errors", "Names of the errors to retry.", default='["*"]'),
            Field("max_attempts", "count", "Attempts in all, the first included.", default="3"),
            Field("interval", "seconds", "The pause before the second attempt.", default="1s"),
            Field("backoff", "factor", "What each pause is longer by.", default="2"),
            Field("max_interval", "seconds", "The longest pause.", default="60s"),
            Field("jitter", "jitter", "Whether pauses are shortened at random.", default="none"),
        ),
    ),
    "catch": Shape(
        "a handler of `catch`",
        (
            Field("on", "errors", "Names of the errors it handles.", default='"*"'),
            Field("as", "identifier", "The name the error is read by."),
            _DO,
        ),
    ),
    "resources": Shape(
        "`resources`",
        (
            Field("num_cpus", "amount", "CPUs, also parts of one."),
            Field("num_gpus", "amount", "GPUs, also parts of one."),
            Field("memory", "memory", "Memory: bytes, or a text such as `512MiB`."),
            Field("runtime_env", "object", "A Ray runtime environment."),
        ),
    ),
    "compensate": Shape(
        "`compensate`",
        (
            _CALL,
            Field("with", "arguments", "Its arguments; the call's own result is readable."),
            _KEY,
            _RETRY,
            _TIMEOUT,
        ),
    ),
    "case": Shape(
        "a case of `switch`",
        (Field("when", "condition", "Whether this case is taken.", required=True), _DO),
    ),
    "branch": Shape("a branch of `fork`", (_DO,)),
    "reduce": Shape(
        "`reduce`",
        (
            _CALL,
            Field(
                "with",
                "arguments",
                "Its arguments; `items` are at most `arity` partial results.",
                default="{items: ${ items }}",
            ),
            _KEY,
            Field("arity", "arity", "Partial results one call combines.", default="16"),
            _RETRY,
            _TIMEOUT,
        ),
    ),
    "loop": Shape(
        "`loop`",
        (
            Field("while", "condition", "Checked before each round; false ends the loop."),
            Field("until", "condition", "Checked after each round; true ends the loop."),
            Field("for", "template", "A list; one round for each item, in order."),
            _AS,
            _INDEX,
            Field("max", "count", "More rounds fail with `LoopLimit`.", default="1000"),
            _DO,
        ),
        one_of=(("while", "until", "for"),),
    ),
    "try": Shape(
        "`try`",
        (_DO, _CATCH, Field("finally", "steps", "Steps that run whatever happened.")),
    ),
    "saga": Shape("`saga`", (_DO,)),
    "source": Shape("`from`", (_CALL, _WITH)),
    "pipeline": Shape(
        "`pipeline`",
        (
            Field("from", "source", "A list, or the call of a generator.", required=True),
            _AS,
            Field("stages", "stages", "What each item goes through, in order.", required=True),
            Field("buffer", "count", "Items that may wait before each stage.", default="16"),
            Field("reduce", "reduce", "Combine the results as they come, until one is left."),
        ),
    ),
    "stage": Shape(
        "a stage of `pipeline`",
        (
            Field("id", "identifier", "Its name.", required=True),
            Field("call", "function", "The function each item goes through."),
            _WITH,
            _KEY,
            _RESOURCES,
            Field("do", "steps", "Or the steps each item goes through."),
            Field("concurrency", "count", "Items in the stage at once.", default="1"),
            _RETRY,
            _TIMEOUT,
        ),
        one_of=(("call", "do"),),
    ),
    "state": Shape(
        "a state",
        (
            Field("do", "steps", "What it does; nothing if missing."),
            Field("next", "next", "Where it goes: a state, or transitions tried in order."),
            Field("end", "true", "It is an end; so is a state without `next`."),
        ),
    ),
    "transition": Shape(
        "a transition of `next`",
        (
            Field("when", "condition", "Whether it is taken; the last one has none."),
            Field("to", "text", "The state it leads to.", required=True),
        ),
    ),
    "approve": Shape(
        "`approve`",
        (
            Field("message", "template", "What the person is asked."),
            Field("form", "schema", "JSON Schema the answer must match."),
        ),
    ),
    "emit": Shape(
        "`emit`",
        (
            Field("type", "template", "The event's type: what listeners wait for.", required=True),
            Field("source", "template", "Where it comes from."),
            Field("subject", "template", "What it is about: listeners' correlation."),
            Field("data", "template", "Its content."),
        ),
    ),
    "raise": Shape(
        "`raise`",
        (
            Field("name", "template", "The error's name.", required=True),
            Field("message", "template", "What happened, for people."),
            Field("data", "template", "Details, for handlers."),
        ),
    ),
}

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "call",
            "Invoke a function; the result is bound to the step's id.",
            """\
id: words
call: functions.text.count_words
with: {text: "${ input.text }"}
retry: {max_attempts: 3, on: [ConnectionError]}
timeout: 30s
""",
            (
                Field(
                    "call",
                    "function",
                    "Import path or short name of a function, or an agent: `agent:NAME` or "
                    "`agent:NAME.METHOD`.",
                ),
                _WITH,
                _KEY,
                _RESOURCES,
                Field(
                    "execution",
                    "guarantee",
                    "What happens when a process dies during the call: it is made again, or it "
                    "fails with `Interrupted`.",
                    default="at_least_once",
                ),
                Field("compensate", "compensate", "In a `saga`: the call that undoes this one."),
            ),
        ),
        Verb(
            "set",
            "Bind names to values: the only names that can change.",
            """\
id: begin
set: {total: 0, seen: []}
""",
            (Field("set", "arguments", "Values by name; all are evaluated before any is bound."),),
        ),
        Verb(
            "switch",
            "Run the first case that holds; without case and `else` it falls through.",
            """\
id: route
switch:
  - when: ${ input.amount > 1000 }
    do:
      - {id: large, return: review}
else:
  - {id: small, return: accept}
""",
            (
                Field("switch", "cases", "The cases, tried in order."),
                Field("else", "steps", "Steps that run when no case holds."),
            ),
        ),
        Verb(
            "fork",
            "Run branches side by side; the result is an object by branch name.",
            """\
id: facts
fork:
  weather: {do: [{id: w, return: sunny}]}
  traffic: {do: [{id: t, return: calm}]}
join: all
""",
            (
                Field("fork", "branches", "The branches by name."),
                Field(
                    "join",
                    "join",
                    "How many must succeed; then the others are cancelled.",
                    default="all",
                ),
            ),
        ),
        Verb(
            "map",
            "Run a call or steps for each item; the result is the list, in item order.",
            """\
id: counts
map: ${ input.documents }
as: doc
call: functions.text.count_words
with: {text: "${ doc }"}
batch: auto
reduce: {call: functions.text.merge_counts, arity: 16}
""",
            (
                Field("map", "template", "The list of items."),
                _AS,
                _INDEX,
                Field("call", "function", "The function to invoke for each item."),
                _WITH,
                _KEY,
                _RESOURCES,
                Field("do", "steps", "Or the steps to run for each item."),
                Field("concurrency", "count", "Items under way at once."),
                Field("batch", "batch", "Items one invocation carries (with `call` only)."),
                Field("tolerate", "tolerate", "Failed items accepted: a count, or a share `5%`."),
                Field("reduce", "reduce", "Combine the results until one is left."),
            ),
            one_of=(("call", "do"),),
        ),
        Verb(
            "loop",
            "Repeat steps while or until a condition holds, or for each item in turn.",
            """\
id: count
loop:
  for: ${ input.documents }
  as: doc
  max: 100
  do:
    - {id: length, set: {last: "${ len(doc) }"}}
""",
            (Field("loop", "loop", "The condition or the items, and the steps."),),
        ),
        Verb(
            "try",
            "Run steps, handle their errors, and clean up.",
            """\
id: careful
try:
  do:
    - {id: fetch, call: functions.web.fetch, with: {url: "${ input.url }"}}
  catch:
    - on: [Timeout, ConnectionError]
      as: err
      do:
        - {id: none, return: "${ err.message }"}
  finally:
    - {id: done, emit: {type: fetch.ended}}
""",
            (Field("try", "try", "The steps, their handlers and the clean-up."),),
            no_catch=True,
        ),
        Verb(
            "saga",
            "Run steps; when one fails, undo the completed calls in reverse order.",
            """\
id: trip
saga:
  do:
    - id: hotel
      call: functions.travel.book_hotel
      with: {city: "${ input.city }"}
      compensate:
        call: functions.travel.cancel_hotel
        with: {booking: "${ hotel.id }"}
""",
            (Field("saga", "saga", "The steps; their calls may have `compensate`."),),
        ),
        Verb(
            "pipeline",
            "Items flow through stages independently; the result is a list in source order.",
            """\
id: pages
pipeline:
  from: ${ input.urls }
  as: page
  stages:
    - {id: fetch, call: functions.web.fetch, with: {url: "${ page }"}, concurrency: 4}
    - {id: parse, call: functions.web.parse, with: {html: "${ page }"}}
""",
            (Field("pipeline", "pipeline", "The source and the stages."),),
        ),
        Verb(
            "states",
            "A state machine: enter a state, run its steps, follow the first transition.",
            """\
id: order
start: open
states:
  open:
    do:
      - {id: payment, listen: payment, correlation: "${ input.order }"}
    next:
      - {when: "${ payment.ok }", to: paid}
      - {to: open}
  paid:
    end: true
""",
            (
                Field("states", "states", "The states by name."),
                Field("start", "text", "The state it begins in.", required=True),
                Field("max", "count", "Entering more fails with `LoopLimit`.", default="1000"),
            ),
        ),
        Verb(
            "wait",
            "Wait for a duration or until a time.",
            """\
id: pause
wait: 1h30m
""",
            (Field("wait", "moment", "Seconds, a duration, or an RFC 3339 time."),),
        ),
        Verb(
            "listen",
            "Wait for a message; its data is the result.",
            """\
id: paid
listen: payment
correlation: ${ input.order }
timeout: 2d
""",
            (
                Field("listen", "text", "The message's name."),
                Field("correlation", "template", "The value the message must carry."),
            ),
        ),
        Verb(
            "approve",
            "Wait for a person's answer, given in a form.",
            """\
id: review
approve:
  message: "Pay ${ input.amount }?"
  form: {type: object, properties: {ok: {type: boolean}}, required: [ok]}
""",
            (Field("approve", "approve", "What is asked, and the form; or only the question."),),
        ),
        Verb(
            "emit",
            "Publish a CloudEvent; executions that listen for its type receive it.",
            """\
id: announce
emit: {type: order.paid, subject: "${ input.order }", data: {ok: true}}
""",
            (Field("emit", "emit", "The event."),),
        ),
        Verb(
            "run",
            "Run another workflow as a child; its output is the result.",
            """\
id: invoice
run: invoice.yaml
with: {order: "${ input.order }"}
""",
            (
                Field("run", "text", "A file, relative to this one, or a name in its folder."),
                Field("with", "template", "The child's input.", default="{}"),
            ),
        ),
        Verb(
            "raise",
            "Fail with a named error.",
            """\
id: refuse
raise: {name: TooLarge, message: "over the limit", data: {limit: 1000}}
""",
            (Field("raise", "raise", "The error, or an expression that gives one."),),
        ),
        Verb(
            "return",
            "End the nearest branch or item, or else the workflow, with a value.",
            """\
id: answer
return: ${ input }
""",
            (Field("return", "template", "The value."),),
        ),
    )
}

SYNONYMS = {
    "parallel": "fork",
    "branches": "fork",
    "foreach": "map",
    "for_each": "map",
    "choice": "switch",
    "sleep": "wait",
    "delay": "wait",
    "task": "call",
    "action": "call",
    "uses": "call",
    "function": "call",
    "args": "with",
    "arguments": "with",
    "params": "with",
    "inputs": "with",
    "steps": "do",
    "retries": "retry",
    "when": "if",
    "condition": "if",
    "name": "id",
    "throw": "raise",
    "workflow": "run",
}
"""What other languages call it; only for suggestions."""
