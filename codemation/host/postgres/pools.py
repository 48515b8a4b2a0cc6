"""Slots on PostgreSQL: how many there are; how many are taken is counted at the tickets that are held."""

from __future__ import annotations

from collections.abc import Mapping

from codemation.host.postgres.codes import TicketState
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.statements import numbers, statement, texts

_NEW = """
    INSERT INTO pools (name, cap) SELECT name, cap FROM unnest(:names::text[], :caps::int[]) AS x (name, cap)
    ORDER BY name ON CONFLICT (name)"""
_DECLARE = statement(f"{_NEW} DO UPDATE SET cap = EXCLUDED.cap WHERE pools.cap <> EXCLUDED.cap")
_DEFAULT = statement(f"{_NEW} DO NOTHING")
_ALL = statement(f"""
    SELECT name, (SELECT count(*) FROM tickets WHERE pool = name AND state = {TicketState.RUNNING:d}), cap
    FROM pools ORDER BY name""")


class PostgresPools:
    """Slots."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def declare(self, pools: Mapping[str, int], *, default: bool = False) -> None:
        """Say how many slots pools have; those that are not named stay as they are."""
        with self._connections.lease() as link:
            link.run(_DEFAULT if default else _DECLARE, {"names": texts(pools), "caps": numbers(pools.values())})

    def all(self) -> Mapping[str, tuple[int, int]]:
        """How many slots of each pool are taken, and how many there are."""
        with self._connections.lease() as link:
            return {name: (taken, slots) for name, taken, slots in link.all(_ALL, {})}
