"""The language in one table: every object, its fields, what they hold and what they mean.

`parse` finds unknown keys with it, `schema` writes the JSON Schema for editors from it, and
`reference` the pages of docs/reference. The table goes on in `grammar_verbs`, with what a step
can do; what a kind of value accepts is in `kinds`.
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


_DO = Field("do", "steps", "The steps, in order.", required=True)
AS = Field("as", "identifier", "The name the item is read by.", default="item")
INDEX = Field("index", "identifier", "The name its position is read by, counting from 0.")
WITH = Field("with", "arguments", "The function's keyword arguments.", default="{}")
KEY = Field(
    "key",
    "key",
    "Which instance of an agent the call reaches; without it, the execution's own.",
)
RESOURCES = Field("resources", "resources", "What the call asks of the cluster.")
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
            KEY,
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
            KEY,
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
            AS,
            INDEX,
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
    "source": Shape("`from`", (_CALL, WITH)),
    "pipeline": Shape(
        "`pipeline`",
        (
            Field("from", "source", "A list, or the call of a generator.", required=True),
            AS,
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
            WITH,
            KEY,
            RESOURCES,
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
