"""Broken specs: each has one row, with the code and the exact place of its mistake.

`«` marks where the diagnostic must point; it is taken out before the spec is read. A text that
begins with a dash is the steps of a workflow.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import pytest

from agentflow.errors import Diagnostic, SpecError
from agentflow.spec import loads
from agentflow.spec.codes import CODES


class Row(NamedTuple):
    id: str
    code: str
    said: str
    """Part of the message, the label or the help."""
    text: str


def written(text: str) -> tuple[str, int, int]:
    """The spec without its mark, and the line and column of the mark."""
    text = textwrap.dedent(text).lstrip("\n")
    if text.lstrip("«").startswith("- "):
        text = "workflow: w\ndo:\n" + textwrap.indent(text, "  ")
    before = text[: text.index("«")]
    return text.replace("«", "", 1), before.count("\n") + 1, len(before) - before.rfind("\n")


def mistakes(text: str) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        loads(text, path="flow.yaml")
    return caught.value.diagnostics


TEXT = [
    Row("empty file", "AF112", "empty", "«"),
    Row("only comments", "AF112", "workflow: NAME", "«# nothing here\n"),
    Row("unclosed list", "AF101", "flow sequence", "workflow: w\ndo: [1, 2\n«"),
    Row("unclosed quote", "AF101", "", 'workflow: "w\n«'),
    Row("tab indents", "AF101", "spaces", "workflow: w\ndo:\n«\t- id: a\n"),
    Row("colon in a value", "AF101", "quotes", "workflow: a«: b\n"),
    Row("at sign", "AF101", "quotes", "workflow: «@w\n"),
    Row("expression in braces without quotes", "AF101", "quotes around an expression",
        "- {id: a, return: $«{ input }}"),
    Row("expression with a colon without quotes", "AF101", "quotes around an expression",
        '- id: a\n  return: ${ {"k"«: 1} }'),
    Row("control character", "AF102", "U+0007", "workflow: «\x07w\n"),
    Row("duplicate key", "AF105", "first on line 1", "workflow: w\n«workflow: v\ndo: [{id: a, return: 1}]"),
    Row("duplicate key in a step", "AF105", "`return`", "- id: a\n  return: 1\n  «return: 2"),
    Row("number as key", "AF106", '"1"', "- id: a\n  return: {«1: x}"),
    Row("boolean as key", "AF106", '"true"', "- id: a\n  return: {«true: x}"),
    Row("list as key", "AF106", "not a list", "- id: a\n  return: {? «[a] : x}"),
    Row("custom tag", "AF107", "`!secret`", "- id: a\n  return: «!secret x"),
    Row("standard tag", "AF107", "`!!str`", "- id: a\n  return: «!!str 1"),
    Row("merge key", "AF108", "defaults", "- id: a\n  return: {«<<: {a: 1}}"),
    Row("second document", "AF109", "file of its own", "workflow: w\ndo: [{id: a, return: 1}]\n«---\na: 1\n"),
    Row("unknown alias", "AF110", "`&x`", "- id: a\n  return: «*x"),
    Row("cyclic alias", "AF110", "never end", "- id: a\n  return: &x [1, «*x]"),
    Row("huge integer", "AF111", "9007199254740991", "- id: a\n  return: «9007199254740992"),
    Row("endless integer", "AF111", "quotes", "- id: a\n  return: «" + "9" * 5000),
    Row("infinity", "AF111", "finite", "- id: a\n  return: «.inf"),
    Row("negative infinity", "AF111", "finite", "- id: a\n  return: «-.Inf"),
    Row("not a number", "AF111", "finite", "- id: a\n  return: «.nan"),
    Row("float that overflows", "AF111", "finite", "- id: a\n  return: «1e999"),
]  # fmt: skip

SHAPE = [
    Row("block is an object", "AF122", "a list of steps", "workflow: w\ndo: {«a: 1}"),
    Row("a text as workflow", "AF122", "not text", "«hello"),
    Row("unknown top field", "AF120", "did you mean `output`?",
        "workflow: w\n«outptu: 1\ndo: [{id: a, return: 1}]"),
    Row("unknown top field, nothing near", "AF120", "its fields are",
        "workflow: w\n«frobnicate: 1\ndo: [{id: a, return: 1}]"),
    Row("no name", "AF121", "needs `workflow`", "«do: [{id: a, return: 1}]"),
    Row("no steps", "AF121", "needs `do`", "«workflow: w"),
    Row("empty steps", "AF130", "at least one step", "workflow: w\ndo: «[]"),
    Row("bad name", "AF127", "`my-flow`", "workflow: «my flow\ndo: [{id: a, return: 1}]"),
    Row("version as number", "AF122", '"1.0"', "workflow: w\nversion: «1.0\ndo: [{id: a, return: 1}]"),
    Row("name is null", "AF122", "not null", "workflow: «null\ndo: [{id: a, return: 1}]"),
    Row("unknown step field", "AF120", "did you mean `timeout`?", "- id: a\n  call: f.g\n  «timeuot: 3s"),
    Row("unknown word of another language", "AF120", "did you mean `retry`?",
        "- id: a\n  call: f.g\n  «retries: {}"),
    Row("misspelt verb", "AF120", "did you mean `return`?", "- id: a\n  «retrun: 1"),
    Row("no verb", "AF123", "call, set", "- id: «a"),
    Row("no verb, other verbs' fields", "AF123", "no verb", "- id: «a\n  with: {}"),
    Row("two verbs", "AF124", "`call` and `set`", "- id: a\n  call: f.g\n  «set: {x: 1}"),
    Row("map and fork", "AF124", "two steps", "- id: a\n  map: []\n  call: f.g\n  «fork: {b: {do: [{id: c, return: 1}]}}"),
    Row("no id", "AF121", "needs `id`", "- «return: 1"),
    Row("id with a dash", "AF127", "`a_b`", "- id: «a-b\n  return: 1"),
    Row("id with an accent", "AF127", "`cafe_du_lac`", "- id: «café-du-lac\n  return: 1"),
    Row("id begins with a digit", "AF127", "`_1st`", "- id: «1st\n  return: 1"),
    Row("id is a number", "AF122", "not the number 1", "- id: «1\n  return: 1"),
    Row("id is a word of expressions", "AF127", "`and_`", "- id: «and\n  return: 1"),
    Row("set name is a word of Python", "AF127", "`import_`", "- id: a\n  set: {«import: 1}"),
    Row("id holds an expression", "AF122", "expression", "- id: «${ x }\n  return: 1"),
    Row("step is a text", "AF122", "`id` and a verb", "- «hello"),
    Row("block is one step", "AF122", "put `- `", "workflow: w\ndo: {«id: a, return: 1}"),
    Row("with is a list", "AF122", "values by name", "- id: a\n  call: f.g\n  with: «[1]"),
    Row("argument is no name", "AF127", "`a_b`", "- id: a\n  call: f.g\n  with: {«a-b: 1}"),
    Row("key holds an expression", "AF122", "key cannot", '- id: a\n  return: {«"${ input }": 1}'),
    Row("function without a module", "AF406", "functions.text", "- id: a\n  call: «count"),
    Row("function is no path", "AF406", "not an import path", "- id: a\n  call: «functions/text.py"),
    Row("misspelt short name", "AF406", "did you mean `count`?",
        "workflow: w\nfunctions: {count: functions.text.count}\ndo: [{id: a, call: «cuont}]"),
    Row("bad duration", "AF125", "`1h30m`", "- id: a\n  wait: «30x"),
    Row("timeout in words", "AF125", "not a duration", "- id: a\n  call: f.g\n  timeout: «ten seconds"),
    Row("timeout of nothing", "AF126", "more than nothing", "- id: a\n  call: f.g\n  timeout: «0s"),
    Row("negative timeout", "AF126", "at least 0", "- id: a\n  call: f.g\n  timeout: «-1"),
    Row("timeout is a list", "AF122", "a number", "- id: a\n  call: f.g\n  timeout: «[1]"),
    Row("wait for a bare date", "AF125", "nor a time", "- id: a\n  wait: «2030-01-31"),
    Row("timeout is not one expression", "AF206", "one expression", '- id: a\n  call: f.g\n  timeout: «"${ input.n }s"'),
    Row("retry field", "AF120", "did you mean `max_attempts`?", "- id: a\n  call: f.g\n  retry: {«max_atempts: 3}"),
    Row("retry is a number", "AF122", "an object with", "- id: a\n  call: f.g\n  retry: «3"),
    Row("no attempts", "AF126", "at least 1", "- id: a\n  call: f.g\n  retry: {max_attempts: «0}"),
    Row("attempts as text", "AF122", "a whole number", '- id: a\n  call: f.g\n  retry: {max_attempts: «"3"}'),
    Row("attempts true", "AF122", "not `true`", "- id: a\n  call: f.g\n  retry: {max_attempts: «true}"),
    Row("backoff below one", "AF126", "at least 1", "- id: a\n  call: f.g\n  retry: {backoff: «0.5}"),
    Row("bad interval", "AF125", "not a duration", "- id: a\n  call: f.g\n  retry: {interval: «soon}"),
    Row("bad jitter", "AF126", "did you mean `full`?", "- id: a\n  call: f.g\n  retry: {jitter: «ful}"),
    Row("empty on", "AF130", '"*"', "- id: a\n  call: f.g\n  retry: {on: «[]}"),
    Row("condition without braces", "AF206", '"${ x > 1 }"', "- id: a\n  if: «x > 1\n  return: 1"),
    Row("condition is a boolean", "AF206", "`${ }`", "- id: a\n  if: «true\n  return: 1"),
    Row("condition with text around", "AF206", "one pair of braces", '- id: a\n  if: «"${ true } x"\n  return: 1'),
    Row("catch beside try", "AF129", "inside `try`",
        "- id: a\n  try: {do: [{id: b, return: 1}], finally: [{id: c, wait: 1s}]}\n  «catch: [{do: [{id: d, return: 1}]}]"),
    Row("try without handlers", "AF121", "`catch` or `finally`", "- id: a\n  try: {«do: [{id: b, return: 1}]}"),
    Row("catch is an object", "AF122", "list of handlers", "- id: a\n  call: f.g\n  catch: {«do: [{id: d, return: 1}]}"),
    Row("handler without steps", "AF121", "needs `do`", "- id: a\n  call: f.g\n  catch: [{«as: e}]"),
    Row("batch with do", "AF129", "needs a `call`", "- id: a\n  map: []\n  batch: «8\n  do: [{id: b, return: 1}]"),
    Row("batch in words", "AF126", "`auto`", "- id: a\n  map: []\n  batch: «automatic\n  call: f.g"),
    Row("map without body", "AF121", "`call` or `do`", "- «id: a\n  map: []"),
    Row("map with two bodies", "AF129", "both `call` and `do`",
        "- id: a\n  map: []\n  call: f.g\n  do:\n    «- {id: b, return: 1}"),
    Row("tolerate in words", "AF126", "`5%`", "- id: a\n  map: []\n  call: f.g\n  tolerate: «few"),
    Row("tolerate over all", "AF126", "share", "- id: a\n  map: []\n  call: f.g\n  tolerate: «101%"),
    Row("arity of one", "AF126", "at least 2", "- id: a\n  map: []\n  call: f.g\n  reduce: {call: f.h, arity: «1}"),
    Row("reduce without call", "AF121", "needs `call`", "- id: a\n  map: []\n  call: f.g\n  reduce: {«arity: 4}"),
    Row("compensate outside a saga", "AF129", "saga", "- id: a\n  call: f.g\n  compensate: {«call: f.h}"),
    Row("field of another verb", "AF129", "belongs to `map`", "- id: a\n  call: f.g\n  «tolerate: 3"),
    Row("field that goes inside", "AF129", "inside `loop`", "- id: a\n  loop: {for: [], do: [{id: b, wait: 1s}]}\n  «max: 3"),
    Row("loop without condition", "AF121", "`while`, `until` or `for`", "- id: a\n  loop: {«do: [{id: b, wait: 1s}]}"),
    Row("loop with two conditions", "AF129", "both `while` and `until`",
        '- id: a\n  loop: {while: "${ true }", until: «"${ true }", do: [{id: b, wait: 1s}]}'),
    Row("loop's as without for", "AF129", "`for`",
        '- id: a\n  loop: {while: "${ true }", as: «x, do: [{id: b, wait: 1s}]}'),
    Row("loop of no rounds", "AF126", "at least 1", "- id: a\n  loop: {for: [], max: «0, do: [{id: b, wait: 1s}]}"),
    Row("empty switch", "AF130", "empty", "- id: a\n  switch: «[]"),
    Row("switch is an object", "AF122", "a list", "- id: a\n  switch: {«when: x}"),
    Row("else in the list", "AF129", "beside `switch`", "- id: a\n  switch:\n    - «else: [{id: b, return: 1}]"),
    Row("case without when", "AF121", "needs `when`", "- id: a\n  switch:\n    - «do: [{id: b, return: 1}]"),
    Row("empty fork", "AF130", "empty", "- id: a\n  fork: «{}"),
    Row("branch is a list", "AF122", "an object with `do`", "- id: a\n  fork: {b: «[{id: c, return: 1}]}"),
    Row("join too many", "AF126", "never be reached", "- id: a\n  fork: {b: {do: [{id: c, return: 1}]}}\n  join: «2"),
    Row("join in words", "AF126", "`all` or `any`", "- id: a\n  fork: {b: {do: [{id: c, return: 1}]}}\n  join: «some"),
    Row("stage without body", "AF121", "`call` or `do`", "- id: a\n  pipeline: {from: [], stages: [{«id: b}]}"),
    Row("reduce of a pipeline reads the item", "AF302", "item of `p`",
        "- id: p\n  pipeline: {from: [1], as: doc, stages: [{id: b, call: f.g}], reduce: {call: f.h, with: {a: '${ «doc }'}}}"),
    Row("pipeline without stages", "AF121", "needs `stages`", "- id: a\n  pipeline: {«from: []}"),
    Row("states without start", "AF121", "needs `start`", "- «id: a\n  states: {b: {end: true}}"),
    Row("end and next", "AF129", "goes nowhere", "- id: a\n  start: b\n  states: {b: {end: true, next: «b}}"),
    Row("end is false", "AF122", "`true`", "- id: a\n  start: b\n  states: {b: {end: «false}}"),
    Row("emit without type", "AF121", "needs `type`", "- id: a\n  emit: {«data: 1}"),
    Row("raise without name", "AF121", "needs `name`", "- id: a\n  raise: {«message: x}"),
    Row("raise a text", "AF122", "an object with", "- id: a\n  raise: «Broken"),
    Row("schema of an unknown type", "AF131", "'strin'",
        "workflow: w\ninput: {type: object, properties: {a: {type: «strin}}}\ndo: [{id: a, return: 1}]"),
    Row("form that is no schema", "AF131", "`form`", "- id: a\n  approve: {message: ok, form: {required: «yes}}"),
    Row("schema that points nowhere", "AF131", "#/$defs/x",
        'workflow: w\ninput: {properties: {a: {$ref: «"#/$defs/x"}}}\ndo: [{id: a, return: 1}]'),
    Row("schema from elsewhere", "AF131", "within",
        'workflow: w\ninput: {$ref: «"https://example.com/s.json"}\ndo: [{id: a, return: 1}]'),
    Row("schema with a bad pattern", "AF131", "pattern",
        'workflow: w\ninput: {type: string, pattern: «"(" }\ndo: [{id: a, return: 1}]'),
    Row("label is a number", "AF122", '"3"', "workflow: w\nlabels: {a: «3}\ndo: [{id: a, return: 1}]"),
    Row("unknown target", "AF120", "did you mean `azure`?",
        "workflow: w\ntargets: {«azrue: {}}\ndo: [{id: a, return: 1}]"),
    Row("no concurrency", "AF126", "at least 1", "workflow: w\nconcurrency: «0\ndo: [{id: a, return: 1}]"),
    Row("execution in words", "AF126", "did you mean `at_most_once`?", "- id: a\n  call: f.g\n  execution: «at_most_onec"),
    Row("memory in words", "AF126", "`512MiB`", "- id: a\n  call: f.g\n  resources: {memory: «lots}"),
    Row("memory without end", "AF126", "`512MiB`", f"- id: a\n  call: f.g\n  resources: {{memory: «{'9' * 400}K}}"),
]  # fmt: skip

EXPRESSIONS = [
    Row("syntax error in plain text", "AF200", "", "- id: a\n  return: ${ input.a +« }"),
    Row("unclosed expression", "AF205", "not closed", "- id: a\n  return: «${ input"),
    Row("column in double quotes", "AF301", "did you mean `input`?", '- id: a\n  return: "x \\t ${ «inptu }"'),
    Row("column in single quotes", "AF301", "`nope`", "- id: a\n  return: 'it''s ${ «nope }'"),
    Row("column in a literal block", "AF301", "`nope`", "- id: a\n  return: |\n    line one\n    and ${ «nope } here\n"),
    Row("column in a folded block", "AF301", "`nope`", "- id: a\n  return: >\n    line one\n    and ${ «nope } here\n"),
    Row("column in a plain text of two lines", "AF301", "`nope`", "- id: a\n  return: line one\n    and ${ «nope } here\n"),
    Row("column after a tab", "AF301", "`nope`", "- id: a\n  return:\t${ «nope }"),
    Row("column after wide characters", "AF301", "`nope`", "- id: a\n  return: 日本語 ${ «nope }"),
    Row("column behind an anchor", "AF301", "`nope`", "- id: a\n  return: &x ${ «nope }"),
    Row("unknown field of the input", "AF220", "did you mean `name`?",
        'workflow: w\ninput: {type: object, properties: {name: {type: string}}, additionalProperties: false}\n'
        'do: [{id: a, return: "${ input.«nmae }"}]'),
    Row("number plus text", "AF221", "", '- id: a\n  return: ${ «1 + "a" }'),
    Row("condition that is a number", "AF222", "", "- id: a\n  if: ${ «1 + 1 }\n  return: 1"),
    Row("map over a text", "AF226", "string",
        "workflow: w\ninput: {properties: {name: {type: string}}}\ndo:\n  - id: a\n    map: ${ «str(input) }\n    call: f.g"),
    Row("loop over a number", "AF226", "goes through a list", "- id: a\n  loop: {for: «3, do: [{id: b, wait: 1s}]}"),
]  # fmt: skip

NAMES = [
    Row("undefined name", "AF301", "did you mean `items`?", "- {id: items, return: [1], if: '${ true }'}\n- id: b\n  return: ${ «itmes }"),
    Row("used before it is bound", "AF303", "line 6", "- id: a\n  return: ${ «b }\n  if: ${ true }\n- id: b\n  return: 1"),
    Row("own result", "AF303", "under way", "- id: a\n  loop:\n    for: [1]\n    do: [{id: b, set: {x: '${ «a }'}}]"),
    Row("result inside a branch", "AF302", "`f.left`",
        "- id: f\n  fork: {left: {do: [{id: x, return: 1}]}}\n- id: b\n  return: ${ «x }"),
    Row("result inside a map", "AF302", "inside map `m`",
        "- id: m\n  map: [1]\n  do: [{id: x, wait: 1s}]\n- id: b\n  return: ${ «x }"),
    Row("item after its map", "AF302", "the item of `m`",
        "- id: m\n  map: [1]\n  as: doc\n  do: [{id: x, wait: 1s}]\n- id: b\n  return: ${ «doc }"),
    Row("error after its handler", "AF302", "handler of `m`",
        "- id: m\n  call: f.g\n  catch: [{as: err, do: [{id: x, wait: 1s}]}]\n- id: b\n  return: ${ «err }"),
    Row("set inside a switch", "AF302", "before switch `s`",
        "- id: s\n  switch: [{when: '${ true }', do: [{id: x, set: {v: 1}}]}]\n- id: b\n  return: ${ «v }"),
    Row("name of another state", "AF302", "state `p`",
        "- id: s\n  start: p\n  states:\n    p: {do: [{id: x, wait: 1s}], next: q}\n    q: {do: [{id: y, return: '${ «x }'}]}"),
    Row("argument reads an undefined name", "AF301", "no such name", "- id: a\n  call: f.g\n  with: {x: {y: ['${ «nope }']}}"),
    Row("timeout reads an undefined name", "AF301", "`nope`", "- id: a\n  call: f.g\n  timeout: ${ «nope }"),
    Row("output reads an undefined name", "AF301", "`aa`", "workflow: w\ndo: [{id: a1, return: 1}]\noutput: ${ «aa }"),
    Row("output reads a set name of a block", "AF302", "loop `l`",
        "workflow: w\ndo: [{id: l, loop: {for: [1], do: [{id: s, set: {v: 1}}]}}]\noutput: ${ «v }"),
    Row("reduce reads the item", "AF302", "item of `m`",
        "- id: m\n  map: [1]\n  as: doc\n  call: f.g\n  reduce: {call: f.h, with: {a: '${ «doc }'}}"),
    Row("while reads a name of the round", "AF303", "under way|not bound",
        "- id: l\n  loop:\n    while: ${ «l }\n    do: [{id: x, wait: 1s}]"),
    Row("id hides a result", "AF304", "result of a step (line 3)",
        "- {id: a, wait: 1s}\n- id: s\n  saga: {do: [{id: «a, wait: 1s}]}"),
    Row("id hides input", "AF304", "given by the engine", "- id: «input\n  wait: 1s"),
    Row("as hides a result", "AF304", "taken", "- {id: a, wait: 1s}\n- id: m\n  map: [1]\n  as: «a\n  call: f.g"),
    Row("index hides the item", "AF304", "item", "- id: m\n  map: [1]\n  as: x\n  index: «x\n  call: f.g"),
    Row("error hides execution", "AF304", "engine",
        "- id: m\n  call: f.g\n  catch: [{as: «execution, do: [{id: x, wait: 1s}]}]"),
    Row("id hides a variable", "AF304", "`set` binds", "- {id: s, set: {a: 1}}\n- id: «a\n  wait: 1s"),
    Row("duplicate id", "AF305", "first on line 3", "- {id: a, wait: 1s}\n- {id: «a, wait: 1s}"),
    Row("duplicate id over blocks of a step", "AF305", "unique within a step",
        "- id: s\n  switch:\n    - {when: '${ true }', do: [{id: a, wait: 1s}]}\n  else: [{id: «a, wait: 1s}]"),
    Row("duplicate stage", "AF305", "`b`",
        "- id: p\n  pipeline: {from: [], stages: [{id: b, call: f.g}, {id: «b, call: f.g}]}"),
    Row("set across a branch", "AF306", "line 3",
        "- {id: s, set: {v: 1}}\n- id: f\n  fork: {l: {do: [{id: x, set: {«v: 2}}]}}"),
    Row("set across a map", "AF306", "give back results",
        "- {id: s, set: {v: 1}}\n- id: f\n  map: [1]\n  do: [{id: x, set: {«v: 2}}]"),
    Row("set across a pipeline", "AF306", "`v`",
        "- {id: s, set: {v: 1}}\n- id: f\n  pipeline: {from: [1], stages: [{id: g, do: [{id: x, set: {«v: 2}}]}]}"),
    Row("set a result", "AF307", "result of a step", "- {id: a, wait: 1s}\n- {id: b, set: {«a: 1}}"),
    Row("set the input", "AF307", "given by the engine", "- {id: b, set: {«input: 1}}"),
    Row("set the item", "AF307", "the item", "- id: l\n  loop: {for: [1], as: x, do: [{id: b, set: {«x: 1}}]}"),
]  # fmt: skip

FLOW = [
    Row("after return", "AF308", "`b`", "- {id: a, return: 1}\n- {id: «b, wait: 1s}"),
    Row("after raise", "AF308", "leaves", "- {id: a, raise: {name: X}}\n- {id: «b, wait: 1s}"),
    Row("after a switch that always leaves", "AF308", "`s`",
        "- id: s\n  switch: [{when: '${ true }', do: [{id: a, return: 1}]}]\n  else: [{id: b, raise: {name: X}}]\n- {id: «c, wait: 1s}"),
    Row("after a try that always leaves", "AF308", "`t`",
        "- id: t\n  try: {do: [{id: a, return: 1}], catch: [{do: [{id: b, return: 2}]}]}\n- {id: «c, wait: 1s}"),
    Row("inside a branch", "AF308", "`c`", "- id: f\n  fork: {l: {do: [{id: b, return: 1}, {id: «c, wait: 1s}]}}"),
    Row("next to nowhere", "AF309", "did you mean `paid`?",
        "- id: s\n  start: open\n  states:\n    open: {next: «piad}\n    paid: {end: true}"),
    Row("to nowhere", "AF309", "no such state",
        "- id: s\n  start: open\n  states:\n    open: {next: [{to: «closed}]}"),
    Row("start nowhere", "AF309", "did you mean `open`?", "- id: s\n  start: «opne\n  states:\n    open: {end: true}"),
    Row("state never entered", "AF310", "`lost`",
        "- id: s\n  start: open\n  states:\n    open: {end: true}\n    «lost: {end: true}"),
    Row("last transition has a condition", "AF311", "only `to`",
        "- id: s\n  start: open\n  states:\n    open: {next: [{when: '${ true }', to: «open}]}"),
    Row("transitions after the last", "AF308", "never tried",
        "- id: s\n  start: open\n  states:\n    open: {next: [{to: «open}, {to: open}]}"),
    Row("unknown child", "AF411", "`other`", "- id: a\n  run: «other"),
]  # fmt: skip

ROWS = [*TEXT, *SHAPE, *EXPRESSIONS, *NAMES, *FLOW]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id.replace(" ", "-"))
def test_a_broken_spec_is_reported_once_at_its_place(row: Row) -> None:
    text, line, column = written(row.text)

    found = mistakes(text)

    first = found[0]
    assert (first.code, first.span.line, first.span.column) == (row.code, line, column), found
    said = f"{first.message} {first.label} {first.help}"
    assert any(part in said for part in row.said.split("|")), said
    assert len(found) == 1, found
    assert first.code in CODES


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = textwrap.dedent("""
        workflow: w
        versoin: "2"
        do:
          - id: a
            call: f.g
            retry: {max_attempts: 0}
            timeout: soon
          - id: a
            return: ${ nope }
        output: ${ b }
    """).lstrip()

    found = mistakes(text)

    assert [(d.code, d.span.line) for d in found] == [
        ("AF120", 2), ("AF126", 6), ("AF125", 7), ("AF305", 8), ("AF301", 9), ("AF301", 10),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            "- id: l\n  loop: {for: [1], do: [{id: x, set: {n: '${ n + 1 }'}}]}",
            "`x` is still under way",
        ),
        (
            "- id: l\n  loop: {while: '${ l > 1 }', do: [{id: x, wait: 1s}]}",
            "`l` is still under way",
        ),
        ("- {id: a, return: '${ n }', if: '${ true }'}\n- {id: b, set: {n: 1}}", "bound on line 4"),
    ],
)
def test_a_name_that_has_no_value_yet_is_told_apart_from_a_later_one(steps: str, said: str) -> None:
    [found] = mistakes("workflow: w\ndo:\n" + textwrap.indent(steps, "  "))

    assert (found.code, found.label) == ("AF303", said)


def test_a_condition_that_cannot_be_read_hides_no_other_mistake_and_makes_none() -> None:
    found = mistakes(
        "workflow: w\ndo:\n- {id: a, if: x > 1, return: 1}\n- {id: b, return: '${ nope }'}"
    )

    assert [d.code for d in found] == ["AF206", "AF301"]


def test_a_misspelt_field_is_read_as_what_it_should_be_so_nothing_follows_from_it() -> None:
    found = mistakes(
        "workflow: w\ndo:\n  - id: m\n    map: [1]\n    ass: doc\n    do: [{id: a, return: '${ doc }'}]\n"
    )

    assert [d.code for d in found] == ["AF120"]
