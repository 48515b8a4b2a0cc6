"""The plan in letters: a row for each node, cut to the width, readable without colour or Unicode."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codemation.core.definition import Definition, Input
from codemation.core.ids import NodeId
from codemation.views.lettering import cells
from codemation.views.marks import NodeMark, NodeStatus
from codemation.views.text import plan_text
from tests.views import corpus
from tests.views.dags import dags, marked_dags

NESTED = """\
orders.nested

  start                                       input
  load                                        then
  is_big      ← load                          branch → yes, no
  is_foreign  ← is_big (yes)                  branch → yes, no
  customs     ← is_foreign (yes)              then
  insure      ← customs                       then
  approve     ← is_foreign (no)               then → main, error
  apologise   ← approve (error)               then
  ship        ← insure, approve, is_big (no)  then
  audit       ← load, ship                    merge"""

HALF_WAY = """\
flights.delays · Delays of flights from New York
  params   month: integer = 1, min_delay: number = 15.0, out: string (required)

  ✓ start                                            → 1 · 0 ms
  ✓ load_flights                                     → 336,776 · 810 ms
  ✓ load_weather                                     → 26,115 · 120 ms
  ‖ load_planes                                      retry 2 of 5 in 8 s: conne…
  ✓ load_airports                                    → 1,458 · 20 ms
  ○ load_airlines                                    due
    [Clean the flights]
  ✓   flag_cancelled     ← load_flights              → 336,776 · 1.2 s
      [Mend the times]
  ✓     local_to_utc     ← flag_cancelled            → 336,776 · 2.5 s
  ✓     over_midnight    ← local_to_utc              → 336,776 · 400 ms
  ✓   drop_doubles       ← over_midnight             → 336,700 · 300 ms
  ✓ suspicious           ← drop_doubles              → 912 · 3.1 s
  ✓ read_flight          ← suspicious                → 0, error 912 · 700 ms
  ✗ write_rejects        ← read_flight (error)       OSError: [Errno 28] No spa…
  ▶ with_weather         ← drop_doubles, load_weat…  running · 12.3 s
    with_planes          ← with_weather, load_plan…  join → DataFrame
    with_names           ← with_planes, load_airpo…  join → DataFrame
    by_carrier           ← with_names                split → Carrier
    measure              ← by_carrier                then → Measures
  – worst_routes         ← with_names                skipped
    collect              ← measure                   aggregate → Findings
  ■ write_parquet        ← with_names                cancelled
  · report               ← collect, worst_routes,…   then → Report

  outputs  main ← report"""

ASCII = """\
orders.diamond

  start                                      input
  load                                       then
  check_stock     <- load                    then
  fetch_customer  <- load                    then
  offer           <- check_stock, fetch_...  join"""


def test_a_plan_is_a_row_for_each_node() -> None:
    assert plan_text(corpus.nested()) == NESTED


def test_a_runs_state_stands_before_and_behind_the_nodes() -> None:
    assert plan_text(corpus.flights(), corpus.half_way()) == HALF_WAY


def test_a_plan_can_be_written_in_ascii() -> None:
    assert plan_text(corpus.diamond(), width=50, ascii_only=True) == ASCII
    assert plan_text(corpus.hostile(), corpus.half_way(), ascii_only=True).isascii()


@given(marked_dags(), st.integers(1, 120), st.booleans())
def test_no_line_is_wider_than_asked_for(
    marked: tuple[Definition, dict[NodeId, NodeMark]], width: int, ascii_only: bool
) -> None:
    definition, marks = marked
    for line in plan_text(definition, marks, width=width, ascii_only=ascii_only).splitlines():
        assert cells(line) <= width


@given(dags())
def test_every_node_has_a_row_and_stands_behind_what_it_waits_for(definition: Definition) -> None:
    rows = plan_text(definition, width=200).splitlines()
    place = {name: at for at, row in enumerate(rows) for name in row.split()[:1]}
    for node in definition.nodes:
        assert all(place[before] < place[node.id] for before in definition.plan.awaits[node.id])


def test_what_a_node_only_waits_for_is_said_apart() -> None:
    waits = Input(name="", sources=(corpus.source("a"),), ordering=True)
    data = Input(name="main", sources=(corpus.source("b"),))
    both = corpus.definition("waits.too", corpus.node("a"), corpus.node("b"), corpus.node("c", inputs=(data, waits)))
    assert "  c      ← b after a  then" in plan_text(both).splitlines()


def test_a_node_that_has_ended_without_figures_says_that_it_has() -> None:
    text = plan_text(corpus.chain(), {NodeId("store"): NodeMark(status=NodeStatus.SUCCEEDED)})
    assert "✓ store  ← price  succeeded" in text


def test_params_without_a_type_and_results_of_several_nodes_are_listed() -> None:
    definition = corpus.definition(
        "some.params",
        corpus.node("a", ports=("yes", "no")),
        params_schema={"properties": {"month": {"anyOf": []}, "név": {"type": "string", "default": "é\x1b"}}},
        outputs={"main": (corpus.source("a:yes"), corpus.source("start")), "rest": (corpus.source("a:no"),)},
    )
    text = plan_text(definition)
    assert '  params   month, név: string = "é\\u001b"' in text
    assert "  outputs  main ← a (yes), start, rest ← a (no)" in text
