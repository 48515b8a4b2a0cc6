"""How a process that serves writes its log: lines for people, or a JSON object a line for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from codemation.core.credentials import without_secrets
from codemation.host.runtime.capture import here

Format = Literal["text", "json"]
_OURS = ("run", "node", "activation")
_QUIET = ("alembic", "celery.worker.strategy", "celery.app.trace", "celery.worker.consumer.mingle")
"""What says of each message that it came and went, and is of no use to whoever looks after runs."""


class _Lines(logging.Formatter):
    """For people."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback if there is one."""
        at = datetime.fromtimestamp(record.created).astimezone()
        about = "".join(f" {name}={value}" for name, value in _about(record).items())
        name = record.name.removeprefix("codemation.")
        text = f"{at:%Y-%m-%d %H:%M:%S} {record.levelname:<7} {name}: {record.getMessage()}{about}"
        return without_secrets(f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text)


class _Objects(logging.Formatter):
    """For programs."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object."""
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
            "pid": record.process,
            **_about(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["traceback"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(said, ensure_ascii=False, default=str)


def write_log(form: Format, heard: Sequence[str] = ()) -> None:
    """Write what this process logs, and what it forks, to standard error.

    With `heard` only these loggers and what is below them say more than warnings.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Objects() if form == "json" else _Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING if heard else logging.INFO)
    for names, level in ((heard, logging.INFO), (_QUIET, logging.WARNING)):
        for name in names:
            logging.getLogger(name).setLevel(level)


def _about(record: logging.LogRecord) -> dict[str, str]:
    """The run, node and activation that a line is about: as it says, else what is worked on where it was written."""
    found = {name: str(value) for name in _OURS if (value := getattr(record, name, ""))}
    return found or dict(zip(_OURS, here(), strict=False))
