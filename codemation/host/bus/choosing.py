"""The bus that the settings ask for."""

from __future__ import annotations

import importlib

from codemation.core.ports import Bus
from codemation.host.bus.carried import CarriedBus
from codemation.host.memory.bus import MemoryBus
from codemation.host.settings import ConfigError, Settings


def open_bus(settings: Settings, database_url: str) -> Bus:
    """The bus of an app; nothing is connected before there is something to say or to hear.

    Raises:
        ConfigError: Redis is wanted, and the settings do not say where it is.
        HostError: what it needs is not installed.
    """
    wake, redis_url = settings.config.wake, settings.redis_url
    pooled = wake == "auto" and redis_url is None and settings.config.database_pooler  # LISTEN does not pass a pooler
    if wake == "poll" or pooled:
        return MemoryBus()
    if wake == "redis" or (wake == "auto" and redis_url is not None):
        if redis_url is None:
            raise ConfigError('wake = "redis" needs a Redis', way_out="set redis_url, or CODEMATION_REDIS_URL")
        adapter = importlib.import_module("codemation.adapters.redis.bus")  # by name: adapters stand above the host
        return CarriedBus(adapter.RedisCarrier(redis_url))
    from codemation.host.postgres.bus import PostgresCarrier  # noqa: PLC0415 - only the carrier in use is loaded

    return CarriedBus(PostgresCarrier(database_url))
