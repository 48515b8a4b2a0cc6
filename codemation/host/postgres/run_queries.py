"""What people ask of runs, as SQLAlchemy Core; sent on the same connections as everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    Text,
    and_,
    any_,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.expression import CompoundSelect

from codemation.core.outcome import DEFAULT
from codemation.core.ports import Within
from codemation.core.states import RunStatus
from codemation.core.waits import DEADLINE
from codemation.host.postgres.codes import FIRST_FINISHED, FOLD_LANE, STATUS_CODES, TicketKind, TicketState
from codemation.host.postgres.tables import lanes, progress, runs, signals, tickets, workers

QUEUED = STATUS_CODES[RunStatus.QUEUED]
Query = Select[Any] | CompoundSelect[Any]
OVERDUE: ColumnElement[Any] = literal_column("now_() - interval '60 seconds'")
"""A waiting ticket whose time came before this should have been fired."""


def sent(query: Query) -> tuple[bytes, Mapping[str, Any]]:
    """The query as text for psycopg, and its values."""
    compiled = query.compile(dialect=_dialect(), compile_kwargs={"render_postcompile": True})
    return str(compiled).encode(), compiled.params


@cache
def _dialect() -> PGDialect_psycopg:
    return PGDialect_psycopg()


def columns() -> tuple[ColumnElement[Any], ...]:
    """The columns of a run, in the order in which the journal gives them."""
    return (
        runs.c.revision,
        runs.c.head,
        runs.c.created_at,
        literal_column("NULL"),
        runs.c.workflow,
        runs.c.digest,
        runs.c.status,
        runs.c.reason,
        runs.c.stop,
        cast(runs.c.params, Text),
        runs.c.priority,
        runs.c.started_at,
        runs.c.finished_at,
        runs.c.turnstile,
        cast(runs.c.parent_run, Text),
        runs.c.origin,
        runs.c.who,
        runs.c.run_key,
        cast(runs.c.id, Text),
    )


def page(workflow: str | None, statuses: Sequence[int], before: str | None, limit: int) -> Select[Any]:
    """Runs, youngest first."""
    query = select(*columns()).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
    if workflow is not None:
        query = query.where(runs.c.workflow == workflow)
    if statuses:
        query = query.where(runs.c.status.in_(statuses))
        if max(statuses) < FIRST_FINISHED:
            query = query.where(runs.c.finished_at.is_(None))
    if before is not None:
        query = query.where(func.row(runs.c.created_at, runs.c.id) < _place_of(before))
    return query


def _place_of(run: str) -> ScalarSelect[Any]:
    """Where a run stands among all."""
    mark = runs.alias()
    return select(mark.c.created_at, mark.c.id).where(mark.c.id == run).scalar_subquery()


def narrowed(query: Select[Any], within: Within) -> Select[Any]:
    """Only runs of a time, and with ids that begin or end so."""
    if within.since is not None:
        query = query.where(runs.c.created_at >= within.since)
    if within.until is not None:
        query = query.where(runs.c.created_at < within.until)
    if not within.children:
        query = query.where(runs.c.parent_run.is_(None))
    return query.where(_is_like(within.like)) if within.like else query


def hidden(query: Select[Any], down_to: str | None, most: int) -> Select[Any]:
    """How many runs of a page are children, down to the last run that was shown."""
    query = query.with_only_columns(runs.c.id).order_by(None).where(runs.c.parent_run.is_not(None)).limit(most)
    if down_to is not None:
        query = query.where(func.row(runs.c.created_at, runs.c.id) > _place_of(down_to))
    return select(func.count()).select_from(query.subquery())


def find(prefix: str) -> Select[Any]:
    """The ids that begin or end so."""
    return select(cast(runs.c.id, Text)).where(_is_like(prefix)).order_by(runs.c.id.desc()).limit(10)


def _is_like(text: str) -> ColumnElement[bool]:
    name = cast(runs.c.id, Text)
    return or_(name.startswith(text, autoescape=True), name.endswith(text, autoescape=True))


def tickets_of(run: str) -> Select[Any]:
    """The live tickets of a run."""
    return (
        select(
            tickets.c.id,
            tickets.c.activation,
            tickets.c.state,
            tickets.c.owner,
            tickets.c.due_at,
            tickets.c.lost,
            tickets.c.kind,
            tickets.c.wait,
            tickets.c.pool,
            tickets.c.left_,
            case((tickets.c.left_.is_not(None), tickets.c.input["shards"].as_integer())),
            func.coalesce(lanes.c.queue, DEFAULT),
            select(func.coalesce(func.sum(func.cardinality(progress.c["items"])), 0))
            .where(progress.c.ticket == tickets.c.id, progress.c.activation == tickets.c.activation)
            .scalar_subquery(),
        )
        .join_from(tickets, lanes, lanes.c.id == tickets.c.lane, isouter=True)
        .where(tickets.c.run_id == run)
        .order_by(tickets.c.id)
    )


def unattended() -> CompoundSelect[Any]:
    """Run, workflow and reason of whatever breaks the invariant of the protocol."""
    waiting = (_overdue(), _without_waker(), _for_nobody())
    reasons = (_without_ticket(), _without_owner(), _unserved(), *waiting, _unread())
    return union_all(*reasons).order_by(literal_column("1"), literal_column("3"))


def _report(why: ColumnElement[str]) -> Select[Any]:
    return select(cast(runs.c.id, Text), runs.c.workflow, why).where(runs.c.finished_at.is_(None))


def _of_ticket(why: ColumnElement[str]) -> Select[Any]:
    return _report(why).join_from(runs, tickets, tickets.c.run_id == runs.c.id)


def _without_ticket() -> Select[Any]:
    return _report(literal("it has no ticket")).where(
        not_(exists().where(tickets.c.run_id == runs.c.id, func.coalesce(tickets.c.wait, "") != DEADLINE))
    )


def _without_owner() -> Select[Any]:
    lives = exists().where(workers.c.id == tickets.c.owner, workers.c.dead_at.is_(None))
    why = func.format(literal("worker %s holds %s and is dead"), tickets.c.owner, _name())
    return _of_ticket(why).where(tickets.c.state == TicketState.RUNNING, not_(lives))


def _unserved() -> Select[Any]:
    """Ready work in a lane of nobody's; a worker that has not told its lanes yet may serve any."""
    told = or_(workers.c.lanes.is_(None), literal(FOLD_LANE) == tickets.c.lane, tickets.c.lane == any_(workers.c.lanes))
    serves = exists().where(workers.c.dead_at.is_(None), told)
    digest = func.left(func.encode(lanes.c.digest, "hex"), 12)
    why = func.format(literal('nobody serves queue "%s" of definition %s'), lanes.c.queue, digest)
    ready = and_(tickets.c.state == TicketState.READY, tickets.c.stop == 0)
    return _of_ticket(why).join(lanes, lanes.c.id == tickets.c.lane).where(ready, not_(serves))


def _overdue() -> Select[Any]:
    why = func.format(literal("the time of %s came at %s and nobody fired it"), _name(), tickets.c.due_at)
    late = tickets.c.due_at < OVERDUE
    return _of_ticket(why).where(tickets.c.state == TicketState.WAITING, tickets.c.stop == 0, late)


def _without_waker() -> Select[Any]:
    """Work that waits for nothing; a wait can be answered for as long as its ticket is there."""
    claimed = tickets.c.kind.in_((TicketKind.WORK, TicketKind.SHARD, TicketKind.FOLD))
    shards = tickets.alias("shards")
    wakes = exists().where(shards.c.run_id == tickets.c.run_id, shards.c.parent == tickets.c.id)
    still = and_(tickets.c.state == TicketState.WAITING, tickets.c.due_at.is_(None), claimed)
    waits = and_(still, not_(wakes), runs.c.status != QUEUED)
    return _of_ticket(func.format(literal("%s waits, and nobody will wake it"), _name())).where(waits)


def _for_nobody() -> Select[Any]:
    """A wait for a child that is over, which nobody will answer any more."""
    child = runs.alias("child")
    over = exists().where(cast(child.c.id, Text) == tickets.c.input["child"].astext, child.c.finished_at.is_not(None))
    waits = and_(tickets.c.kind == TicketKind.CHILD, tickets.c.state == TicketState.WAITING, tickets.c.stop == 0)
    return _of_ticket(func.format(literal("%s waits for a child that is over"), _name())).where(waits, over)


def _unread() -> Select[Any]:
    has_letters = exists().where(signals.c.run_id == runs.c.id)
    folds = exists().where(tickets.c.run_id == runs.c.id, tickets.c.kind == TicketKind.FOLD)
    return _report(literal("nobody folds its inbox")).where(has_letters, not_(folds))


def _name() -> ColumnElement[str]:
    return func.coalesce(func.nullif(tickets.c.activation, ""), "its fold")
