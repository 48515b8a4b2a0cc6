"""What is true of every run and ticket, whatever happens.

The statements see to it, and in use the server does not check it (ADR 0041). The databases of these tests have it
checked with each row that is written.
"""

from __future__ import annotations

from collections.abc import Mapping

from codemation.host.postgres.codes import FIRST_FINISHED, TicketState

INVARIANTS: Mapping[str, tuple[str, str]] = {
    "runs_finished": ("runs", f"(finished_at IS NULL) = (status < {FIRST_FINISHED})"),
    "tickets_owner": ("tickets", f"(state = {TicketState.RUNNING:d}) = (owner IS NOT NULL)"),
    "tickets_ready": ("tickets", f"state <> {TicketState.READY:d} OR due_at IS NOT NULL"),
    "tickets_waiting": (
        "tickets",
        f"state <> {TicketState.WAITING:d} OR due_at IS NOT NULL OR wait_key IS NOT NULL OR COALESCE(left_, 0) > 0",
    ),
}
"""A table and a condition, by name: who holds a ticket works on it, what is ready is due, what waits waits for
something, and what is over has an end."""
