"""E9: what a W10 costs the database: transactions, bytes of write-ahead log, and bytes that stay."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from benchmarks import flows
from benchmarks.chain import STEPS
from benchmarks.figures import Bar, Finding, Series
from benchmarks.stand import OURS, Stand, standing
from codemation.host.postgres.embedded.programs import environment, find_programs

_PLACE = "SELECT pg_current_wal_insert_lsn()::text"
_TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
_KEPT = """
    SELECT sum(pg_total_relation_size(oid)) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    """What the server had counted at one moment, with nobody of ours connected."""

    transactions: int
    place: str
    """In the write-ahead log."""
    kept: int
    """Bytes of tables and indexes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Bytes of write-ahead log."""

    records: int
    images: int
    """Whole pages, which are written when a page is changed for the first time after a checkpoint."""


def measure(stand: Stand) -> Finding:
    """Count on a server of its own: what others have left in a database is room for what comes after them."""
    stand.rest()
    with standing(stand.effort) as fresh:
        return _measured(fresh)


def _measured(stand: Stand) -> Finding:
    """Count over many W10 after a checkpoint, with our app opened before and closed after."""
    count, workflow = stand.effort.stored_chains, flows.chain(STEPS)
    for _ in range(stand.effort.chains):
        workflow.run()
    before = _counted(stand)
    for _ in range(count):
        workflow.run()
    stand.rest()
    (end,) = stand.ask(_PLACE)
    log = log_written(stand, before.place, end)
    after = _counted(stand)
    kept = (after.kept - before.kept) / count / 1024
    transactions = (after.transactions - before.transactions) / count
    return Finding(
        name="E9",
        title=f"storage, counted over {count:,} W10 after a checkpoint",
        series=(Series(name="full-page images beside it", unit="KB/W10", values=(log.images / count / 1024,)),),
        bars=(
            Bar(what="transactions per W10", figure=transactions, limit=12.0, unit=""),
            Bar(what="write-ahead log per W10", figure=log.records / count / 1024, limit=9.0, unit="KB"),
            Bar(what="kept per W10, after vacuum", figure=kept, limit=4.0, unit="KB"),
        ),
        notes=("Transactions include opening and closing our app once, and its beats.",),
    )


def _counted(stand: Stand) -> _Count:
    """Close our app, vacuum, write a checkpoint, and read the counters."""
    stand.rest()
    stand.inside("VACUUM")
    (kept,) = stand.inside(_KEPT)
    stand.inside("CHECKPOINT")
    (transactions,) = stand.ask(_TRANSACTIONS, OURS)
    (place,) = stand.ask(_PLACE)
    return _Count(transactions=transactions, place=place, kept=int(kept))


def log_written(stand: Stand, start: str, end: str) -> Log:
    """Read the log itself, because no counter says how large its full-page images are."""
    segments = stand.folder / ".codemation" / "postgres" / "data" / "pg_wal"
    program = find_programs().root / "bin" / "pg_waldump"
    listing = subprocess.run(
        [program, "--stats", "--path", segments, "--start", start, "--end", end],
        check=True,
        capture_output=True,
        text=True,
        env=environment(),
    )
    (total,) = [line for line in listing.stdout.splitlines() if line.startswith("Total")]
    _, records, images, _ = (int(word) for word in total.split()[1:] if word.isdecimal())
    return Log(records=records, images=images)
