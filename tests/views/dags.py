"""Random workflows: any shape that a definition can have, groups that cannot be boxes among them."""

from __future__ import annotations

from hypothesis import strategies as st

from codemation.core.definition import Definition, NodeKind, NodePlan
from codemation.core.ids import MAIN, NodeId
from codemation.views.marks import NodeMark, NodeStatus
from tests.views.corpus import definition, node

KINDS = [kind for kind in NodeKind if kind not in (NodeKind.START, NodeKind.LOOP)]  # loops are no circles at random
PORTS = [(MAIN,), (MAIN,), (MAIN, "error"), ("yes", "no"), ("DE", "FR", "IT", "default")]
GROUPS = [(), (), ("clean",), ("clean", "mend"), ("report",)]
TITLES = st.one_of(
    st.just(""), st.text(max_size=40), st.sampled_from(["</title><script>", "a\x00b", "ein langer Titel" * 8])
)


@st.composite
def dags(draw: st.DrawFn, most: int = 12) -> Definition:
    nodes: list[NodePlan] = []
    ends = ["start"]
    for index in range(draw(st.integers(1, most))):
        sources = draw(st.lists(st.sampled_from(ends), max_size=3, unique=True)) if index else []
        ports = draw(st.sampled_from(PORTS))
        made = node(
            f"n{index}",
            *sources,
            kind=draw(st.sampled_from(KINDS)),
            ports=ports,
            title=draw(TITLES),
            groups=draw(st.sampled_from(GROUPS)),
            gives=draw(st.booleans()),
            types={"out:main": "Order"} if draw(st.booleans()) else {},
        )
        nodes.append(made)
        ends += [f"{made.id}:{port}" for port in ports]
    return definition("random.dag", *nodes)


@st.composite
def marks(draw: st.DrawFn, of: Definition) -> dict[NodeId, NodeMark]:
    found: dict[NodeId, NodeMark] = {}
    for one in of.nodes:
        if draw(st.booleans()):
            found[one.id] = NodeMark(
                status=draw(st.sampled_from(NodeStatus)),
                counts={port: draw(st.integers(0, 10**7)) for port in one.ports},
                error=draw(TITLES),
                seconds=draw(st.none() | st.floats(0, 1e6)),
            )
    return found


@st.composite
def marked_dags(draw: st.DrawFn) -> tuple[Definition, dict[NodeId, NodeMark]]:
    made = draw(dags())
    return made, draw(marks(made))
