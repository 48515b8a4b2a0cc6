"""The settings of an app, read once and here alone: `[tool.codemation]` or `codemation.config.py`, then variables."""

from __future__ import annotations

import importlib.util
import os
import re
import tomllib
import traceback
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from codemation.core.errors import HostError
from codemation.core.limits import Limits
from codemation.core.mistakes import listed, near
from codemation.core.retention import Ages, Retention
from codemation.host.config import Config

PREFIX = "CODEMATION_"
"""What the variables of the environment begin with that are settings."""

NOT_SETTINGS = f"{PREFIX}CREDENTIAL_"
"""What the variables begin with that hold credentials."""


class ConfigError(HostError):
    """The settings are not right."""


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
    def redis_url(self) -> str | None:
        """The URL of Redis that is set, with its password."""
        url = self.config.redis_url
        return None if url is None else url.get_secret_value()

    @property
    def links(self) -> Path | bytes:
        """What links to decisions are signed with: the key that is set, else that in the folder of local state."""
        key = self.config.link_key
        return self.state if key is None else key.get_secret_value().encode()

    @cached_property
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

    Our own variables come last, and so win over `DATABASE_URL` and `REDIS_URL`, which other programs read as well.
    """
    ours = [one for one in environment if one.startswith(PREFIX) and not one.startswith(NOT_SETTINGS)]
    named = [
        ("database_url", "DATABASE_URL"),
        ("redis_url", "REDIS_URL"),
        *((one.removeprefix(PREFIX).lower(), one) for one in ours),
    ]
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
        secret = value.get_secret_value()
        return without_password(secret) if "://" in secret else "…"
    return "" if value is None else str(value)
