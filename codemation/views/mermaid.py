"""A workflow as Mermaid flowchart text, for README files and everything that renders Mermaid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from codemation.core.definition import Definition, NodeKind, NodePlan
from codemation.core.ids import MAIN, NodeId
from codemation.views.clusters import Cluster, grouped
from codemation.views.graph import Direction
from codemation.views.lettering import one_line

_SHAPES: dict[NodeKind, tuple[str, str]] = {
    NodeKind.START: ("([", "])"),
    NodeKind.THEN: ("[", "]"),
    NodeKind.MAP: ("[", "]"),
    NodeKind.FILTER: ("[/", "\\]"),
    NodeKind.SPLIT: ("[\\", "/]"),
    NodeKind.AGGREGATE: ("[/", "\\]"),
    NodeKind.TAP: (">", "]"),
    NodeKind.PARSE: ("[[", "]]"),
    NodeKind.BRANCH: ("{", "}"),
    NodeKind.SWITCH: ("{{", "}}"),
    NodeKind.MERGE: ("((", "))"),
    NodeKind.JOIN: ("((", "))"),
    NodeKind.CATCH: (">", "]"),
    NodeKind.NOTEBOOK: ("[[", "]]"),
    NodeKind.SUBWORKFLOW: ("[[", "]]"),
    NodeKind.LOOP: ("{{", "}}"),
    NodeKind.WAIT: ("([", "])"),
    NodeKind.APPROVE: ("[/", "/]"),
    NodeKind.WAIT_FOR_EVENT: (">", "]"),
}
_SOURCE = ("[(", ")]")
"""A node that begins a line, such as one that reads a file."""
_PLAIN = re.compile(r"[^\w .,:!?'+*/=-]")


def mermaid(definition: Definition, *, direction: Direction = "LR") -> str:
    """The workflow as a flowchart; ports are labels of the edges, groups are subgraphs.

    Raises:
        BrokenDefinition: the nodes wait for one another, or for what is not there.
    """
    names = _names(definition)
    nodes = {node.id: node for node in definition.nodes}
    lines = [f"flowchart {direction}", *_cluster(grouped(definition), nodes, names, "g")]
    lines += [line for node in definition.nodes for line in _edges(node, names)]
    return "\n".join(lines) + "\n"


def _names(definition: Definition) -> dict[NodeId, str]:
    """A name for each node that Mermaid takes: no word of its own, no sign, none twice."""
    names: dict[NodeId, str] = {}
    taken: set[str] = set()
    for node in definition.nodes:
        wanted = name = "n_" + re.sub(r"[^A-Za-z0-9]", "_", node.id)
        number = 1
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name)
        names[node.id] = name
    return names


def _cluster(
    cluster: Cluster, nodes: Mapping[NodeId, NodePlan], names: Mapping[NodeId, str], path: str
) -> Iterator[str]:
    indent = "  " * (cluster.depth + 2)
    inside = set(cluster.nodes)
    for key, node in nodes.items():
        if key in inside:
            yield f"{indent}{names[key]}{_box(node)}"
    for index, child in enumerate(cluster.children):
        yield f'{indent}subgraph {path}{index}["{_escaped(child.title)}"]'
        yield from _cluster(child, nodes, names, f"{path}{index}_")
        yield f"{indent}end"


def _box(node: NodePlan) -> str:
    begins = node.grain == "once" and node.kind == NodeKind.THEN
    left, right = _SOURCE if begins else _SHAPES[node.kind]
    title = node.title or node.id
    if node.kind == NodeKind.START and node.summary:
        title = f"{title}: {node.summary}"
    return f'{left}"{_escaped(title)}"{right}'


def _edges(node: NodePlan, names: Mapping[NodeId, str]) -> Iterator[str]:
    arrows = {
        (source.node, source.port, given.ordering or given.back): None
        for given in node.inputs
        for source in given.sources
    }
    for source, port, dotted in arrows:
        arrow = "-.->" if dotted else "-->"
        label = "" if port == MAIN else f'|"{_escaped(port)}"|'
        yield f"  {names[source]} {arrow}{label} {names[node.id]}"


def _escaped(text: str) -> str:
    """The text with everything that could mean something to Mermaid or to HTML as a numbered entity."""
    return _PLAIN.sub(lambda match: f"#{ord(match.group())};", one_line(text)) or " "
