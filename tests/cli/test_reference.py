"""The reference page says what the commands say."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from codemation.cli.main import COMMANDS
from codemation.cli.reference import helps, reference
from codemation.cli.troubles import MEANINGS, Exit

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -m codemation.cli.reference > docs/reference/cli.md"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_is_listed_is_there_under_its_name(name: str) -> None:
    assert COMMANDS[name].load().name == name


def test_every_command_explains_itself_and_each_of_its_options() -> None:
    for name, late in COMMANDS.items():
        command = late.load()
        for one in [command, *(command.commands.values() if isinstance(command, click.Group) else [])]:
            assert one.help, f"{name} {one.name} has no help"
            options = [param for param in one.params if isinstance(param, click.Option)]
            assert [param.name for param in options if not param.help] == []


def test_help_is_ascii_so_that_it_can_be_read_anywhere() -> None:
    assert [path for path, text in helps() if not text.isascii()] == []


def test_every_exit_code_is_explained() -> None:
    assert set(MEANINGS) == set(Exit)
