"""The settings of an app, read once and here alone: `[tool.codemation]` or `codemation.config.py`, then variables."""

from __future__ import annotations

import importlib.util
import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from codemation.core.errors import HostError


class ConfigError(HostError):
    """The settings are not right."""


class Config(BaseModel):
    """What an app may set; everything has a default that works on one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    database_url: SecretStr | None = None
    """PostgreSQL to use; without it an embedded one is started under the state directory."""
    state: Path = Path(".codemation")
    """Where the embedded PostgreSQL and other local state live, relative to the app."""
    workflows: str = "workflows"
    """Folder in which workflows are found."""
    payloads: Literal["postgres", "directory"] = "postgres"
    """Where large payloads and attachments are stored."""
    payload_directory: Path = Path(".codemation/payloads")
    """The folder for `payloads = "directory"`, relative to the app."""
    threads: int = Field(default=min(32, (os.cpu_count() or 1) + 4), ge=1, le=1024)
    """Activations at a time in this process."""
    frames: Literal["polars", "pandas", "arrow"] | None = None
    """Library of `.frame` where a node did not choose one; polars, then pandas, then pyarrow, as installed."""
    patience: float = Field(default=900.0, ge=0)
    """Seconds for which a run waits for an absent database before it gives up in this process."""

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"postgres(ql)?(\+psycopg)?://", value.get_secret_value()):
            raise ValueError('it must begin with "postgresql://"')
        return value


class Settings:
    """The effective settings of one app, and where each came from."""

    def __init__(self, root: Path, values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
        self.root = root
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
        return relative if relative.is_absolute() else self.root / relative

    @property
    def state(self) -> Path:
        """The folder of local state."""
        return self.path(self.config.state)

    def shown(self) -> list[tuple[str, str, str]]:
        """Name, value and origin of every setting; secrets do not show."""
        return [(name, _shown(getattr(self.config, name)), origin) for name, origin in self.origins.items()]


def find_root(start: Path) -> Path:
    """The app that a folder belongs to: the nearest one upwards with a configuration or workflows, else itself."""
    for folder in (start, *start.parents):
        if (folder / "codemation.config.py").exists() or _table(folder / "pyproject.toml") is not None:
            return folder
        if (folder / "workflows").is_dir() or (folder / ".git").exists():
            return folder
    return start


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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{toml} cannot be read: {error}") from None
    table = content.get("tool", {}).get("codemation")
    return table if isinstance(table, dict) else None


def _from_module(path: Path) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("codemation_config", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{path} cannot be executed: {type(error).__name__}: {error}") from error
    config = getattr(module, "config", None)
    if not isinstance(config, Config):
        raise ConfigError(f"{path} has no `config`", way_out="config = cm.Config(…)")
    return {name: getattr(config, name) for name in config.model_fields_set}


def _from_environment(environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    found = []
    if url := environment.get("DATABASE_URL"):
        found.append(("database_url", "DATABASE_URL", url))
    for variable, value in environment.items():
        if variable.startswith("CODEMATION_"):
            found.append((variable.removeprefix("CODEMATION_").lower(), variable, value))
    return found


def _validated(values: Mapping[str, Any], origins: Mapping[str, str]) -> Config:
    unknown = [name for name in values if name not in Config.model_fields]
    if unknown:
        raise ConfigError("\n".join(_unknown(name, origins.get(name, "")) for name in unknown))
    try:
        return Config(**values)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, one['loc']))} ({origins.get(str(one['loc'][0]), 'default')}): {one['msg']}"
            for one in error.errors(include_url=False)
        ]
        raise ConfigError("these settings do not fit:\n  " + "\n  ".join(lines)) from None


def _unknown(name: str, origin: str) -> str:
    near = get_close_matches(name, Config.model_fields, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(Config.model_fields)}"
    return f"there is no setting {name} ({origin}); {hint}"


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return without_password(value.get_secret_value())
    return "" if value is None else str(value)


def without_password(url: str) -> str:
    """A database URL as people may see it."""
    hidden = re.sub(r"(//[^:/@]*):[^@]*@", r"\1:…@", url)
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1…", hidden)
