"""Commands that are imported when they are used, so that `codemation --help` stays fast."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from codemation.core.mistakes import meant


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """A command that has not been imported."""

    module: str
    name: str
    help: str
    """What the list of commands says of it."""

    def load(self) -> click.Command:
        """The command itself."""
        command = getattr(importlib.import_module(self.module), self.name)
        assert isinstance(command, click.Command)  # noqa: S101 - narrows what getattr gives
        return command


class Group(click.Group):
    """A group that lists its commands as they were written, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a newcomer needs them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; of one that is not there, say which was probably meant."""
        names = self.list_commands(ctx)
        if args[0] in names or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        raise click.UsageError(f"there is no command {args[0]!r}; {meant(args[0], names, 'see the help')}", ctx)


class LateGroup(Group):
    """A group that knows the names and the short helps of its commands, and imports each when it is used."""

    def __init__(self, *args: Any, late: Mapping[str, Late], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.late = late

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a newcomer needs them."""
        return list(self.late)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        late = self.late.get(cmd_name)
        return late.load() if late else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, late.help) for name, late in self.late.items()])
