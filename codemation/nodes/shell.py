"""`cm.nodes.shell`: run a program, within limits."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from codemation.core.context import Context
from codemation.core.durations import seconds
from codemation.core.node import node


class Completed(BaseModel):
    """A program that has ended."""

    code: int
    """Its exit code; minus the number of the signal that ended it."""
    stdout: str
    stderr: str
    cut: bool = False
    """It wrote more than was kept."""
    seconds: float = 0.0


@node
def shell(
    item: Any,
    *,
    command: list[str] | None = None,
    script: str | None = None,
    send_item: bool = False,
    stdin: str | None = None,
    cwd: str | None = None,
    env: dict[str, str] | None = None,
    keep_env: list[str] | None = None,
    time_limit: str = "10m",
    max_output: int = 1_000_000,
    ok_codes: list[int] | None = None,
    ctx: Context | None = None,
) -> Completed:
    """Run a program for each item, and give what it wrote and its exit code.

    `command` is the program and its arguments, one by one: nothing in them is taken for anything else, wherever it came
    from. `script` is a text for `/bin/sh`, for those who ask for it by name. Give arguments that depend on the item by
    `cm.expr`. `send_item=True` writes the item to its input, as JSON unless it is a text; `stdin` writes a text.

    It sees `env`, and of the environment only PATH, HOME, LANG and TZ, or what `keep_env` names. What it writes goes to
    the log of the node line by line, and up to `max_output` bytes of each stream are kept. An exit code that is not in
    `ok_codes` (0 alone) is an error that shows the end of what it said. After `time_limit`, or when the run is
    cancelled, it is stopped with all that it has started; what it leaves running when it ends is stopped as well.
    """
    from codemation.nodes.programs import Limits, Program, run

    if (command is None) == (script is None) or command == []:
        from codemation.core.errors import ContractError

        raise ContractError("which program?", way_out='command=["sort", "-u"], or script="sort | uniq -c"')
    program = Program(
        command=tuple(command) if command is not None else ("/bin/sh", "-c", script or ""),
        stdin=_sent(item) if send_item else stdin,
        cwd=cwd,
        env=env or {},
        keep_env=tuple(keep_env if keep_env is not None else ("PATH", "HOME", "LANG", "TZ")),
    )
    limits = Limits(seconds=seconds(time_limit), bytes=max_output, codes=frozenset(ok_codes or [0]))
    return Completed(**run(program, limits, ctx or Context()))


def _sent(item: Any) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, BaseModel):
        return item.model_dump_json()
    import json

    return json.dumps(item, default=str)
