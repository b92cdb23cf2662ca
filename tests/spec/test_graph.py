"""Workflows as Mermaid text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentflow.spec import load, loads
from agentflow.spec.grammar_verbs import VERBS
from agentflow.spec.graph import mermaid

SPECS = Path(__file__).parents[2] / "specs"


def test_steps_follow_each_other_and_blocks_are_subgraphs() -> None:
    drawn = mermaid(
        loads("""
        workflow: order
        do:
          - {id: begin, call: functions.orders.read}
          - id: route
            if: ${ begin.total > 3 }
            switch:
              - {when: '${ begin.kind == "a" }', do: [{id: x, wait: 1m}, {id: y, return: 1}]}
            else: [{id: z, raise: {name: Odd}}]
    """).workflow
    )

    assert (
        drawn
        == """\
flowchart TD
  start(["order"])
  s-begin["<b>begin</b><br/>call functions.orders.read"]
  subgraph s-route["<b>route</b><br/>switch<br/>if begin.total #62; 3"]
    subgraph s-route-0["when begin.kind == #34;a#34;"]
      s-route-0-x{{"<b>x</b><br/>wait 1m"}}
      s-route-0-y(["<b>y</b><br/>return 1"])
    end
    subgraph s-route-1["else"]
      s-route-1-z(["<b>z</b><br/>raise Odd"])
    end
  end
  finish(["end"])
  start --> s-begin
  s-route-0-x --> s-route-0-y
  s-begin --> s-route
  s-route --> finish"""
    )


def test_states_are_joined_by_their_transitions() -> None:
    drawn = mermaid(
        loads("""
        workflow: order
        do:
          - id: s
            start: open
            states:
              open: {do: [{id: paid, listen: payment}], next: [{when: "${ paid }", to: done}, {to: open}]}
              done: {end: true}
    """).workflow
    )

    assert 's-s-0 -->|"paid"| s-s-1' in drawn
    assert "s-s-0 --> s-s-0" in drawn
    assert "s-s-start --> s-s-0" in drawn
    assert 's-s-1["done"]' in drawn


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_spec_is_drawn_with_each_node_once_and_edges_between_nodes(path: Path) -> None:
    drawn = mermaid(load(path).workflow)

    nodes = re.findall(r"^ *(?:subgraph )?([\w-]+)(?=[\[({>])", drawn, re.MULTILINE)
    assert len(nodes) == len(set(nodes))
    for before, after in re.findall(r"^  ([\w-]+) -->(?:\|.*\|)? ([\w-]+)$", drawn, re.MULTILINE):
        assert {before, after} <= set(nodes)
    assert drawn.count("subgraph ") == len(re.findall(r"^ *end$", drawn, re.MULTILINE))


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
def test_each_verb_is_drawn(verb: object) -> None:
    example: str = verb.example  # type: ignore[attr-defined]
    block = "\n".join(f"    {line}" for line in example.splitlines())
    text = f"workflow: w\ndo:\n  -\n{block}\n"
    child = {"invoice.yaml": "workflow: invoice\ndo: [{id: a, return: 1}]"}

    assert mermaid(loads(text, children=child).workflow).startswith("flowchart TD\n  start")


def test_labels_cannot_break_out() -> None:
    text = "workflow: w\ndo: [{id: a, return: 'x\"] --> b; <script>`#&\\ %% {}|'}]"
    line = mermaid(loads(text).workflow).split("\n")[2]

    inside = line[line.index("<br/>") + 5 : line.rindex('"')]
    assert not re.search(r"""["<>`|{}\\]""", inside)


def test_a_handler_beside_a_step_is_drawn_with_it() -> None:
    text = "workflow: w\ndo: [{id: a, call: f.g, catch: [{on: X, do: [{id: b, wait: 1s}]}]}]"

    assert "catch X" in mermaid(loads(text).workflow)


def test_a_pipeline_says_where_its_items_come_from_and_how_they_are_combined() -> None:
    text = """
workflow: w
do:
  - {id: p, pipeline: {from: {call: f.g}, stages: [{id: s, call: f.h}], reduce: {call: f.r}}}
"""
    assert "pipeline from f.g, reduce f.r" in mermaid(loads(text, functions=False).workflow)
