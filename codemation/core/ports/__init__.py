"""What the engine asks of the world. Every port has a memory and a PostgreSQL adapter behind one conformance suite.

Ports are synchronous and narrow; they speak of runs, tickets and payloads, never of SQL. Every one of them may raise
`StoreUnavailable` when the database does not answer; nothing is then known about what was asked, and the caller looks
again when it is back. Ports are internal until version 1.0.

Each is written down in a module of this package, and all of them have their names here.
"""

from __future__ import annotations

from dataclasses import dataclass

from codemation.core.ports.access import Audit, CredentialSource, Deed, Slot, Token, Tokens
from codemation.core.ports.arming import (
    Arm,
    ArmedTrigger,
    ArmedWorkflow,
    Armory,
    DueSchedule,
    PastTick,
    Schedules,
    Tick,
)
from codemation.core.ports.deploying import Deployment, Deployments, NewDeployment, NotebookRunner
from codemation.core.ports.firing import Emitted, Firing, Firings, Owed, PollClaim, Polls
from codemation.core.ports.hints import Hint, Scheduler
from codemation.core.ports.journal import Checkpoint, Checkpoints, Entry, Journal, Loaded, Look, RunRow, nothing
from codemation.core.ports.news import Bus, News, Subscription
from codemation.core.ports.payloads import Blobs, Definitions, Payloads, Recall, StoredBlob
from codemation.core.ports.reading import ANYWHERE, LogLine, Logs, RunList, TicketRow, Unattended, Within
from codemation.core.ports.rules import FollowUp, FollowUps, Outdated, Pools, Pruning, Rates, Swept, Turnstiles
from codemation.core.ports.steps import Commit, Deadline, Drop, GoOn, Leave, NewRun, Parent, Reopening
from codemation.core.ports.tickets import (
    NOTHING_HELD,
    Chunk,
    Claim,
    Holding,
    Lane,
    NewTicket,
    Shard,
    ShardEnd,
    Shards,
    TakenOver,
    TicketKind,
    Tickets,
    WaitTicket,
)
from codemation.core.ports.waiting import Children, Events, Inbox, Letter, OpenWait, SentEvent, Waits
from codemation.core.ports.workers import (
    DUTIES,
    Duties,
    DutyRow,
    Gauges,
    Pulse,
    QueueReading,
    Reading,
    WorkerRow,
    Workers,
)

__all__ = [
    "ANYWHERE",
    "DUTIES",
    "NOTHING_HELD",
    "Arm",
    "ArmedTrigger",
    "ArmedWorkflow",
    "Armory",
    "Audit",
    "Blobs",
    "Bus",
    "Checkpoint",
    "Checkpoints",
    "Children",
    "Chunk",
    "Claim",
    "Commit",
    "CredentialSource",
    "Deadline",
    "Deed",
    "Definitions",
    "Deployment",
    "Deployments",
    "Drop",
    "DueSchedule",
    "Duties",
    "DutyRow",
    "Emitted",
    "Entry",
    "Events",
    "Firing",
    "Firings",
    "FollowUp",
    "FollowUps",
    "Gauges",
    "GoOn",
    "Hint",
    "Holding",
    "Inbox",
    "Journal",
    "Lane",
    "Leave",
    "Letter",
    "Loaded",
    "LogLine",
    "Logs",
    "Look",
    "NewDeployment",
    "NewRun",
    "NewTicket",
    "News",
    "NotebookRunner",
    "OpenWait",
    "Outdated",
    "Owed",
    "Parent",
    "PastTick",
    "Payloads",
    "PollClaim",
    "Polls",
    "Pools",
    "Pruning",
    "Pulse",
    "QueueReading",
    "Rates",
    "Reading",
    "Recall",
    "Reopening",
    "RunList",
    "RunRow",
    "Scheduler",
    "Schedules",
    "SentEvent",
    "Shard",
    "ShardEnd",
    "Shards",
    "Slot",
    "StoredBlob",
    "Stores",
    "Subscription",
    "Swept",
    "TakenOver",
    "Tick",
    "TicketKind",
    "TicketRow",
    "Tickets",
    "Token",
    "Tokens",
    "Turnstiles",
    "Unattended",
    "WaitTicket",
    "Waits",
    "Within",
    "WorkerRow",
    "Workers",
    "nothing",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Every port of one database."""

    journal: Journal
    checkpoints: Checkpoints
    tickets: Tickets
    shards: Shards
    workers: Workers
    payloads: Payloads
    blobs: Blobs
    definitions: Definitions
    inbox: Inbox
    logs: Logs
    runs: RunList
    waits: Waits
    children: Children
    events: Events
    pruning: Pruning
    duties: Duties
    recall: Recall
    turnstiles: Turnstiles
    follow_ups: FollowUps
    rates: Rates
    pools: Pools
    deployments: Deployments
    tokens: Tokens
    audit: Audit
    armory: Armory
    schedules: Schedules
    polls: Polls
    firings: Firings
    gauges: Gauges
