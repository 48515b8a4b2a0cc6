"""What the nodes of a story do: a pure function of what reaches them, plus failures as planned."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from codemation.core.definition import NodeKind, NodePlan
from codemation.core.engine import Engine, Stored
from codemation.core.facts import Broke, decode_delta
from codemation.core.ids import AGAIN, MAIN, NodeId, node_of
from codemation.core.items import EMPTY, Batch
from codemation.core.opening import OpenRun
from codemation.core.ports import Chunk, Claim
from codemation.core.signals import ErrorInfo, Failed, ItemsLeft, Signal, Succeeded
from tests.core.simulation.strategies import Behaviour

if TYPE_CHECKING:
    from tests.core.simulation.world import World

PLANNED = ErrorInfo(type="Planned", message="as planned")
PAUSE = 30.0


def perform(world: World, engine: Engine, run: OpenRun, claim: Claim) -> tuple[Signal, bytes | None]:
    """Work on one activation, as the story wants it."""
    node = run.snapshot.plan.nodes[node_of(claim.activation)]
    behaviour = world.behaviour(node)
    attempt = run.snapshot.live.get(claim.activation, 1)
    tries_left = attempt <= behaviour.retries
    breaks = not tries_left and world.breaks(node.id) < behaviour.breaks
    done = _items(world, engine, run, claim, behaviour.items - (tries_left or breaks)) if behaviour.items else set()
    if tries_left and behaviour.items:
        left = behaviour.items - len(done)
        return (
            ItemsLeft(
                activation=claim.activation,
                attempt=attempt,
                done=len(done),
                left=left,
                retry_in=PAUSE,
                error=PLANNED,
            ),
            None,
        )
    if tries_left or breaks:
        delay = PAUSE if tries_left else None
        kept = _kept(engine, run, done)
        failed = Failed(activation=claim.activation, attempt=attempt, error=PLANNED, retry_in=delay, partial=kept)
        return failed, None
    batches, inline = engine.store_outputs(run.id, _given(engine, run, node, behaviour))
    return Succeeded(activation=claim.activation, outputs=batches, attempt=attempt), inline


def _given(engine: Engine, run: OpenRun, node: NodePlan, behaviour: Behaviour) -> dict[str, Stored]:
    """What a node gives; a gate lets what reaches it round as often as the story wants it, and gives out the rest."""
    rounds = run.snapshot.rounds.get(node.id)
    batches = [
        run.snapshot.output(end.node, end.port)
        for given in node.inputs
        if given.back is (rounds is not None)
        for end in given.sources
    ]
    if node.kind is not NodeKind.LOOP:
        return _outputs(node, behaviour, _reached(engine, run, batches))
    arrived = sum(batch.count for batch in batches)
    goes_round = arrived and (rounds is None or rounds.count < behaviour.rounds)
    counts = {AGAIN: 1} if goes_round else {}
    if rounds is not None:
        counts[MAIN] = behaviour.counts[MAIN] if goes_round else arrived + sum(one.count for one in rounds.kept)
        batches += [] if goes_round else rounds.kept
    return _outputs(node, replace(behaviour, counts=counts), _reached(engine, run, batches))


def _reached(engine: Engine, run: OpenRun, batches: list[Batch]) -> str:
    """Names all the data that reached a node."""
    data = [engine.persist(engine.stores.payloads.get, run.id, batch) for batch in batches]
    return hashlib.sha256(b"|".join(data)).hexdigest()


def _outputs(node: NodePlan, behaviour: Behaviour, reached: str) -> dict[str, Stored]:
    size = 1_000 if behaviour.large else 1
    return {
        port: (f"{node.id}:{port}:{reached}".encode() * size, count, "items")
        for port, count in behaviour.counts.items()
        if count
    }


def _items(world: World, engine: Engine, run: OpenRun, claim: Claim, wanted: int) -> set[int]:
    """Work on items one by one and record each; what earlier tries have finished is not worked on again."""
    record = run.snapshot.nodes.get(node_of(claim.activation))
    done = _positions(engine, run, record.partial) if record else set()
    tickets, ticket, activation = engine.stores.tickets, claim.holding.ticket, claim.activation
    chunks = [] if claim.fresh else engine.persist(tickets.progress, ticket, activation)
    for known in chunks:
        done |= set(known.items)
    for number, position in enumerate([at for at in range(wanted) if at not in done], start=len(chunks)):
        world.worked_on(activation, position)
        chunk = Chunk(number=number, items=(position,), data=b"")
        if not engine.persist(tickets.save_progress, claim.holding, activation, chunk):
            break
        done.add(position)
    return done


def _kept(engine: Engine, run: OpenRun, done: set[int]) -> Batch:
    if not done:
        return EMPTY
    return engine.persist(engine.stores.payloads.put, run.id, json.dumps(sorted(done)).encode(), len(done), "items")


def _positions(engine: Engine, run: OpenRun, partial: Batch) -> set[int]:
    return set(json.loads(engine.persist(engine.stores.payloads.get, run.id, partial) or b"[]"))


def planned_breaks(entries: list[bytes], node: NodeId) -> int:
    """How often the story let a node fail for good until now."""
    facts = [fact for delta in entries for fact in decode_delta(delta) if isinstance(fact, Broke)]
    return sum(node_of(fact.activation) == node and fact.error.type == PLANNED.type for fact in facts)
