"""Write the parts of the pages that follow from the code: the errors, the settings, the stages of a run.

    python docs/generate.py

A test compares what this gives with the pages as they are.
"""  # noqa: INP001 - a script, and no part of a package

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import codemation
from benchmarks.day import costs, report
from codemation import nodes
from codemation.core.annotations import readable
from codemation.core.errors import CodemationError
from codemation.core.node import FunctionNode, SupportsArrow
from codemation.core.states import FINISHED, TRANSITIONS
from codemation.host.config import Config
from codemation.host.postgres.statements import StepShape, Then, step
from codemation.host.postgres.tables import metadata
from codemation.host.settings import Settings
from codemation.web.application import application
from codemation.web.reference import markdown
from codemation.web.service import Service

DOCS = Path(__file__).resolve().parent
COMPUTED = {"threads": "processors + 4, at most 32"}
"""Defaults that depend on the machine, in words."""
PROTOCOL = ("definitions", "runs", "journal", "tickets", "progress", "signals")
"""The tables in which a run moves."""


def main() -> int:
    """Bring every generated part up to date."""
    for page, part in PARTS:
        target = DOCS / page
        target.write_text(filled(target.read_text(encoding="utf-8"), part, PARTS[page, part]()), encoding="utf-8")
    return 0


def filled(page: str, part: str, content: str) -> str:
    """The page with a part between its marks.

    Raises:
        ValueError: the page does not have the marks of that part.
    """
    begin, end = f"<!-- generated: {part} -->", f"<!-- end of {part} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no part {part!r}; write {begin} and {end} where it belongs")
    return pattern.sub(lambda _: f"{begin}\n\n{content}\n{end}", page)


def errors() -> str:
    """The tree of errors as nested lists, each with the first sentence of its docstring."""
    for module in pkgutil.walk_packages(codemation.__path__, "codemation."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return "".join(f"{line}\n" for line in _branch(CodemationError, 0))


def _branch(error: type[CodemationError], depth: int) -> Iterator[str]:
    known = f"cm.{error.__name__}" if error.__name__ in codemation.__all__ else error.__name__
    home = "" if known.startswith("cm.") else f" from `{error.__module__}`"
    said = inspect.cleandoc(error.__doc__ or "").splitlines()[0]
    yield f"{'  ' * depth}- **`{known}`**{home}: {said}"
    children = [child for child in error.__subclasses__() if child.__module__.startswith("codemation.")]
    for child in sorted(children, key=lambda one: (one.__name__, one.__module__)):
        yield from _branch(child, depth + 1)


def settings() -> str:
    """The settings as a table: name, variable, type, default, meaning."""
    lines = ["| setting | variable | type | default | meaning |", "|---|---|---|---|---|"]
    for name, field in Config.model_fields.items():
        kind = readable(field.annotation).replace("|", "or")
        default = COMPUTED.get(name) or _default(field.default)
        said = " ".join((field.description or "").split())
        lines.append(f"| `{name}` | `CODEMATION_{name.upper()}` | {kind} | {default} | {said} |")
    return "\n".join(lines) + "\n"


def _default(value: Any) -> str:
    return "none" if value is None else f"`{value}`"


def api() -> str:
    """What can be asked over HTTP, from the OpenAPI document."""
    service = Service(Settings(DOCS, {}, {}))
    return markdown(application(service).openapi())


def stages() -> str:
    """What a run may become, by where it stands and what it is told."""
    lines = ["| a run that is | is told | and is then |", "|---|---|---|"]
    for status, signals in TRANSITIONS.items():
        for signal, outcomes in signals.items():
            lines.append(f"| {status} | {signal} | {', '.join(sorted(outcomes))} |")
        if not signals:
            lines.append(f"| {status} | nothing | {status} |")
    return "\n".join(lines) + "\n"


def course() -> str:
    """The stages of a run as a diagram, without what leaves it where it is."""
    told: dict[tuple[str, str], list[str]] = {}
    for status, signals in TRANSITIONS.items():
        for signal, outcomes in signals.items():
            for outcome in sorted(outcomes - {status}):
                told.setdefault((status, outcome), []).append(signal)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> queued"]
    lines += [f"    {before} --> {after}: {', '.join(signals)}" for (before, after), signals in told.items()]
    lines += [f"    {status} --> [*]" for status in sorted(FINISHED)]
    return "\n".join([*lines, "```", ""])


def schema() -> str:
    """The tables that a step touches, and what refers to what."""
    lines = ["```mermaid", "erDiagram"]
    for name in PROTOCOL:
        table = metadata.tables[name]
        refers = {key.parent.name: key.column.table.name for key in table.foreign_keys}
        refers |= {"run_id": "runs"} if "run_id" in table.columns else {}
        lines += [f"    {refers[key]} ||--o{{ {name} : {key}" for key in sorted(refers) if refers[key] in PROTOCOL]
    for name in PROTOCOL:
        lines.append(f"    {name} {{")
        for column in metadata.tables[name].columns:
            kind = str(column.type).split("(")[0].replace(" ", "_").lower()
            lines.append(f"        {kind} {column.name}{' PK' if column.primary_key else ''}")
        lines.append("    }")
    return "\n".join([*lines, "```", ""])


def step_statement() -> str:
    """The statement that records a result and goes on, as it is sent."""
    sent = step(StepShape(then=Then.GO_ON))
    sql = re.sub(r"\$(\d+)", lambda found: f":{sent.names[int(found[1]) - 1]}", sent.text.decode())
    lines = [line.rstrip() for line in sql.splitlines() if line.strip()]
    return "\n".join(["```sql", *lines, "```", ""])


def ready_nodes() -> str:
    """The nodes of the library, each with the first sentence of its docstring."""
    lines = ["| node | what it does |", "|---|---|"]
    for name in _node_names():
        said = inspect.cleandoc(getattr(nodes, name).__doc__ or "").split("\n\n")[0].replace("\n", " ")
        lines.append(f"| [`{name}`](nodes/{name}.md) | {said.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def ready_node(name: str) -> str:
    """What a node of the library takes, and what its docstring says."""
    found = getattr(nodes, name)
    _, *parameters = inspect.signature(found.function).parameters.values()
    hints = typing.get_type_hints(found.function)
    lines = [inspect.cleandoc(found.__doc__ or ""), "", "| argument | type | if not given |", "|---|---|---|"]
    for one in parameters:
        kind = hints[one.name]
        if (inspect.isclass(kind) and issubclass(kind, codemation.Context)) or kind == codemation.Context | None:
            continue
        spelt = "a flow" if kind is SupportsArrow else readable(kind).replace("|", "or")
        default = "must be given" if one.default is one.empty else f"`{one.default!r}`"
        lines.append(f"| `{'**' if one.kind is one.VAR_KEYWORD else ''}{one.name}` | {spelt} | {default} |")
    return "\n".join(lines) + "\n"


def _node_names() -> list[str]:
    return sorted(name for name in nodes.__all__ if isinstance(getattr(nodes, name), FunctionNode))


def day() -> str:
    """What the synthetic day says, from the costs that lie beside it."""
    return report.text(costs.load())


PARTS: Mapping[tuple[str, str], Callable[[], str]] = {
    ("scaling.md", "day"): day,
    ("reference/errors.md", "errors"): errors,
    ("reference/settings.md", "settings"): settings,
    ("reference/rest-api.md", "api"): api,
    ("explanation/how-a-run-moves.md", "stages"): stages,
    ("explanation/protocol.md", "course"): course,
    ("explanation/protocol.md", "tables"): schema,
    ("explanation/protocol.md", "step"): step_statement,
    ("reference/ready-nodes.md", "nodes"): ready_nodes,
    **{(f"reference/nodes/{name}.md", name): partial(ready_node, name) for name in _node_names()},
}
"""Page and part, and what writes it."""


if __name__ == "__main__":
    sys.exit(main())
