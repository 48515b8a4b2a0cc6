"""The reference page of the command line, from the commands themselves: `python -m codemation.cli.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from codemation.cli.main import main
from codemation.cli.troubles import MEANINGS

WIDTH = 100
_HEAD = """\
# The command line

Results go to standard output, everything about them to standard error. Every command that reads has `--json`.
Colours are left out when the output is no terminal, with `NO_COLOR=1`, or with `--no-color`.

"""
_CODES = """\
## Exit codes

| code | meaning |
|---|---|
"""


def reference() -> str:
    """The page as Markdown: every command with its help, then the exit codes."""
    sections = [f"## {path}\n\n```text\n{text}\n```\n" for path, text in helps()]
    codes = "\n".join(f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items())
    return f"{_HEAD}{chr(10).join(sections)}\n{_CODES}{codes}\n"


def helps() -> Iterator[tuple[str, str]]:
    """The path and the help of every command, groups before what is in them."""
    yield from _helps("codemation", main, None)


def _helps(name: str, command: click.Command, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    width = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    context = command.make_context(name, [], parent=parent, resilient_parsing=True, **width)
    yield context.command_path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from _helps(inner, found, context)


if __name__ == "__main__":
    sys.stdout.write(reference())
