"""The workflow as Mermaid: names that Mermaid takes, labels that mean nothing to it."""

from __future__ import annotations

import re

from hypothesis import given

from codemation.core.definition import Definition
from codemation.views.mermaid import mermaid
from tests.views import corpus
from tests.views.dags import dags

NESTED = """\
flowchart LR
  n_start(["start"])
  n_load[("load")]
  n_is_big{"is_big"}
  n_is_foreign{"is_foreign"}
  n_customs["customs"]
  n_insure["insure"]
  n_approve["approve"]
  n_apologise["apologise"]
  n_ship["ship"]
  n_audit(("audit"))
  n_start -.-> n_load
  n_load --> n_is_big
  n_is_big -->|"yes"| n_is_foreign
  n_is_foreign -->|"yes"| n_customs
  n_customs --> n_insure
  n_is_foreign -->|"no"| n_approve
  n_approve -->|"error"| n_apologise
  n_insure --> n_ship
  n_approve --> n_ship
  n_is_big -->|"no"| n_ship
  n_load --> n_audit
  n_ship --> n_audit
"""


def test_a_workflow_is_a_flowchart() -> None:
    assert mermaid(corpus.nested()) == NESTED


def test_it_can_run_from_top_to_bottom() -> None:
    assert mermaid(corpus.chain(), direction="TB").startswith("flowchart TB\n")


def test_groups_are_subgraphs_inside_one_another() -> None:
    lines = [line.strip() for line in mermaid(corpus.flights()).splitlines()]
    start = lines.index('subgraph g0["Clean the flights"]')
    assert lines[start : start + 8] == [
        'subgraph g0["Clean the flights"]',
        'n_flag_cancelled["flag_cancelled"]',
        'n_drop_doubles["drop_doubles"]',
        'subgraph g0_0["Mend the times"]',
        'n_local_to_utc["local_to_utc"]',
        'n_over_midnight["over_midnight"]',
        "end",
        "end",
    ]


def test_hostile_titles_are_entities_and_names_are_never_words_of_mermaid() -> None:
    text = mermaid(corpus.hostile())
    assert "n_end[" in text
    assert "n_graph[" in text
    assert "n_o_o_x[" in text
    assert "n_o_o_x_2[" in text
    assert "#60;/text#62;#60;script#62;alert#40;#34;1#34;#41;" in text
    for label in re.findall(r'"([^"\n]*)"', text):
        assert not re.search(r"[<>`|\\{}\[\]()]", label)


@given(dags())
def test_each_node_and_edge_is_there_once(definition: Definition) -> None:
    lines = mermaid(definition).splitlines()
    nodes = [line.strip() for line in lines if re.match(r'\s+n_\w+[\[({>].*"', line)]
    edges = [line.strip() for line in lines if re.match(r"\s+n_\w+ (-->|-\.->)", line)]
    assert len(nodes) == len(definition.nodes)
    ends = {(s.node, s.port, n.id, i.ordering) for n in definition.nodes for i in n.inputs for s in i.sources}
    assert len(edges) == len(set(edges)) == len(ends)
    assert len(lines) == 1 + len(nodes) + len(edges) + 2 * sum("subgraph " in line for line in lines)
