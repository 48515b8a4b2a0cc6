"""Codemation: author data workflows in Python, run them durably, resume what was killed."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING

from codemation.core import launch as _launch

if TYPE_CHECKING:
    from codemation import nodes
    from codemation.core.answers import Decided, Received
    from codemation.core.concurrency import Concurrency
    from codemation.core.context import Context
    from codemation.core.credentials import Credential, Secret
    from codemation.core.definition import Definition
    from codemation.core.differing import Diff
    from codemation.core.errors import CodemationError, InputError, RunCancelled, RunFailed, RunInTheWay
    from codemation.core.events import NamedEvent, event
    from codemation.core.expression import Expression, expr
    from codemation.core.flow import Branch, Flow
    from codemation.core.following import FailedRun
    from codemation.core.items import Attachment, Failure, Item
    from codemation.core.launch import Launcher, last_run
    from codemation.core.limits import Limits
    from codemation.core.mistakes import AuthorError
    from codemation.core.node import FunctionNode, Node, NodeOptions, node
    from codemation.core.outlets import Ports, port
    from codemation.core.params import Params
    from codemation.core.pins import Pin
    from codemation.core.resources import use
    from codemation.core.retention import Retention
    from codemation.core.retry import Retry
    from codemation.core.run import NodeResult, Run, Session
    from codemation.core.start import Start, workflow
    from codemation.core.triggers import (
        Dataset,
        Trigger,
        cron,
        dataset,
        every,
        hmac,
        poll,
        token,
        watch,
        webhook,
    )
    from codemation.core.workflow import Workflow
    from codemation.host.config import Config
    from codemation.host.connecting import attach, connect

__version__ = "0.1.0"

__all__ = [
    "Attachment",
    "AuthorError",
    "Branch",
    "CodemationError",
    "Concurrency",
    "Config",
    "Context",
    "Credential",
    "Dataset",
    "Decided",
    "Diff",
    "Expression",
    "FailedRun",
    "Failure",
    "Flow",
    "FunctionNode",
    "InputError",
    "Item",
    "Limits",
    "NamedEvent",
    "Node",
    "NodeOptions",
    "NodeResult",
    "Params",
    "Pin",
    "Ports",
    "Received",
    "Retention",
    "Retry",
    "Run",
    "RunCancelled",
    "RunFailed",
    "RunInTheWay",
    "Secret",
    "Session",
    "Start",
    "Trigger",
    "Workflow",
    "__version__",
    "attach",
    "connect",
    "cron",
    "dataset",
    "event",
    "every",
    "expr",
    "hmac",
    "last_run",
    "node",
    "nodes",
    "poll",
    "port",
    "token",
    "use",
    "watch",
    "webhook",
    "workflow",
]

_HOMES = {
    "Attachment": "codemation.core.items",
    "AuthorError": "codemation.core.mistakes",
    "Branch": "codemation.core.flow",
    "CodemationError": "codemation.core.errors",
    "Concurrency": "codemation.core.concurrency",
    "Config": "codemation.host.config",
    "Context": "codemation.core.context",
    "Credential": "codemation.core.credentials",
    "Dataset": "codemation.core.triggers",
    "Decided": "codemation.core.answers",
    "Diff": "codemation.core.differing",
    "Expression": "codemation.core.expression",
    "FailedRun": "codemation.core.following",
    "Failure": "codemation.core.items",
    "Flow": "codemation.core.flow",
    "FunctionNode": "codemation.core.node",
    "InputError": "codemation.core.errors",
    "Item": "codemation.core.items",
    "Limits": "codemation.core.limits",
    "NamedEvent": "codemation.core.events",
    "Node": "codemation.core.node",
    "NodeOptions": "codemation.core.node",
    "NodeResult": "codemation.core.run",
    "Params": "codemation.core.params",
    "Pin": "codemation.core.pins",
    "Ports": "codemation.core.outlets",
    "Received": "codemation.core.answers",
    "Retention": "codemation.core.retention",
    "Retry": "codemation.core.retry",
    "Run": "codemation.core.run",
    "RunCancelled": "codemation.core.errors",
    "RunFailed": "codemation.core.errors",
    "RunInTheWay": "codemation.core.errors",
    "Secret": "codemation.core.credentials",
    "Session": "codemation.core.run",
    "Start": "codemation.core.start",
    "Trigger": "codemation.core.triggers",
    "Workflow": "codemation.core.workflow",
    "attach": "codemation.host.connecting",
    "connect": "codemation.host.connecting",
    "cron": "codemation.core.triggers",
    "dataset": "codemation.core.triggers",
    "event": "codemation.core.events",
    "every": "codemation.core.triggers",
    "expr": "codemation.core.expression",
    "hmac": "codemation.core.triggers",
    "last_run": "codemation.core.launch",
    "node": "codemation.core.node",
    "nodes": "codemation.nodes",
    "poll": "codemation.core.triggers",
    "port": "codemation.core.outlets",
    "token": "codemation.core.triggers",
    "use": "codemation.core.resources",
    "watch": "codemation.core.triggers",
    "webhook": "codemation.core.triggers",
    "workflow": "codemation.core.start",
}
"""Where the public names live; each is imported when it is first asked for."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'codemation' has no attribute {name!r}", name=name, obj=None)
    home = importlib.import_module(_HOMES[name])
    found: object = home if home.__name__ == f"{__name__}.{name}" else getattr(home, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


@functools.cache
def _launcher() -> Launcher:
    launcher: Launcher = importlib.import_module("codemation.host.default_app").launcher()
    return launcher


class _Views:
    """Draws definitions with `codemation.views`, which is imported when somebody looks."""

    def text(self, definition: Definition) -> str:
        """The plan as lines of text."""
        return str(importlib.import_module("codemation.views.text").plan_text(definition))

    def svg(self, definition: Definition) -> str:
        """The graph as an SVG picture."""
        view = importlib.import_module("codemation.views.canvas").graph_view(definition)
        return str(importlib.import_module("codemation.views.svg").svg(view))

    def mermaid(self, definition: Definition) -> str:
        """The graph as Mermaid text."""
        return str(importlib.import_module("codemation.views.mermaid").mermaid(definition))


_launch.set_launcher(_launcher)
_launch.set_renderer(_Views)
