"""The language's verbs: what a step can do, with an example of each; see `grammar`."""

from __future__ import annotations

from dataclasses import dataclass

from agentflow.spec.grammar import AS, INDEX, KEY, RESOURCES, WITH, Field


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
                WITH,
                KEY,
                RESOURCES,
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
                AS,
                INDEX,
                Field("call", "function", "The function to invoke for each item."),
                WITH,
                KEY,
                RESOURCES,
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
