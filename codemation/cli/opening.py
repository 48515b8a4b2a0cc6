"""The app that a command works on."""

from __future__ import annotations

from codemation.cli.troubles import Refused
from codemation.host.app import App
from codemation.host.settings import Settings


def settings_of_existing() -> Settings:
    """The settings of the current folder's app, for a command that looks at what is there already.

    Raises:
        Refused: it has no database yet, and looking is no reason to make one.
    """
    settings = Settings.load()
    if settings.config.database_url is None and not settings.state.is_dir():
        raise Refused(
            f"nothing has been run in {settings.root} yet",
            way_out="codemation run WORKFLOW, or change to the folder of your app",
        )
    return settings


def opened() -> App:
    """The app of the current folder, for a command that looks at what is there already.

    Raises:
        Refused: it has no database yet.
        HostError: its database does not answer or has another schema.
    """
    return App.open(settings_of_existing())
