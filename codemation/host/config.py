"""What an app may set, name by name: types, defaults and what each of them means."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from codemation.core.retention import age_of
from codemation.core.sizes import in_bytes
from codemation.host.credentials import source_of
from codemation.host.slots import Pools


class Config(BaseModel):
    """What an app may set; everything has a default that works on one machine."""

    # What was given may be a URL with a password, so pydantic's errors, which a config module may let through, hide it.
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    database_url: SecretStr | None = None
    """PostgreSQL to use; without it an embedded one is started under the state directory."""
    redis_url: SecretStr | None = None
    """Redis that carries messages between processes, such as redis://host:6379/0; what it loses is only time."""
    wake: Literal["auto", "postgres", "redis", "poll"] = "auto"
    """What tells processes of each other's news: Redis where redis_url is set, else PostgreSQL; or nothing, and they
    look now and then. PostgreSQL needs a direct connection for it, past any pooler."""
    scheduler: Literal["inline", "celery"] = "inline"
    """Who works on runs: the process that starts them, or the workers that hear of it over `redis_url`."""
    state: Path = Path(".codemation")
    """Where the embedded PostgreSQL and other local state live, relative to the app."""
    database_pooler: bool = False
    """Whether a pooler in transaction mode stands before the database: nothing is prepared or set for a connection."""
    workflows: str = "workflows"
    """Folder below the app in which workflows are found."""
    payloads: Literal["postgres", "directory"] = "postgres"
    """Where large payloads and attachments are stored."""
    payload_directory: Path = Path(".codemation/payloads")
    """The folder for `payloads = "directory"`, relative to the app."""
    threads: int = Field(default=min(32, (os.cpu_count() or 1) + 4), ge=1, le=1024)
    """Activations at a time in this process."""
    pools: Pools = Field(default_factory=dict)
    """How many slots each pool has that nodes name with `pool=`, all of them if any; in a variable "gpu=2, shop=1"."""
    frames: Literal["polars", "pandas", "arrow"] | None = None
    """Library of `.frame` where a node did not choose one; polars, then pandas, then pyarrow, as installed."""
    credentials: tuple[Any, ...] = ()
    """Where credentials are that no variable holds: credentials, functions from a slot to one, or "module:name"."""
    max_activations: int = Field(default=100_000, ge=1)
    """Nodes that one run may ask to work, each turn of a loop counted; a workflow may ask for less."""
    max_items: int = Field(default=10_000_000, ge=1)
    """Items or rows that one output may hold; a workflow may ask for less."""
    max_payload: str = "2GB"
    """Size that one output may have as it is stored; a workflow may ask for less."""
    max_depth: int = Field(default=32, ge=1)
    """Runs within runs; a workflow may ask for less."""
    notebooks: str | None = None
    """What executes notebooks, as "module:name": from the app's folder to a runner; else what is installed."""
    keep_succeeded: str = "30d"
    """How long a run that has succeeded is kept after its end; "forever" is possible. A workflow may say otherwise."""
    keep_failed: str = "90d"
    """As `keep_succeeded`, of runs that have failed or were cancelled."""
    keep_keys: str = "90d"
    """How long the key that a run was started with counts at least; it counts for as long as the run is there."""
    production: bool = False
    """Whether this is where things count: pins are refused here, but for those in `allow_pins`."""
    allow_pins: tuple[str, ...] = ()
    """Nodes that may be pinned in production, as `workflow/node`; in a variable with commas between them."""
    patience: float = Field(default=900.0, ge=0, allow_inf_nan=False)
    """Seconds for which a run waits for an absent database before it gives up in this process."""

    link_key: SecretStr | None = Field(default=None, min_length=16)
    """What links to decisions are signed with, the same on all machines; else a key in the state directory is."""
    allowed_hosts: tuple[str, ...] = ()
    """Names under which the web server may be asked for; "*" for any. Without it, on this machine alone localhost."""
    max_request: str = "10MB"
    """Size that the body of a request to the API may have; a webhook says its own."""
    requests_per_second: float = Field(default=100.0, ge=0, allow_inf_nan=False)
    """Requests that a web process takes of each token or address, four times as many at once; 0 for no limit."""
    request_timeout: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Seconds after which a request to the web server is given up."""
    hook_patience: float = Field(default=25.0, gt=0, allow_inf_nan=False)
    """Seconds for which a webhook waits for what its run or a node gives; after that it answers where that will be."""

    beat: float = Field(default=2.5, ge=0.1, le=60)
    """Seconds between two signs of life of a process that works on runs."""
    silence: float = Field(default=8.0, ge=0.3, le=600)
    """Seconds without a sign of life after which others take over; at least three times `beat` is wise."""
    place: str = ""
    """Names where pids mean something, if the system's boot and pid namespace do not; rarely needed."""

    activate: tuple[str, ...] = ()
    """Workflows whose triggers are armed unless an operator has disarmed them; "sales.*" and "*" are possible."""
    tick_grace: float = Field(default=30.0, ge=1, allow_inf_nan=False)
    """Seconds by which a tick of a schedule may be late; what is later was missed, and `catch_up` decides."""
    duty_silence: float = Field(default=6.0, ge=1, allow_inf_nan=False)
    """Seconds without a beat after which the duties of a process, such as ticks and pruning, go to another one."""
    poll_timeout: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Seconds that a `cm.poll` function may take to give its next items."""
    max_chain: int = Field(default=32, ge=1)
    """Runs that may start one another by triggers, in a row; one more is taken for a circle, and not started."""

    @field_validator("allow_pins", "allowed_hosts", "activate", mode="before")
    @classmethod
    def _are_named(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"postgres(ql)?(\+psycopg)?://", value.get_secret_value()):
            raise ValueError('it must begin with "postgresql://"')
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"(rediss?|unix)://", value.get_secret_value()):
            raise ValueError('it must begin with "redis://", "rediss://" or "unix://"')
        return value

    @field_validator("credentials")
    @classmethod
    def _are_sources(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        for given in value:
            source_of(given)
        return value

    @field_validator("max_payload", "max_request")
    @classmethod
    def _is_size(cls, value: str) -> str:
        in_bytes(value)
        return value

    @field_validator("keep_succeeded", "keep_failed", "keep_keys")
    @classmethod
    def _is_age(cls, value: str) -> str:
        age_of(value)
        return value

    @field_validator("workflows")
    @classmethod
    def _is_below(cls, value: str) -> str:
        folder = Path(value)
        if folder.is_absolute() or not folder.parts or ".." in folder.parts:
            raise ValueError('it must be a folder below the app, such as "workflows"')
        if folder.parts[0] in sys.stdlib_module_names or folder.parts[0] == "codemation":
            raise ValueError(f'a folder called "{folder.parts[0]}" would hide the Python module of that name')
        return value
