"""The settings of an app, read once and here alone: `[tool.codemation]` or `codemation.config.py`, then variables."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tomllib
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from codemation.core.errors import HostError
from codemation.core.limits import Limits
from codemation.core.mistakes import listed, near
from codemation.core.retention import Ages, Retention, age_of
from codemation.core.sizes import in_bytes
from codemation.host.credentials import source_of
from codemation.host.slots import Pools

PREFIX = "CODEMATION_"
"""What the variables of the environment begin with that are settings."""

NOT_SETTINGS = f"{PREFIX}CREDENTIAL_"
"""What the variables begin with that hold credentials."""


class ConfigError(HostError):
    """The settings are not right."""


class Config(BaseModel):
    """What an app may set; everything has a default that works on one machine."""

    # What was given may be a URL with a password, so pydantic's errors, which a config module may let through, hide it.
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    database_url: SecretStr | None = None
    """PostgreSQL to use; without it an embedded one is started under the state directory."""
    state: Path = Path(".codemation")
    """Where the embedded PostgreSQL and other local state live, relative to the app."""
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

    @field_validator("allow_pins", mode="before")
    @classmethod
    def _are_named(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"postgres(ql)?(\+psycopg)?://", value.get_secret_value()):
            raise ValueError('it must begin with "postgresql://"')
        return value

    @field_validator("credentials")
    @classmethod
    def _are_sources(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        for given in value:
            source_of(given)
        return value

    @field_validator("max_payload")
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


class Settings:
    """The effective settings of one app, and where each came from."""

    def __init__(self, root: Path, values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
        self.root = root.absolute()
        self.config = _validated(values, origins)
        self.origins = {name: origins.get(name, "default") for name in Config.model_fields}

    @classmethod
    def load(cls, root: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings of the app at `root`, the folder that holds its configuration; by default found upwards.

        Raises:
            ConfigError: a key is unknown, a value does not fit, or there are two configurations.
        """
        environment = os.environ if environment is None else environment
        root = find_root(Path.cwd()) if root is None else root
        values, origins = _from_file(root)
        for name, variable, value in _from_environment(environment):
            values[name], origins[name] = value, f"environment {variable}"
        return cls(root, values, origins)

    def path(self, relative: Path) -> Path:
        """A path of the settings, seen from the app's folder."""
        return self.root / relative.expanduser()

    @property
    def state(self) -> Path:
        """The folder of local state."""
        return self.path(self.config.state)

    @property
    def database_url(self) -> str | None:
        """The URL of the database that is set, with its password and as libpq reads it."""
        url = self.config.database_url
        return None if url is None else url.get_secret_value().replace("postgresql+psycopg://", "postgresql://", 1)

    @property
    def limits(self) -> Limits:
        """What a run may use at the most on this host."""
        config = self.config
        return Limits(
            activations=config.max_activations,
            items=config.max_items,
            payload=config.max_payload,
            depth=config.max_depth,
        )

    @property
    def retention(self) -> Ages:
        """How long runs are kept whose workflow does not say it."""
        return Retention(succeeded=self.config.keep_succeeded, failed=self.config.keep_failed).ages

    def shown(self) -> list[tuple[str, str, str]]:
        """Name, value and origin of every setting; secrets do not show."""
        return [(name, _shown(getattr(self.config, name)), origin) for name, origin in self.origins.items()]

    def __repr__(self) -> str:
        return f"<Settings of {self.root}>"


def find_root(start: Path) -> Path:
    """The app that a folder belongs to: the nearest one upwards with a configuration or workflows, else itself.

    A folder called `workflows` without Python files in it (GitHub has such ones) makes no app. The search ends at the
    top of the repository.
    """
    for folder in (start, *start.parents):
        if (folder / "codemation.config.py").exists() or _table(folder / "pyproject.toml") is not None:
            return folder
        if _holds_python(folder / "workflows") or (folder / ".git").exists():
            return folder
    return start


def without_password(url: str) -> str:
    """A database URL as people may see it."""
    hidden = re.sub(r"(//[^:/@]*):.*@", r"\1:…@", url)
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1…", hidden)


def _holds_python(folder: Path) -> bool:
    return next(folder.rglob("*.py"), None) is not None


def _from_file(root: Path) -> tuple[dict[str, Any], dict[str, str]]:
    toml, module = root / "pyproject.toml", root / "codemation.config.py"
    table = _table(toml)
    if table is not None and module.exists():
        raise ConfigError(
            f"there are two configurations: [tool.codemation] in {toml} and {module}", way_out="keep one of them"
        )
    if module.exists():
        values = _from_module(module)
        return values, dict.fromkeys(values, module.name)
    values = dict(table or {})
    return values, dict.fromkeys(values, "pyproject.toml")


def _table(toml: Path) -> dict[str, Any] | None:
    if not toml.exists():
        return None
    try:
        content = tomllib.loads(toml.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{toml} cannot be read: {error}") from None
    tools = content.get("tool", {})
    table = tools.get("codemation") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"tool.codemation in {toml} is no table", way_out="[tool.codemation], and a line per setting")
    return table


def _from_module(path: Path) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("codemation_config", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        if isinstance(error, ValidationError) and error.title == Config.__name__:
            raise _unfit(error, {}, _place(error, path)) from None
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ConfigError(f"{path} cannot be executed: {said} ({_place(error, path)})") from error
    config = getattr(module, "config", None)
    if not isinstance(config, Config):
        raise ConfigError(f"{path} has no `config`", way_out="config = cm.Config(…)")
    return {name: getattr(config, name) for name in config.model_fields_set}


def _place(error: BaseException, path: Path) -> str:
    """The line of a config module that an error came from."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f"{path.name}:{lines[-1]}" if lines else path.name


def _from_environment(environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Name, variable and value of what is set; an empty variable is none, as a deployment leaves it that has no value.

    Our own variables come last, and so win over `DATABASE_URL`, which other programs read as well.
    """
    ours = [one for one in environment if one.startswith(PREFIX) and not one.startswith(NOT_SETTINGS)]
    named = [("database_url", "DATABASE_URL"), *((one.removeprefix(PREFIX).lower(), one) for one in ours)]
    return [(name, variable, environment[variable]) for name, variable in named if environment.get(variable)]


def _validated(values: Mapping[str, Any], origins: Mapping[str, str]) -> Config:
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        raise _unfit(error, origins) from None


def _unfit(error: ValidationError, origins: Mapping[str, str], otherwise: str = "") -> ConfigError:
    """All that is wrong with the settings, each with where it came from."""
    lines = []
    for one in error.errors(include_url=False, include_input=False):
        name = str(one["loc"][0])
        origin = origins.get(name, otherwise)
        if one["type"] == "extra_forbidden":
            close = near(name, Config.model_fields)
            hint = f"did you mean {close}?" if close else f"there are: {listed(Config.model_fields)}"
            lines.append(f"there is no setting {name} ({origin}); {hint}")
        else:
            lines.append(f"{name} ({origin}): {one['msg'].removeprefix('Value error, ')}")
    return ConfigError(lines[0] if len(lines) == 1 else "these settings do not fit:\n  " + "\n  ".join(lines))


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return without_password(value.get_secret_value())
    return "" if value is None else str(value)
